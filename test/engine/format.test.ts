// Each `Example:` in the header of a format's file is decoded by the production reader.
import fs from 'node:fs'
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import {
  isTemporary,
  parseSegmentName,
  parseWalName,
  quarantinePath,
  segmentPath,
  walPath
} from '../../src/engine/file-names.ts'
import { getEdit } from '../../src/engine/manifest-edit.ts'
import { readRecords } from '../../src/engine/record-file.ts'
import { BLOCK_HEADER_BYTES, blockAt } from '../../src/engine/segment-format.ts'
import { eachSection, readGroup } from '../../src/engine/wal-record.ts'

function example(file: string): Uint8Array {
  const header = fs.readFileSync(`src/engine/${file}`, 'utf8').split('\nimport ')[0]!.replaceAll('\n//', ' ')
  const hex = /Example.*?=\s+((?:[0-9a-f]{2}\s+)+)/.exec(header)![1]!
  return new Uint8Array(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'))
}

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
const payload = new Uint8Array([0x2a, 0x2b])

t.test('readGroup() decodes the example of wal-record.ts', async t => {
  const bytes = example('wal-record.ts')
  const group = readGroup('x', bytes, view(bytes), 0, null)!
  t.same(group, { offset: 0, file: 1, life: 7, ordinal: 1, synced: 0, grew: false, bytes: 39 })
  eachSection(bytes, group, (...section) => t.same(section, [2, payload, true]))
  t.equal(readGroup('x', bytes, view(bytes), 0, { file: 1, life: 8 }), null, 'another life is no group')
  for (let at = 0; at < bytes.length; at++) {
    const flipped = bytes.slice()
    flipped[at]! ^= 1
    t.equal(readGroup('x', flipped, view(flipped), 0, null), null, `byte ${at} is covered`)
  }
})

t.test('blockAt() decodes the example of segment-format.ts', async t => {
  const bytes = example('segment-format.ts')
  t.same(blockAt(bytes, view(bytes), 0), { kind: 1, length: 11 })
  t.same(bytes.subarray(BLOCK_HEADER_BYTES), payload)
})

t.test('readRecords() decodes the example of record-file.ts', async t => {
  const found: unknown[] = []
  const end = readRecords('x', example('record-file.ts'), 1, (...record) => found.push(record))
  t.same(found, [[1, payload]])
  t.match(end, { end: 31, torn: false, damage: [] })
})

t.test('getEdit() decodes the example of manifest-edit.ts', async t => {
  const edit = getEdit(example('manifest-edit.ts'))
  t.match(edit, { remove: [300], checkpoints: [{ kind: 1, walFile: 2 }], add: [], notes: [] })
})

t.test('readRecords() refuses a newer version and a file of someone else', async t => {
  const newer = example('record-file.ts')
  newer[4] = 2
  const { checksum } = await import('../../src/base/checksum.ts')
  view(newer).setUint32(12, checksum(newer, 0, 12), true)
  t.throws(() => readRecords('x', newer, 1, () => {}), { code: 'VARVE_FORMAT_NEWER' })
  t.throws(() => readRecords('x', example('record-file.ts'), 2, () => {}), { code: 'VARVE_CORRUPTION' })
})

t.test('readRecords() and readGroup() take any bytes without harm', async t => {
  for (let seed = 1; seed <= 500; seed++) {
    const random = new Random(seed)
    const bytes = new Uint8Array(random.below(3000)).map(() => (random.chance(0.5) ? 0 : random.u32()))
    bytes.set(example('record-file.ts').subarray(0, Math.min(16, bytes.length)))
    readGroup('x', bytes, view(bytes), random.below(bytes.length + 1), null)
    try {
      readRecords('x', bytes, 1, () => {})
    } catch (error) {
      t.match(error, { code: 'VARVE_CORRUPTION' }, `VARVE_SEED=${seed}`)
    }
  }
})

t.test('file names are parsed as they are made', async t => {
  for (const n of [1, 42, 999_999]) t.equal(parseWalName(walPath(n).slice(4)), n)
  for (const n of [1, 42, 2 ** 40]) t.equal(parseSegmentName(segmentPath(n).slice(9)), n)
  for (const name of ['x.wal', '1.wal', '0000000001.seg.tmp', 'LOCK', '../0000000001.seg']) {
    t.equal(parseWalName(name) ?? parseSegmentName(name), null)
  }
  t.ok(isTemporary('0000000001.seg.tmp'))
  t.equal(quarantinePath('wal/000001.wal', 2), 'quarantine/wal-000001.wal.2')
})
