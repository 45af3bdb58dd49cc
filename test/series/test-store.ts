// A series store over an engine on any Disk, with its jobs run inline: what the daemon composes, without
// threads, so that crash tests can put a simulated disk below it.
import { CorruptionError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import type { Disk } from '../../src/disk/disk.ts'
import { Engine } from '../../src/engine/engine.ts'
import { CATALOG } from '../../src/engine/file-names.ts'
import type { SegmentInfo } from '../../src/engine/manifest-edit.ts'
import { RecordFile } from '../../src/engine/record-file.ts'
import type { FlushEdit } from '../../src/series/flush-cycle.ts'
import { countTargets, flushHead } from '../../src/series/flush-job.ts'
import { HeadReader } from '../../src/series/head-read.ts'
import { makeLabels } from '../../src/series/label.ts'
import { mergeSegments } from '../../src/series/merge-job.ts'
import { planMerge } from '../../src/series/merge-plan.ts'
import { SeriesReader } from '../../src/series/reader.ts'
import { SegmentCache } from '../../src/series/segment-cache.ts'
import { SeriesStore } from '../../src/series/store.ts'
import type { ModelRow } from './model.ts'

const CATALOG_OWNER = 2
const HOUR_US = 3_600_000_000

export interface TestStore {
  readonly engine: Engine
  readonly series: SeriesStore
  readonly damage: Error[]
  /** Appends a row of the model; its group is the topic `g<group>`. */
  write(row: ModelRow): void
  /** Resolves when all that was written is on the medium. */
  synced(): Promise<void>
  reader(): TestReader
}

export interface TestReader {
  readonly source: TestSource
  /** Whether the model's group has ever been written. */
  hasGroup(group: number): boolean
}

/** Reads by the model's numbers of groups and fields. */
class TestSource {
  readonly reader: SeriesReader
  private readonly store: SeriesStore
  constructor(reader: SeriesReader, store: SeriesStore) {
    this.reader = reader
    this.store = store
  }
  id(group: number): number {
    return Array.from({ length: this.store.catalog.groupCount }, (_, id) =>
      this.store.catalog.at(id)
    ).findIndex(one => one.labels[0]?.[1] === `g${group}`)
  }
  fields(group: number): number[] {
    return this.store.catalog.at(this.id(group)).fields.map(field => Number(field.slice(1)))
  }
  *runs(group: number, fields: readonly number[] | null, fromUs: number, toUs: number) {
    const names = this.fields(group)
    for (const run of this.reader.runs(this.id(group), fields, fromUs, toUs)) {
      const columns = run.columns.map(column => ({ ...column, field: names[column.field]! }))
      yield { ...run, columns: columns.sort((a, b) => a.field - b.field || a.kind - b.kind) }
    }
  }
  last(group: number, toUs: number) {
    const names = this.fields(group)
    return this.reader.last(this.id(group), null, toUs).map(last => ({ ...last, field: names[last.field]! }))
  }
  close(): void {
    this.reader.close()
  }
}

export async function openStore(
  disk: Disk,
  anyU32 = () => new Random(1).u32(),
  wal = { fileBytes: 65_536, filesMax: 8 }
): Promise<TestStore> {
  const damage: Error[] = []
  const series = new SeriesStore({
    limits: { seriesMax: 10_000, fieldsPerGroupMax: 100 },
    classes: [{ name: 'default', keepUs: Number.POSITIVE_INFINITY, spanUs: HOUR_US }],
    classify: () => 0,
    flushBytes: 2 ** 30,
    headBytesMax: 2 ** 31,
    onLate: () => {},
    onFull: () => {},
    // Readers of tests may outlive a flush: pages are not used again.
    afterReaders: () => {},
    onCorruption: error => damage.push(error)
  })
  const open = () =>
    RecordFile.open({
      disk,
      path: CATALOG,
      cause: 'catalog',
      owner: CATALOG_OWNER,
      anySalt: anyU32,
      onRecord: (_, payload) => series.definitions.take(payload)
    })
  const catalogFile = await open()
  const engine = await Engine.open({ disk, owners: [series], anyU32, wal })
  damage.push(...engine.damage)
  const { manifest } = engine
  const storage = {
    rotate: () => engine.wal.rotate(),
    commit: (edit: FlushEdit) => manifest.commit({ ...edit, notes: [...edit.notes] }),
    get pendingGroup() {
      return engine.wal.pendingGroup
    }
  }
  series.start(storage, catalogFile, {
    flush(view, classes) {
      const head = new HeadReader(view, series.shapes)
      const ids = Array.from({ length: countTargets(head, classes) }, () => manifest.nextSegmentId())
      return flushHead(disk, head, series.catalog, classes, { ids, order: ids[0] ?? 0 })
    }
  })
  const encode = new TextEncoder()
  return {
    engine,
    series,
    damage,
    write(row) {
      const labels = makeLabels([['topic', `g${row.group}`]])
      const fields = row.values.map(value => `f${value.field}`)
      series.begin(
        series.shape(
          '',
          labels,
          fields,
          row.values.map(value => value.kind)
        ),
        row.timeUs
      )
      row.values.forEach(({ value }, i) => {
        if (typeof value === 'number') series.slots[series.at + i] = value
        else if (typeof value === 'boolean') series.slots[series.at + i] = value ? 1 : 0
        else {
          const bytes = typeof value === 'string' ? encode.encode(value) : value
          series.text(i, bytes, 0, bytes.length)
        }
      })
      series.end()
      engine.wal.note(20, 1)
    },
    async synced() {
      engine.wal.note(0, 2)
      await engine.wal.synced(engine.wal.pendingGroup)
    },
    reader() {
      const cache = new SegmentCache(disk, { filesMax: 1000, indexBytesMax: 1e6 })
      const heads = series.views().map(view => new HeadReader(view, series.shapes))
      const segments = [...manifest.segments.values()]
      for (const info of segments) holdOpen(cache, info)
      const reader = new SeriesReader({ catalog: series.catalog, segments, heads }, cache, error =>
        damage.push(error)
      )
      const source = new TestSource(reader, series)
      return {
        source,
        hasGroup: group => source.id(group) >= 0
      }
    }
  }
}

/** Keeps a segment readable when its file is removed; of one that cannot be read the reader tells. */
function holdOpen(cache: SegmentCache, info: SegmentInfo): void {
  try {
    cache.open(info)
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error
  }
}

/** Merges until the planner has nothing left, all buckets counting as closed. */
export async function mergeAll(store: TestStore, disk: Disk): Promise<void> {
  const { manifest } = store.engine
  for (;;) {
    const job = planMerge(manifest.segments.values(), Number.MAX_SAFE_INTEGER)
    if (job === null) return
    const output = await mergeSegments(disk, job.inputs, store.series.catalog, manifest.nextSegmentId())
    const remove = job.inputs.map(input => input.id)
    await manifest.commit({ add: output === null ? [] : [output], remove })
    for (const id of remove) await store.engine.removeFile(id)
  }
}
