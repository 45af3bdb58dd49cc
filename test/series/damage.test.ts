// Something of a segment is damaged: what only says where things are costs nothing, a damaged block costs its own
// chunks, and no earlier write of a sample shows in the place of one that cannot be read.
import fs from 'node:fs'
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { segmentPath } from '../../src/engine/file-names.ts'
import { SegmentReader } from '../../src/engine/segment-reader.ts'
import { readDirectory } from '../../src/series/block-directory.ts'
import { KIND, TIME_MAX_US } from '../../src/series/sample.ts'
import { BLOCK_CHUNKS, BLOCK_INDEX } from '../../src/series/segment-build.ts'
import { SeriesSegment } from '../../src/series/segment-open.ts'
import { CrashDisk } from '../kit/crash-disk.ts'
import { runLines } from './model.ts'
import { openStore, type TestStore } from './test-store.ts'

const GROUPS = 3
const T0 = 1_700_000_000_000_000
const timeOf = (i: number): number => T0 + i * 10_000

/** Noise that takes room, so that a group has several blocks. */
function put(store: TestStore, group: number, i: number, value: number): void {
  store.write({
    group,
    timeUs: timeOf(i),
    values: [{ field: 0, kind: KIND.number, value: value + Math.sin(i * 7.77) }]
  })
}

/** Two segments of a bucket: all rows of value 0 to 1, then every fourth again as 100 and more. */
async function build() {
  const disk = new CrashDisk(new Random(1))
  const store = await openStore(disk, undefined, { fileBytes: 1 << 20, filesMax: 8 })
  for (let group = 0; group < GROUPS; group++) for (let i = 0; i < 9000; i++) put(store, group, i, 0)
  await store.synced()
  await store.series.flush()
  for (let group = 0; group < GROUPS; group++) for (let i = 0; i < 9000; i += 4) put(store, group, i, 100)
  await store.synced()
  await store.series.flush()
  const ids = [...store.engine.manifest.segments.keys()].sort((a, b) => a - b)
  await store.engine.close()
  return { disk, older: ids[0]!, newer: ids[1]! }
}

async function readAll(disk: CrashDisk) {
  const store = await openStore(disk, undefined, { fileBytes: 1 << 20, filesMax: 8 })
  const { source } = store.reader()
  const groups = Array.from({ length: GROUPS }, (_, group) =>
    runLines(source.runs(group, null, 0, TIME_MAX_US))
  )
  const last = Array.from({ length: GROUPS }, (_, group) => source.last(group, TIME_MAX_US)[0]!)
  return { groups, last, damage: store.damage, source }
}

t.test(
  'SeriesReader reads all of a segment whose header, index, names, footer or trailer is damaged',
  async t => {
    const { disk, older, newer } = await build()
    const whole = await readAll(new CrashDisk(new Random(1), Infinity, disk.medium.copy()))
    t.same(whole.damage, [])
    for (const id of [older, newer]) {
      const path = segmentPath(id)
      const file = SegmentReader.open(disk, path)
      const parts = [...file.blocks()].filter(({ kind }) => kind !== BLOCK_CHUNKS)
      t.equal(parts.length, 2)
      const footerAt = Math.max(...parts.map(({ offset, length }) => offset + length))
      file.close()
      const random = new Random(id)
      const within = (from: number, to: number): number => from + random.below(to - from)
      const places = parts.flatMap(({ offset, length }) => [offset + 4, within(offset, offset + length)])
      for (const at of [0, within(4, 12), ...places, within(footerAt, file.bytes - 18), file.bytes - 3]) {
        const hurt = new CrashDisk(new Random(1), Infinity, disk.medium.copy())
        hurt.flip(path, at, 1 << random.below(8))
        const { groups, last, damage } = await readAll(hurt)
        t.same(groups, whole.groups, `byte ${at}`)
        t.same(last, whole.last)
        const isNames = at >= parts[0]!.offset && at < parts[0]!.offset + parts[0]!.length
        if (!isNames) t.match(damage[0], { code: 'VARVE_CORRUPTION', file: path }, `byte ${at} is named`)
      }
    }
  }
)

