import { readFileSync } from 'node:fs'
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { keepTakingSlips, leaveSlip, parseSlip, readSlips } from '../../src/daemon/wear-slips.ts'
import { WearMeter } from '../../src/disk/wear-meter.ts'
import { CrashDisk } from '../kit/crash-disk.ts'
import { HandClock } from '../kit/hand-clock.ts'

/** Counts of a process that wrote so many bytes. */
async function written(bytes: number) {
  const meter = new WearMeter(new CrashDisk(new Random(1)), new HandClock())
  const file = await meter.openWrite('x', 'other')
  await file.write(new Uint8Array(bytes), 0)
  await file.sync()
  file.close()
  return meter.take()
}

async function put(disk: CrashDisk, path: string, text: string): Promise<void> {
  const file = await disk.openWrite(path, 'other')
  await file.write(Buffer.from(text), 0)
  file.close()
}

t.test('what another process wrote is counted once, by the daemon that runs or the next one', async t => {
  const disk = new CrashDisk(new Random(1))
  const clock = new HandClock()
  const errors: unknown[] = []
  const meter = new WearMeter(disk, clock)
  await leaveSlip(disk, await written(5000), 7, 1)
  const stop = keepTakingSlips(disk, meter, clock, error => errors.push(error))
  t.equal(meter.counts.other.bytes, 5000)
  await leaveSlip(disk, await written(300), 8, 2)
  await put(disk, 'WEAR-9-9', '{"other":{"bytes":-1}}')
  await put(disk, 'WEAR-9-9.tmp', '{')
  clock.advance(60_000)
  clock.advance(60_000)
  await new Promise(setImmediate)
  t.equal(meter.counts.other.bytes, 5300)
  t.equal(meter.counts.other.syncs, 2)
  t.same(disk.list('').sort(), ['WEAR-9-9', 'WEAR-9-9.tmp'])
  t.match(errors, [{ code: 'VARVE_CORRUPTION', file: 'WEAR-9-9' }])
  t.equal(errors.length, 1, 'told once')
  stop()
  await leaveSlip(disk, await written(1), 8, 3)
  clock.advance(120_000)
  t.equal(meter.counts.other.bytes, 5300)
  t.match([...readSlips(disk, () => {})], [{ path: 'WEAR-8-3', counts: { other: { bytes: 1 } } }])
})

t.test('the example of the format is read', async t => {
  const header = readFileSync(new URL('../../src/daemon/wear-slips.ts', import.meta.url), 'utf8')
  const example = /Example: (\{.*?\});/.exec(header)![1]!
  t.match(parseSlip('x', Buffer.from(example)), { other: { bytes: 5, pieces: 1 }, wal: { bytes: 0 } })
  for (const text of ['', '[]x', 'null', '{"other":{"bytes":"1"}}', '{"wal":{"syncs":1.5}}'])
    t.throws(() => parseSlip('x', Buffer.from(text)), { code: 'VARVE_CORRUPTION' }, text)
})
