// What a start finds in WAL files: torn tails, damage, bytes of earlier lives, files of others.
import t from 'tap'
import { ByteWriter } from '../../src/base/bytes.ts'
import { Random } from '../../src/base/random.ts'
import { walPath } from '../../src/engine/file-names.ts'
import { EAGER } from '../../src/engine/wal.ts'
import {
  beginGroup,
  beginSection,
  endGroup,
  endSection,
  GROUP_HEADER_BYTES,
  readGroup,
  SECTION_HEADER_BYTES,
  statedBytes
} from '../../src/engine/wal-record.ts'
import type { CrashDisk } from '../kit/crash-disk.ts'
import { anyDisk, open, Texts } from './texts.ts'

t.test('Engine.open() names damage in synced groups and replays the rest', async t => {
  const disk = anyDisk()
  const { engine, texts } = await open(disk)
  for (let i = 0; i < 6; i++) await engine.wal.synced(texts.put(engine, `text ${i}`))
  await engine.close()
  disk.flip(walPath(1), 2 * 4096 + 36, 0x30)
  const again = await open(disk)
  t.same(again.texts.replayed, ['text 0', 'text 1', 'text 3', 'text 4', 'text 5'])
  t.match(again.engine.damage, [{ code: 'VARVE_CORRUPTION', file: walPath(1), offset: 8192 }])
  t.match(again.texts.losses, [{ offset: 8192 }])
})

t.test('Engine.open() names damage in the first page of a file', async t => {
  const disk = anyDisk()
  const { engine, texts } = await open(disk)
  for (let i = 0; i < 4; i++) await engine.wal.synced(texts.put(engine, `text ${i}`))
  await engine.close()
  disk.flip(walPath(1), 1, 0xff)
  const again = await open(disk)
  t.same(again.texts.replayed, ['text 1', 'text 2', 'text 3'])
  t.match(again.engine.damage, [{ file: walPath(1), offset: 0 }])
})

t.test(
  'Engine.open() names damage at the end of a file that another follows, and a missing file',
  async t => {
    const build = async (): Promise<CrashDisk> => {
      const disk = anyDisk()
      const { engine, texts } = await open(disk)
      for (let i = 0; i < 9; i++) {
        await engine.wal.synced(texts.put(engine, `text ${i}`))
        if (i % 3 === 2) await engine.wal.rotate()
      }
      await engine.close()
      return disk
    }
    const torn = await build()
    torn.flip(walPath(1), 2 * 4096, 3)
    const first = await open(torn)
    t.match(first.engine.damage, [{ file: walPath(1), offset: 8192, why: /groups 3 to 3/ }])
    t.equal(first.texts.replayed.length, 8)
    const missing = await build()
    await missing.remove(walPath(2))
    const second = await open(missing)
    t.match(second.engine.damage, [{ file: walPath(3), why: /WAL files 2 to 2 are missing/ }])
    t.same(second.texts.replayed, ['text 0', 'text 1', 'text 2', 'text 6', 'text 7', 'text 8'])
  }
)

t.test(
  'Engine.open() takes bytes of an earlier life, or payloads that look like groups, for nothing',
  async t => {
    const disk = anyDisk()
    const { engine, texts } = await open(disk)
    for (let i = 0; i < 6; i++) await engine.wal.synced(texts.put(engine, `old ${i}`))
    await engine.manifest.commit({ checkpoint: { kind: 1, walFile: await engine.wal.rotate() } })
    // A copy of a whole file of groups, as a payload that begins one page into the group.
    const copy = new TextDecoder('latin1').decode(disk.bytesOf(walPath(1)).subarray(0, 6 * 4096))
    await engine.wal.synced(texts.put(engine, 'x'.repeat(3000) + copy))
    await engine.wal.synced(texts.put(engine, 'new'))
    await engine.close()
    const again = await open(disk)
    t.same(
      again.texts.replayed.map(text => text.length > 10 || text),
      [true, 'new']
    )
    t.same(again.engine.damage, [])
  }
)

t.test('Engine.open() does not take a group that someone sent as a payload for one of its own', async t => {
  const disk = anyDisk()
  const forged = new ByteWriter()
  beginGroup(forged)
  const section = beginSection(forged, 1, true)
  forged.text('forged')
  endSection(forged, section)
  endGroup(forged, 1, 12345, 3, 4096 * 2, false)
  // Placed so that it begins at a page; the file and all else is guessed right, but not the life.
  const payload = new ByteWriter()
  payload.zeros(4096 - GROUP_HEADER_BYTES - SECTION_HEADER_BYTES)
  payload.raw(forged.written())
  const drain = (out: ByteWriter): void => {
    out.raw(payload.written())
    payload.reset()
  }
  const first = await open(disk)
  await first.engine.wal.synced(first.texts.put(first.engine, 'first'))
  Object.assign(first.texts, { drain })
  first.engine.wal.note(8192, EAGER)
  await first.engine.wal.synced(2)
  await first.engine.close()
  const bytes = disk.bytesOf(walPath(1))
  t.ok(readGroup('x', bytes, new DataView(bytes.buffer), 8192, null), 'it is a group by itself')
  disk.flip(walPath(1), 4096 + 2000, 3)
  t.same((await open(disk)).texts.replayed, ['first'])
})

t.test('Engine.open() refuses a WAL of a newer version and payloads that nobody owns', async t => {
  const disk = anyDisk()
  const { engine, texts } = await open(disk)
  await engine.wal.synced(texts.put(engine, 'x'))
  await engine.close()
  await t.rejects(open(disk, { owners: [new Texts(9)] }), { code: 'VARVE_WAL_OWNER' })
  const { checksum } = await import('../../src/base/checksum.ts')
  const { wordSum } = await import('../../src/base/word-sum.ts')
  const bytes = disk.bytesOf(walPath(1))
  bytes[30] = 2
  const view = new DataView(bytes.buffer)
  const end = statedBytes(view, 0)
  view.setUint32(4, wordSum(bytes, 8, end), true)
  view.setUint32(0, checksum(bytes, 4, end), true)
  await t.rejects(open(disk), { code: 'VARVE_FORMAT_NEWER' })
})

t.test('Engine.open({ readOnly }) reads beside a writer and changes nothing', async t => {
  const disk = anyDisk()
  const { engine, texts } = await open(disk)
  await engine.wal.synced(texts.put(engine, 'seen'))
  const { steps } = disk
  const reader = await open(disk, { readOnly: true })
  t.same(reader.texts.replayed, ['seen'])
  t.throws(() => reader.engine.wal, { code: 'VARVE_READ_ONLY' })
  await reader.engine.close()
  t.equal(disk.steps, steps, 'no write')
  await engine.close()
})

t.test('Engine.open() reads any bytes in a WAL file without harm', async t => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = new Random(seed)
    const disk = anyDisk()
    const { engine, texts } = await open(disk)
    const sent: string[] = []
    for (let i = 0; i < 4; i++) {
      sent.push(`${i} ${'x'.repeat(random.below(5000))}`)
      await engine.wal.synced(texts.put(engine, sent.at(-1)!))
    }
    await engine.close()
    const flips = 1 + random.below(4)
    for (let i = 0; i < flips; i++) disk.flip(walPath(1), random.below(30_000), 1 << random.below(8))
    const found = (await open(disk)).texts.replayed
    if (!found.every(text => sent.includes(text))) t.fail(`VARVE_SEED=${seed}: invented`)
  }
  t.pass('200 damaged files')
})
