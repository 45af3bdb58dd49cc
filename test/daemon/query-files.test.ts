// Queries while the files below them are damaged, merged away or dropped.
import { mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { SegmentPins } from '../../src/daemon/segment-pins.ts'
import { NodeDisk } from '../../src/disk/node-disk.ts'
import { segmentPath } from '../../src/engine/file-names.ts'
import { mergeSegments } from '../../src/series/merge-job.ts'
import { SeriesReader } from '../../src/series/reader.ts'
import { KIND } from '../../src/series/sample.ts'
import { SegmentCache } from '../../src/series/segment-cache.ts'
import { openStore, type TestStore } from '../series/test-store.ts'

const START_US = 1_700_000_000_000_000
const GROUPS = 20
const ROWS = 50
const FLUSHES = 5

function temporary(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'varve-files-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  return dir
}

/** A store with several segments of one bucket, each of which has all groups. */
async function filled(dir: string): Promise<TestStore> {
  const store = await openStore(new NodeDisk(dir))
  for (let flush = 0; flush < FLUSHES; flush++) {
    for (let row = 0; row < ROWS; row++) {
      for (let group = 0; group < GROUPS; group++) {
        const timeUs = START_US + (flush * ROWS + row) * 1e6
        store.write({
          group,
          timeUs,
          values: [{ field: 0, kind: KIND.number, value: Math.sin(row * group) }]
        })
      }
    }
    await store.series.flush()
  }
  return store
}

function open(store: TestStore, disk: NodeDisk, filesMax: number, onDamage: (place: string) => void) {
  const cache = new SegmentCache(disk, { filesMax, indexBytesMax: 1e6 })
  const segments = [...store.engine.manifest.segments.values()]
  const reader = new SeriesReader({ catalog: store.series.catalog, segments, heads: [] }, cache, error =>
    onDamage(`${error.file} ${error.offset}`)
  )
  return { cache, reader, segments }
}

function rowsOf(reader: SeriesReader, group: number): number {
  let rows = 0
  for (const run of reader.runs(group, null, 0, Number.MAX_SAFE_INTEGER)) rows += run.rows
  return rows
}

t.test('costOf() opens no more segments than it needs to know that it is too much', async t => {
  const dir = temporary(t)
  const store = await filled(dir)
  const { cache, reader } = open(store, new NodeDisk(dir), 10, place => t.fail(place))
  const cost = (rowsMax: number) => reader.costOf(3, 0, Number.MAX_SAFE_INTEGER, 1e6, 0, rowsMax).rows
  t.ok(cost(ROWS + 1) > ROWS + 1)
  t.equal(cache.counts.opened, 2)
  t.equal(cost(Number.POSITIVE_INFINITY), FLUSHES * ROWS)
  t.equal(cache.counts.opened, FLUSHES)
  reader.close()
  cache.close()
})

t.test('a query over a damaged segment tells it once, and everything else is read', async t => {
  for (const where of ['chunks', 'index'] as const) {
    const dir = temporary(t)
    const disk = new NodeDisk(dir)
    const store = await filled(dir)
    const told: string[] = []
    const { reader, segments, cache } = open(store, disk, 64, place => told.push(place))
    const path = join(dir, segmentPath(segments[2]!.id))
    const at = where === 'chunks' ? 600 : statSync(path).size - 200
    writeSync(openSync(path, 'r+'), Buffer.alloc(40, 0xa5), 0, 40, at)
    let rows = 0
    for (let group = 0; group < GROUPS; group++) {
      rows += rowsOf(reader, group)
      t.equal(
        reader.last(group, null, START_US + 3 * ROWS * 1e6 + 5e6)[0]!.timeUs,
        START_US + 3 * ROWS * 1e6 + 5e6
      )
      reader.last(group, null, START_US + 3 * ROWS * 1e6 - 1)
    }
    t.ok(
      where === 'index'
        ? rows === FLUSHES * ROWS * GROUPS
        : rows >= (FLUSHES - 1) * ROWS * GROUPS && rows < FLUSHES * ROWS * GROUPS,
      `${where}: ${rows} rows are read`
    )
    t.equal(told.length, new Set(told).size, `${where}: ${told}`)
    t.ok(told.length >= 1)
    t.equal(cache.counts.decoded, FLUSHES, 'each index was made once')
    cache.close()
    await store.engine.close()
  }
})

t.test('a query goes on while its segments are merged away, with one open file at most', async t => {
  const dir = temporary(t)
  const disk = new NodeDisk(dir)
  const store = await filled(dir)
  const removed: number[] = []
  const pins = new SegmentPins(id => {
    removed.push(id)
    rmSync(join(dir, segmentPath(id)))
  })
  const release = pins.pin()
  const { reader, segments, cache } = open(store, disk, 1, place => t.fail(place))
  t.equal(rowsOf(reader, 0), FLUSHES * ROWS)
  const { manifest } = store.engine
  const output = await mergeSegments(disk, segments, store.series.catalog, manifest.nextSegmentId())
  const remove = segments.map(({ id }) => id)
  await manifest.commit({ add: [output!], remove })
  pins.retire(remove)
  t.same(removed, [], 'files stay while the query runs')
  for (let group = 0; group < GROUPS; group++) t.equal(rowsOf(reader, group), FLUSHES * ROWS)
  t.equal(cache.counts.decoded, FLUSHES, 'each index is decoded once')
  t.ok(cache.counts.opened > FLUSHES, 'files were closed and opened again')
  const later = pins.pin()
  release()
  t.same(removed.sort(), remove.sort(), 'and go with it, whoever came later')
  later()
  cache.close()
  await store.engine.close()
})

t.test('SegmentPins keeps what a running query may know, and nothing longer', async t => {
  const removed: number[] = []
  const pins = new SegmentPins(id => removed.push(id))
  const [first, second] = [pins.pin(), pins.pin()]
  pins.retire([1, 2])
  const third = pins.pin()
  pins.retire([3])
  first()
  first()
  t.same(removed, [])
  second()
  t.same(removed, [1, 2])
  third()
  t.same(removed, [1, 2, 3])
  pins.retire([4])
  t.same(removed, [1, 2, 3, 4])
})
