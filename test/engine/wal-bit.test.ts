// A group of the WAL with one changed bit is told from a torn tail and mended, of whatever size, synced by proof or not.
import t from 'tap'
import { ByteWriter } from '../../src/base/bytes.ts'
import { checksum } from '../../src/base/checksum.ts'
import { Random } from '../../src/base/random.ts'
import { walPath } from '../../src/engine/file-names.ts'
import { groupBesideOneBit } from '../../src/engine/wal-bit.ts'
import {
  beginGroup,
  beginSection,
  endGroup,
  endSection,
  GROUP_HEADER_BYTES,
  readGroup
} from '../../src/engine/wal-record.ts'
import { seeds } from '../kit/seeds.ts'
import { anyDisk, open } from './texts.ts'

const LIFE = { file: 5, life: 0x12345678 }

/** A file with one group of random payload at an offset, over what an earlier life left. */
function file(random: Random, payload: number, at: number) {
  const out = new ByteWriter()
  beginGroup(out)
  const section = beginSection(out, 2, true)
  for (let i = 0; i < payload; i++) out.u8(random.u32() & 255)
  endSection(out, section)
  const length = endGroup(out, LIFE.file, LIFE.life, 77, at, false)
  const bytes = new Uint8Array(at + out.length + 4096).map(() => random.u32())
  const stale = bytes.slice()
  bytes.set(out.written(), at)
  return { bytes, stale, length, view: new DataView(bytes.buffer) }
}

t.test('groupBesideOneBit() finds any changed bit of a group and turns it back', t => {
  for (const seed of seeds(300)) {
    const random = new Random(seed)
    const at = 4096 * random.below(3)
    const { bytes, view, length } = file(random, 1 + random.below(random.chance(0.1) ? 200_000 : 300), at)
    const sound = bytes.slice()
    // Half of the bits are of the header, whose fields are read before any sum is made.
    const byte = at + random.below(random.chance(0.5) ? GROUP_HEADER_BYTES : length)
    bytes[byte]! ^= 1 << random.below(8)
    const hurt = bytes.slice()
    const other = { ...LIFE, life: LIFE.life ^ 3 }
    if (readGroup('f', bytes, view, at, LIFE) !== null) t.fail(`VARVE_SEED=${seed} is valid`)
    if (groupBesideOneBit('f', bytes, view, at, other) !== null)
      t.fail(`VARVE_SEED=${seed} is of another life`)
    if (Buffer.compare(bytes, hurt) !== 0) t.fail(`VARVE_SEED=${seed} changed bytes`)
    const found = groupBesideOneBit('f', bytes, view, at, random.chance(0.5) ? LIFE : null)
    if (found?.ordinal !== 77 || found.bytes !== length) t.fail(`VARVE_SEED=${seed} byte ${byte - at}`)
    if (Buffer.compare(bytes, sound) !== 0) t.fail(`VARVE_SEED=${seed} is not what was written`)
  }
  t.pass('300 groups')
  t.end()
})

t.test('groupBesideOneBit() believes CRC-32 alone of no bit', t => {
  for (const seed of seeds(300)) {
    const random = new Random(seed)
    const { bytes, view, length } = file(random, 600 + random.below(3000), 0)
    // What a torn group would have to be for CRC-32 to find a bit of it: other bytes, and the sum of their like.
    for (let i = 512; i < Math.min(length, 1024); i++) bytes[i] = random.u32()
    const bit = GROUP_HEADER_BYTES + 5 + random.below(400)
    bytes[bit]! ^= 4
    view.setUint32(0, checksum(bytes, 4, length), true)
    bytes[bit]! ^= 4
    const hurt = bytes.slice()
    if (groupBesideOneBit('f', bytes, view, 0, LIFE) !== null) t.fail(`VARVE_SEED=${seed}`)
    if (Buffer.compare(bytes, hurt) !== 0) t.fail(`VARVE_SEED=${seed} changed bytes`)
  }
  t.pass('300 groups')
  t.end()
})

t.test('groupBesideOneBit() takes no torn group and no group with two changed bits for one', t => {
  for (const seed of seeds(500)) {
    const random = new Random(seed)
    const { bytes, stale, view, length } = file(random, 600 + random.below(3000), 0)
    if (random.chance(0.5)) {
      const sector = 512 * random.below(Math.ceil(length / 512))
      bytes.set(stale.subarray(sector, Math.min(length, sector + 512)), sector)
    } else {
      const [one, other] = [random.below(length), random.below(length)]
      bytes[one]! ^= 1
      bytes[other]! ^= 2
    }
    if (groupBesideOneBit('f', bytes, view, 0, LIFE) !== null) t.fail(`VARVE_SEED=${seed}`)
  }
  t.pass('500 groups')
  t.end()
})

t.test('Engine.open() reads a synced group with a changed bit, and names it', async t => {
  for (const at of [0, 4096, 2 * 4096]) {
    for (const byte of [1, 5, 9, 13, 18, 21, 27, 30, 33, 38]) {
      const disk = anyDisk()
      const { engine, texts } = await open(disk)
      for (let i = 0; i < 3; i++) await engine.wal.synced(texts.put(engine, `text ${i}`))
      await engine.close()
      disk.flip(walPath(1), at + byte, 0x10)
      const again = await open(disk)
      t.same(again.texts.replayed, ['text 0', 'text 1', 'text 2'], `byte ${byte} at ${at}`)
      t.match(again.engine.damage, [{ file: walPath(1), offset: at, why: /a bit of group/ }])
      t.same(again.texts.losses, [], 'nothing is lost')
      await again.engine.close()
    }
  }
})

t.test('Engine.open() reads a newest group with a changed bit that nothing proves synced', async t => {
  for (const turns of [false, true]) {
    for (const byte of [1, 5, 9, 13, 18, 21, 27, 30, 33, 38]) {
      const disk = anyDisk()
      const { engine, texts } = await open(disk)
      await engine.wal.synced(texts.put(engine, 'text 0'))
      // The newest group is the second of its file, or the first of another.
      if (turns) await engine.wal.rotate()
      await engine.wal.synced(texts.put(engine, 'text 1'))
      const left = disk.afterCut()
      const [path, offset] = turns ? [walPath(2), 0] : [walPath(1), 4096]
      left.flip(path, offset + byte, 2)
      const reader = await open(left, { readOnly: true })
      t.same(reader.texts.replayed, ['text 0', 'text 1'], `byte ${byte}`)
      const again = await open(left)
      t.same(again.texts.replayed, ['text 0', 'text 1'], `byte ${byte}`)
      t.match(again.engine.damage, [{ file: path, offset, why: /a bit of group 2/ }])
      t.same(again.texts.losses, [])
      await again.engine.wal.synced(again.texts.put(again.engine, 'after'))
      const mended = await open(left.afterCut())
      t.same(mended.texts.replayed, ['text 0', 'text 1', 'after'])
      t.same(mended.engine.damage, [], 'it was written again as it should be')
    }
  }
})
