import t from 'tap'
import { CorruptionError, VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { segmentPath } from '../../src/engine/file-names.ts'
import { SegmentReader } from '../../src/engine/segment-reader.ts'
import { type BlockPlace, SegmentWriter } from '../../src/engine/segment-writer.ts'
import { CrashDisk } from '../kit/crash-disk.ts'
import { FaultDisk } from '../kit/fault-disk.ts'
import { seeds } from '../kit/seeds.ts'

const HEADER = { id: 7, family: 1, class: 'default', bucketUs: 1.7e15, spanUs: 8.64e10 }
const FACTS = { order: 1.7e15, timeMinUs: -5, timeMaxUs: 2 ** 53 - 1, samples: 12, level: 1, boot: 300 }
const PATH = segmentPath(7)

async function build(disk: CrashDisk | FaultDisk, random: Random, sizes: readonly number[]) {
  const writer = await SegmentWriter.create(disk, PATH, 'segment', HEADER)
  const payloads: Uint8Array[] = []
  const places: BlockPlace[] = []
  for (const size of sizes) {
    const payload = new Uint8Array(size).map(() => random.u32())
    payloads.push(payload)
    places.push(writer.block(1 + random.below(254), payload))
    await writer.room()
  }
  const info = await writer.finish(new Uint8Array([9, 8, 7]), FACTS)
  return { info, payloads, places }
}

t.test('SegmentReader gives back what SegmentWriter took', async t => {
  const random = new Random(1)
  const disk = new CrashDisk(random)
  const sizes = [0, 1, 100_000, 2_500_000, 10, 1_048_576, 3]
  const { info, payloads, places } = await build(disk, random, sizes)
  t.same(info, { ...HEADER, ...FACTS, bytes: disk.facts(PATH)!.bytes })
  const reader = SegmentReader.open(disk, PATH)
  t.same(reader.info, info, 'the file says all that the manifest says')
  t.same(reader.footer, new Uint8Array([9, 8, 7]))
  payloads.forEach((payload, i) => {
    const { offset, length } = places[i]!
    t.ok(Buffer.compare(reader.block(offset, length), payload) === 0)
    t.ok(Buffer.compare(reader.block(offset), payload) === 0, 'also when the length is not known')
  })
  t.same(
    [...reader.blocks()].map(block => block.length),
    places.map(place => place.length)
  )
  reader.close()
})

t.test('SegmentWriter writes long segments in large writes and syncs once', async t => {
  const disk = new FaultDisk(new CrashDisk(new Random(1)))
  await build(disk, new Random(1), Array(400).fill(10_000))
  t.equal(disk.syncs, 1)
  t.ok(disk.writes <= 5, `${disk.writes} writes of 4 MB`)
})

t.test('SegmentWriter gives the file its name only when all of it is on the medium', async t => {
  for (const seed of seeds(60)) {
    const random = new Random(seed)
    const disk = new CrashDisk(random, 1 + random.below(6))
    const done = await build(disk, random, [5000, 60_000]).then(
      () => true,
      () => false
    )
    const found = disk.afterCut()
    if (found.exists(PATH)) {
      const blocks = [...SegmentReader.open(found, PATH).blocks()]
      t.ok(blocks.length === 2 && blocks.every(block => block.error === null), `VARVE_SEED=${seed}`)
    } else t.notOk(done, `VARVE_SEED=${seed}`)
  }
})

t.test('SegmentWriter.finish() fails when a write or sync fails, and abort() leaves nothing', async t => {
  for (const faults of [
    { writeAt: 1 },
    { writeAt: 2 },
    { shortWriteAt: 1 },
    { syncAt: 1 },
    { fullFrom: 1 }
  ]) {
    const disk = new FaultDisk(new CrashDisk(new Random(1)))
    disk.faults = faults
    const writer = await SegmentWriter.create(disk, PATH, 'segment', HEADER)
    const write = async (): Promise<void> => {
      for (let i = 0; i < 30; i++) {
        writer.block(1, new Uint8Array(100_000))
        await writer.room()
      }
      await writer.finish(new Uint8Array(0), FACTS)
    }
    const code = 'fullFrom' in faults ? 'VARVE_DISK_FULL' : 'VARVE_IO'
    await t.rejects(write(), { code }, JSON.stringify(faults))
    await writer.abort()
    t.same(disk.list('segments'), [])
  }
})

t.test('SegmentReader never returns altered bytes, and names the block that is damaged', async t => {
  for (const seed of seeds(300)) {
    const random = new Random(seed)
    const disk = new CrashDisk(random)
    const { payloads, places, info } = await build(disk, random, [300, 700, 20, 4000, 0, 90])
    const at = random.below(info.bytes)
    disk.flip(PATH, at, 1 << random.below(8))
    let reader: SegmentReader
    try {
      reader = SegmentReader.open(disk, PATH)
    } catch (error) {
      const known = error instanceof VarveError && /CORRUPTION|FORMAT/.test(error.code)
      if (!known) t.fail(`VARVE_SEED=${seed} ${error}`)
      continue
    }
    const hit = places.findIndex(({ offset, length }) => at >= offset && at < offset + length)
    places.forEach(({ offset, length }, i) => {
      try {
        const same = Buffer.compare(reader.block(offset, length), payloads[i]!) === 0
        if (!same || i === hit) t.fail(`VARVE_SEED=${seed} block ${i} altered`)
      } catch (error) {
        const named = error instanceof CorruptionError && error.file === PATH && error.offset === offset
        if (!named || i !== hit) t.fail(`VARVE_SEED=${seed} block ${i}: ${error}`)
      }
    })
    const found = [...reader.blocks()]
    const sound = found.filter(block => block.error === null).length
    if (hit >= 0 && sound !== places.length - 1) t.fail(`VARVE_SEED=${seed} ${sound} blocks readable`)
  }
  t.pass('300 flips')
})

t.test('SegmentReader reads all blocks of a segment whose header, footer or trailer is damaged', async t => {
  const random = new Random(1)
  const sound = new CrashDisk(random)
  const { info, places, payloads } = await build(sound, random, [300, 700, 20])
  const [first, last] = [places[0]!, places.at(-1)!]
  for (let at = 0; at < info.bytes; at++) {
    if (at >= first.offset && at < last.offset + last.length) continue
    const disk = new CrashDisk(random, Infinity, sound.medium.copy())
    disk.flip(PATH, at, 1 << random.below(8))
    const reader = SegmentReader.open(disk, PATH)
    const told = reader.damage.map(error => error.offset <= at && error.file === PATH)
    if (!told.includes(true)) t.fail(`byte ${at}: told is ${JSON.stringify(told)}`)
    const blocks = [...reader.blocks()]
    t.same(
      blocks.map(block => block.payload),
      payloads,
      `byte ${at}`
    )
    const isFooter = at >= last.offset + last.length && at < info.bytes - 18
    t.same(reader.footer, isFooter ? null : new Uint8Array([9, 8, 7]))
    if (isFooter || at < first.offset) t.throws(() => reader.info, { code: 'VARVE_CORRUPTION', file: PATH })
    else t.same(reader.info, info)
    reader.close()
  }
})

t.test('SegmentReader.open() refuses a file with neither header nor footer', async t => {
  const random = new Random(1)
  const disk = new CrashDisk(random)
  const { places } = await build(disk, random, [300])
  disk.flip(PATH, 5, 1)
  disk.flip(PATH, places[0]!.offset + places[0]!.length + 12, 1)
  t.throws(() => SegmentReader.open(disk, PATH), { code: 'VARVE_CORRUPTION', file: PATH })
})

t.test('SegmentReader reads any bytes without harm', async t => {
  for (const seed of seeds(300)) {
    const random = new Random(seed)
    const disk = new CrashDisk(random)
    const { info } = await build(disk, random, [200, 50])
    const bytes = disk.bytesOf(PATH).slice(0, random.below(info.bytes + 1))
    for (let i = 0; i < 10; i++) if (bytes.length > 0) bytes[random.below(bytes.length)] = random.u32()
    const file = await disk.openWrite('junk', 'other')
    await file.write(bytes, 0)
    try {
      const reader = SegmentReader.open(disk, 'junk')
      for (const _ of reader.blocks());
      reader.info
    } catch (error) {
      if (!(error instanceof VarveError)) t.fail(`VARVE_SEED=${seed} ${error}`)
    }
  }
  t.pass('300 files')
})
