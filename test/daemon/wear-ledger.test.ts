import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { SmallNotes } from '../../src/daemon/small-notes.ts'
import { decodeLedger, encodeLedger, savedOrdinal, WearLedger } from '../../src/daemon/wear-ledger.ts'
import { WearRates } from '../../src/daemon/wear-rates.ts'
import { PIECE_REST_BYTES, WearMeter } from '../../src/disk/wear-meter.ts'
import type { Manifest } from '../../src/engine/manifest.ts'
import { CrashDisk } from '../kit/crash-disk.ts'
import { HandClock } from '../kit/hand-clock.ts'
import { seeds } from '../kit/seeds.ts'

const DAY_MS = 86_400_000
const MARK = { ordinal: 6, segmentId: 7, segmentIdsOpen: [5], walFileBytes: 8, headSamples: 9 }
const RECENT = { spanMs: 1, bytes: 2, syncBytes: 1 }
const EXAMPLE = '01 06 07 01 05 08 09 01 02 03 01 02 01 05 01 03 77 61 6c 04 01 05 05 04'

t.test('decodeLedger() reads the example of the header, and refuses other versions', async t => {
  const bytes = Uint8Array.from(EXAMPLE.split(' '), digit => Number.parseInt(digit, 16))
  const found = decodeLedger(bytes)
  t.same(found, {
    sinceMs: 1,
    untilMs: 2,
    samples: 3,
    bytes: { wal: 4 },
    programmedBytes: 5,
    days: [{ dayMs: 5 * DAY_MS, bytes: { wal: 4 }, programmedBytes: 5 }],
    mark: MARK,
    recent: RECENT
  })
  t.same(encodeLedger(found, MARK, RECENT), bytes)
  t.equal(savedOrdinal(bytes), 6)
  t.equal(savedOrdinal(undefined), Infinity)
  t.throws(() => decodeLedger(Uint8Array.of(2)), { code: 'VARVE_FORMAT_NEWER' })
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
  const saved = first.encode(MARK, RECENT)
  clock.advance(60_000)
  const again = new WearLedger(clock, saved)
  t.same(
    [4, 5, 6, 7, 8].filter(id => again.isNew(id)),
    [5, 8],
    'segments after the mark, and those that were being written'
  )
  const before = again.facts()
  const found = {
    groups: 1000,
    groupBytes: 4_096_000,
    grownGroups: 2,
    grownBytes: 40_960,
    walFileBytes: 8 + 16_384 + 40_960,
    headSamples: 59,
    segments: [{ cause: 'merge' as const, bytes: 5000 }]
  }
  again.recover(found)
  const after = again.facts()
  t.equal(
    after.bytes.wal! - before.bytes.wal!,
    4_096_000 + 16_384 + 60 * 2165 + 2 * 24_000,
    'metadata once a second, and for each group that let a file grow, whose bytes were written once'
  )
  t.equal(after.bytes.merge, 5000)
  const rests = (1350 + 12) * PIECE_REST_BYTES
  const more = Object.values(after.bytes).reduce((a, b) => a + b, 0) - Object.values(before.bytes)[0]!
  t.equal(after.programmedBytes - before.programmedBytes, more + rests, 'each group ends within a page')
  t.equal(again.recent.bytes, RECENT.bytes + more + rests, 'and counts for the rate')
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

t.test('WearRates tells the last hour and the last day, and neither is shaken by a start', async t => {
  const rates = new WearRates()
  t.match(rates.hour(), { bytesPerS: 0 })
  const at = (minute: number) => {
    const syncs = minute * 60
    return { bytes: 64e6 + syncs * 6000, syncBytes: syncs * 5000, syncExtraBytes: syncs * 2000, syncs }
  }
  const near = (found: number, wanted: number) =>
    t.ok(Math.abs(found / wanted - 1) < 0.02, `${found}, ${wanted}`)
  rates.take(0, at(0))
  t.ok(rates.day().bytesPerS < 3000, 'what a start writes is not what goes on')
  for (let minute = 1; minute <= 6 * 1440; minute++) rates.take(minute * 60_000, at(minute))
  t.match(rates.hour(), { bytesPerS: 6000, syncBytesPerS: 5000, syncBytes: 5000, syncExtraBytes: 2000 })
  near(rates.day().bytesPerS, 6000)
  near(rates.day().syncBytesPerS, 5000)
  const next = new WearRates(rates.recent, 60_000)
  next.take(0, at(0))
  near(next.day().bytesPerS, 6000 + 64e6 / 86_400)
  const later = new WearRates(rates.recent, 30 * DAY_MS)
  near(later.day().bytesPerS, 6000 * Math.exp(-1))
})

t.test('WearLedger counts what a card programs beside what it is given, by day', async t => {
  const clock = new HandClock(10 * DAY_MS * 1000)
  const meter = new WearMeter(new CrashDisk(new Random(1)), clock)
  const ledger = new WearLedger(clock, undefined)
  const file = await meter.openWrite('w', 'wal')
  for (let i = 0; i < 3; i++) {
    await file.write(new Uint8Array(4096), 0)
    await file.sync()
    ledger.take(meter.counts, 0)
    clock.advance(DAY_MS)
  }
  ledger.take(meter.counts, 0)
  const { programmedBytes, bytes, days } = ledger.facts()
  t.equal(programmedBytes, meter.programmedBytes)
  t.ok(programmedBytes >= bytes.wal! + 3 * PIECE_REST_BYTES)
  t.equal(
    days.reduce((sum, day) => sum + day.programmedBytes, 0),
    programmedBytes,
    'days and total agree'
  )
  t.equal(days.length, 4)
})

t.test('SmallNotes saves soon after the start, each quarter of an hour, and after 4 MiB', async t => {
  const clock = new HandClock()
  const saves: number[] = []
  const commit = async () => {
    saves.push(clock.monotonicMs() / 1000)
  }
  const notes = new SmallNotes({ note: () => undefined, commit } as unknown as Manifest, () => [
    'clock',
    new Uint8Array(0)
  ])
  let bytes = 0
  const onError = (error: unknown) => t.fail(String(error))
  notes.keep({ clock, ledger: () => new Uint8Array(1), writtenBytes: () => bytes, onError })
  clock.advance(1999)
  t.same(saves, [])
  clock.advance(1 + 16 * 60_000)
  t.same(saves, [2, 902], 'a process that is killed again and again counts what it wrote')
  bytes = 5e6
  clock.advance(1000)
  t.equal(saves.length, 3)
  clock.advance(10 * 60_000)
  t.equal(saves.length, 3)
  notes.stop()
  clock.advance(60 * 60_000)
  t.equal(saves.length, 3)
})