t.test('SeriesReader shows nothing that a damaged block may have held a later value of', async t => {
  const { disk, newer } = await build()
  const whole = await readAll(new CrashDisk(new Random(1), Infinity, disk.medium.copy()))
  const path = segmentPath(newer)
  const file = SegmentReader.open(disk, path)
  const blocks = [...file.blocks()].filter(({ kind }) => kind === BLOCK_CHUNKS)
  file.close()
  t.ok(blocks.length > 1)
  for (const { offset } of blocks) {
    const hurt = new CrashDisk(new Random(1), Infinity, disk.medium.copy())
    hurt.flip(path, offset + 100, 1)
    const { groups, last, damage, source } = await readAll(hurt)
    t.match(damage, [{ file: path, offset }], 'named once')
    const segment = new SeriesSegment(hurt, path)
    const index = segment.readIndex()
    segment.close()
    let missing = 0
    for (const [group, lines] of groups.entries()) {
      const sound = new Set(whole.groups[group])
      for (const line of lines) if (!sound.has(line)) t.fail(`${line} of ${group} is an older value`)
      missing += sound.size - lines.length
      // What is missing lies between the first and the last time of the damaged chunks.
      const holes = index.chunks(source.id(group), 0, TIME_MAX_US).filter(({ block }) => block === offset)
      const found = new Set(lines)
      for (const line of sound) {
        const time = Number(line.split(' ')[0])
        const isIn = holes.some(({ firstUs, lastUs }) => firstUs <= time && time <= lastUs)
        if (found.has(line) === isIn) t.fail(`${line} of ${group}: found ${!isIn}`)
      }
      const newest = lines.at(-1)!.split(' ')
      t.equal(last[group]!.timeUs, Number(newest[0]), 'last() is what runs() ends with')
    }
    t.ok(missing > 0, `${missing} are missing`)
  }
})

t.test('SeriesReader shows nothing older in the place of a segment of which too much is lost', async t => {
  const { disk, newer } = await build()
  const path = segmentPath(newer)
  const file = SegmentReader.open(disk, path)
  const blocks = [...file.blocks()]
  file.close()
  const indexAt = blocks.find(({ kind }) => kind === BLOCK_INDEX)!.offset
  const firstAt = blocks[0]!.offset
  for (const [what, places, reach] of [
    ['header and footer', [0, file.bytes - 30], GROUPS],
    ['header, index and the first block', [0, indexAt + 20, firstAt + 20], 1]
  ] as const) {
    const hurt = new CrashDisk(new Random(1), Infinity, disk.medium.copy())
    for (const at of places) hurt.flip(path, at, 1)
    const { groups, last, damage } = await readAll(hurt)
    t.match(damage[0], { code: 'VARVE_CORRUPTION', file: path }, what)
    for (const [group, lines] of groups.slice(0, reach).entries()) {
      const end = timeOf(8996)
      for (const line of lines) {
        const [time, , value] = line.split(' ')
        const i = (Number(time) - T0) / 10_000
        if (i % 4 === 0 && Number(value) < 90) t.fail(`${what}: ${line} of ${group} is an older value`)
      }
      t.ok(lines.length >= 3, 'what comes after it is read')
      t.equal(last[group]!.timeUs, timeOf(8999))
      t.ok(Number(lines.at(-1)!.split(' ')[0]) > end)
    }
  }
})

t.test('SeriesReader makes a lost index anew from the blocks that are sound', async t => {
  const { disk, older } = await build()
  const path = segmentPath(older)
  const file = SegmentReader.open(disk, path)
  const blocks = [...file.blocks()]
  file.close()
  disk.flip(path, blocks[1]!.offset + 50, 4)
  disk.flip(path, file.bytes - 30, 4)
  for (const { kind, offset } of blocks) if (kind === 3) disk.flip(path, offset + 12, 4)
  const { groups, damage } = await readAll(disk)
  const offsets = damage.map(error => (error as unknown as { offset: number }).offset)
  t.ok(offsets.includes(blocks[1]!.offset), 'the block is named')
  const rows = groups.reduce((sum, lines) => sum + lines.length, 0)
  t.ok(rows > GROUPS * 9000 - 2 * 4096 && rows < GROUPS * 9000, `${rows} rows`)
})

t.test('readDirectory() decodes the example of block-directory.ts', t => {
  const header = fs
    .readFileSync('src/series/block-directory.ts', 'utf8')
    .split('\nimport ')[0]!
    .replaceAll('\n//', ' ')
  const hex = /Example.*?=\s+((?:[0-9a-f]{2}\s+)+)/.exec(header)![1]!
  const directory = Buffer.from(hex.replaceAll(/\s/g, ''), 'hex')
  t.same(readDirectory(Buffer.concat([new Uint8Array(390), directory])), [
    { group: 3, at: 0, length: 40 },
    { group: 3, at: 40, length: 300 },
    { group: 5, at: 340, length: 50 }
  ])
  for (let length = 5; length < 390 + directory.length; length++) {
    t.throws(() => readDirectory(Buffer.concat([new Uint8Array(390), directory]).subarray(0, length)))
  }
  t.end()
})
