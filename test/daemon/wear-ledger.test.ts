import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { decodeLedger, encodeLedger, savedOrdinal, WearLedger } from '../../src/daemon/wear-ledger.ts'
import { dayBytesPerS, WearRates } from '../../src/daemon/wear-rates.ts'
import { WearMeter } from '../../src/disk/wear-meter.ts'
import { CrashDisk } from '../kit/crash-disk.ts'
import { HandClock } from '../kit/hand-clock.ts'
import { seeds } from '../kit/seeds.ts'

const DAY_MS = 86_400_000
const MARK = { ordinal: 6, segmentId: 7, walFileBytes: 8, headSamples: 9 }
const EXAMPLE = '02 06 07 08 09 01 02 03 01 03 77 61 6c 04 01 05 04'

t.test('decodeLedger() reads the example of the header, and version 1 without a mark', async t => {
  const bytes = Uint8Array.from(EXAMPLE.split(' '), digit => Number.parseInt(digit, 16))
  const found = decodeLedger(bytes)
  t.same(found, {
    sinceMs: 1,
    untilMs: 2,
    samples: 3,
    bytes: { wal: 4 },
    days: [{ dayMs: 5 * DAY_MS, bytes: { wal: 4 } }],
    mark: MARK
  })
  t.same(encodeLedger(found, MARK), bytes)
  t.same(decodeLedger(Uint8Array.of(1, ...bytes.subarray(5))), { ...found, mark: null })
  t.equal(savedOrdinal(bytes), 6)
  t.equal(savedOrdinal(undefined), Infinity)
  t.throws(() => decodeLedger(Uint8Array.of(3)), { code: 'VARVE_FORMAT_NEWER' })
  for (const seed of seeds(200)) {
    const random = new Random(seed)
    const damaged = bytes.slice(0, random.below(bytes.length + 1))
    if (damaged.length > 0) damaged[random.below(damaged.length)] = random.below(256)
    try {
      decodeLedger(damaged)
    } catch (error) {
      t.match((error as { code?: string }).code, /^VARVE_/, `VARVE_SEED=${seed}`)
    }
  }
})

t.test('WearLedger counts again what a killed process had written since it saved', async t => {
  const clock = new HandClock()
  const meter = new WearMeter(new CrashDisk(new Random(1)), clock)
  const first = new WearLedger(clock, undefined)
  const file = await meter.openWrite('w', 'wal')
  await file.write(new Uint8Array(8192), 0)
  await file.sync()
  first.take(meter.counts, 100)
  const saved = first.encode(MARK)
  clock.advance(60_000)
  const again = new WearLedger(clock, saved)
  const before = again.facts()
  const found = {
    groups: 1000,
    groupBytes: 4_096_000,
    walFileBytes: 8 + 16_384,
    headSamples: 59,
    segments: [{ cause: 'merge' as const, bytes: 5000 }]
  }
  again.recover(found)
  const after = again.facts()
  t.equal(after.bytes.wal! - before.bytes.wal!, 4_096_000 + 16_384 + 60 * 2165, 'metadata once a second')
  t.equal(after.bytes.merge, 5000)
  t.equal(after.samples, 150)
  const sums = after.days.map(day => Object.values(day.bytes).reduce((a, b) => a + b, 0))
  t.equal(
    sums.reduce((a, b) => a + b, 0),
    Object.values(after.bytes).reduce((a, b) => a + b, 0),
    'days and total agree'
  )
  const fresh = new WearLedger(clock, undefined)
  fresh.recover(found)
  t.same(fresh.facts().bytes, {}, 'without a mark nothing is guessed')
})

t.test(
  'WearRates tells the last hour, dayBytesPerS() two days, and neither is shaken by a start',
  async t => {
    const rates = new WearRates()
    t.match(rates.hour(), { bytesPerS: 0 })
    for (let minute = 0; minute <= 300; minute++) {
      const syncs = minute * 60
      rates.take(minute * 60_000, {
        bytes: 64e6 + syncs * 6000,
        syncBytes: syncs * 5000,
        metadataBytes: syncs * 2000,
        syncs
      })
    }
    t.match(rates.hour(), { bytesPerS: 6000, syncBytesPerS: 5000, syncBytes: 5000, metadataBytes: 2000 })
    const start = { sinceMs: 10 * DAY_MS, untilMs: 10 * DAY_MS + 60_000, samples: 0, bytes: {} }
    const days = [{ dayMs: 10 * DAY_MS, bytes: { wal: 64e6 } }]
    t.ok(dayBytesPerS({ ...start, days }) < 3000)
    const later = { ...start, untilMs: 12.5 * DAY_MS }
    const three = [10, 11, 12].map(day => ({ dayMs: day * DAY_MS, bytes: { wal: 864e5, segment: 864e5 } }))
    t.equal(Math.round(dayBytesPerS({ ...later, days: three })), Math.round((4 * 864e5) / (1.5 * 86_400)))
  }
)
