// A cut in an edit of the manifest: the edit never was, and neither were the segments that it was to name, however
// whole their files are. Half of an edit would be a state that never was: segments without the checkpoint, the
// notes and the other segments that belong to them. Only proof that durable edits are missing adopts segments.
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { Engine } from '../../src/engine/engine.ts'
import { MANIFEST, SEGMENT_DIR, WAL_DIR } from '../../src/engine/file-names.ts'
import { NORMAL } from '../../src/engine/wal.ts'
import { HOUR_US } from '../../src/rollup/progress.ts'
import { KIND } from '../../src/series/sample.ts'
import { CrashDisk } from '../kit/crash-disk.ts'
import { HandClock } from '../kit/hand-clock.ts'
import { Ledger } from '../kit/ledger.ts'
import type { Medium } from '../kit/medium.ts'
import { readAll, readRuns } from '../kit/sent-rows.ts'
import { InlineStore, TIERS } from '../kit/series-store.ts'

const START_US = 1_700_000_000_000_000

const open = (disk: CrashDisk, clock = new HandClock(START_US)): Promise<InlineStore> =>
  InlineStore.open({
    disk,
    random: new Random(1),
    clock,
    onError: error => {
      throw error
    }
  })

const row = (timeUs: number, value: number) => ({
  group: 0,
  timeUs,
  values: [{ field: 0, kind: KIND.number, value }]
})

/**
 * Does `late` while the WAL turns for a flush: too late for the group that is being synced, in time for the segment.
 * Gives what a cut finds that tears the flush's edit and takes the next group.
 */
async function tornEdit(
  disk: CrashDisk,
  flush: () => Promise<unknown>,
  late: () => void
): Promise<CrashDisk> {
  // What is written ahead of groups is written by then.
  await new Promise(setImmediate)
  let walSteps = 0
  let cut: Medium | null = null
  disk.watch = path => {
    // The write of the pending group, then its sync.
    if (path.startsWith(WAL_DIR) && ++walSteps === 2) {
      disk.plant = { forgetsSync: forgotten => forgotten.startsWith(WAL_DIR) }
      late()
    }
    if (path === MANIFEST) cut ??= disk.medium.copy()
  }
  await flush()
  disk.kill()
  const found = new CrashDisk(new Random(1), Infinity, cut!.land('lost', new Random(1)))
  const manifest = await found.openWrite(MANIFEST, 'manifest')
  await manifest.write(new Uint8Array(5), manifest.size())
  await manifest.sync()
  return found
}

/** A store whose flush of entries holds a batch that no group of the WAL has, cut before its edit. */
async function cutFlush(): Promise<CrashDisk> {
  const disk = new CrashDisk(new Random(1))
  const store = await open(disk)
  const { kv } = store.storage
  kv.put('a', 'k', Buffer.from('old'))
  await store.synced()
  return tornEdit(
    disk,
    () => {
      kv.put('a', 'other', Buffer.from('x'))
      return kv.flush('segment')
    },
    () => {
      kv.batch(['a', 'b'].map(ns => ({ op: 'put', ns, key: 'k', value: Buffer.from('new') })))
    }
  )
}

function entriesOf(store: InlineStore): string[] {
  return ['a', 'b'].flatMap(ns =>
    [...store.storage.kv.scan(ns)].map(({ keyText, value }) => `${ns}/${keyText} ${Buffer.from(value)}`)
  )
}

t.test('a store whose flush of entries lost its edit shows all of a batch or nothing', async t => {
  const found = await cutFlush()
  t.equal(found.list(SEGMENT_DIR).length, 1, 'the segment is whole')
  const again = await open(found)
  t.equal(found.list(SEGMENT_DIR).length, 0, 'and nobody names it')
  t.same(entriesOf(again), ['a/k old', 'a/other x'])
  t.same(again.damage, [])
})

t.test('a store that adopts a segment of entries takes nothing older from the WAL', async t => {
  const found = await cutFlush()
  found.flip(MANIFEST, 0, 1)
  const again = await open(found)
  t.match(again.damage, [{ file: MANIFEST }])
  t.same(entriesOf(again), ['a/k new', 'a/other x', 'b/k new'])
})

/** A store with one row, which rollups have passed by an hour. */
async function rolledUp() {
  const disk = new CrashDisk(new Random(1))
  const clock = new HandClock(START_US)
  const store = await open(disk, clock)
  store.write(row(START_US, 1), NORMAL)
  await store.synced()
  clock.advance((2 * HOUR_US) / 1000)
  await store.maintenance.rollup(TIERS)
  return { disk, clock, store }
}

t.test('a store whose flush of rows lost its edit has no rows that rollups never heard of', async t => {
  const { disk, clock, store } = await rolledUp()
  const found = await tornEdit(
    disk,
    () => {
      store.write(row(START_US + 1, 2), NORMAL)
      return store.storage.series.flush()
    },
    () => store.write(row(START_US + HOUR_US, 3), NORMAL)
  )
  t.equal(found.list(SEGMENT_DIR).length, 4, 'two of tiers and two of the flush')
  const again = await open(found, clock)
  t.equal(found.list(SEGMENT_DIR).length, 2)
  const raw = again.read(reader => readRuns(reader, again.storage.series.catalog.groupCount))
  t.equal(again.read(reader => readAll(reader, 1)).size, 2, 'the rows that were in the WAL')
  t.same(again.wrongWindows(0, raw), [])
})

t.test('a store that adopts segments of rows takes them for late where rollups are past them', async t => {
  const { disk, clock, store } = await rolledUp()
  store.write(row(START_US + HOUR_US, 2), NORMAL)
  const before = disk.facts(MANIFEST)!.bytes
  await store.storage.series.flush()
  await store.storage.kv.flush()
  // The edit of the flush, which another follows; and what the WAL says of late rows is gone.
  disk.flip(MANIFEST, before + 20, 1)
  for (const name of disk.list(WAL_DIR)) await disk.remove(`${WAL_DIR}/${name}`)
  for (const found of [disk.afterKill(), disk.afterKill()]) {
    const again = await open(found, clock)
    const raw = again.read(reader => readRuns(reader, again.storage.series.catalog.groupCount))
    t.equal(again.read(reader => readAll(reader, 1)).size, 2)
    t.same(again.wrongWindows(0, raw), [])
    t.same([...again.storage.progress.dirty.values()], ['all', 'all'])
    await again.close()
  }
})

/** A store of numbered entries with one flush, whose edit is the newest. */
async function flushed(
  groups: readonly number[]
): Promise<{ disk: CrashDisk; engine: Engine; ledger: Ledger }> {
  const disk = new CrashDisk(new Random(1))
  const { engine, ledger } = await openLedger(disk)
  for (const entries of groups) {
    let group = 0
    for (let i = 0; i < entries; i++) group = ledger.append(engine, NORMAL)
    await engine.wal.synced(group)
    await engine.wal.rotate()
  }
  await ledger.flush(engine, disk)
  return { disk, engine, ledger }
}

async function openLedger(disk: CrashDisk): Promise<{ engine: Engine; ledger: Ledger }> {
  const ledger = new Ledger(1)
  const wal = { fileBytes: 65_536, aheadBytes: 4096, filesMax: 4 }
  const engine = await Engine.open({
    disk,
    owners: [ledger],
    clock: new HandClock(),
    wal,
    pace: { delayMaxMs: 0 }
  })
  ledger.load(engine, disk)
  return { engine, ledger }
}

const damageLastEdit = (disk: CrashDisk): void => disk.flip(MANIFEST, disk.facts(MANIFEST)!.bytes - 1, 1)

t.test('a store whose newest edit is damaged reads from the WAL what the edit let go', async t => {
  const { disk, ledger } = await flushed([20, 20])
  damageLastEdit(disk)
  const again = await openLedger(disk.afterKill())
  t.equal(again.ledger.next, ledger.next)
  t.equal(again.engine.manifest.segments.size, 0)
  t.same(again.engine.damage, [])
})

t.test(
  'a store whose newest edit is damaged adopts its segments when any WAL file was used again',
  async t => {
    // Of the files that the flush let go the first or, for a group that it is too small for, another is used again.
    for (const [first, wants] of [
      [1, 'WAL file 1 is needed and 2 is what follows'],
      [20, 'WAL file 2 is needed and 3 is what follows']
    ] as const) {
      const { disk, engine, ledger } = await flushed([1, 60])
      for (let i = 0; i < first; i++) ledger.append(engine, NORMAL)
      await engine.wal.synced(engine.wal.pendingGroup)
      damageLastEdit(disk)
      for (const readOnly of [true, false]) {
        const numbers = new Ledger(1)
        const found = await Engine.open({ disk, owners: [numbers], readOnly, clock: new HandClock() })
        numbers.load(found, disk)
        t.equal(numbers.next, ledger.next, `${first} entries, reading only: ${readOnly}`)
        t.match(found.damage, [{ file: MANIFEST, why: new RegExp(wants) }])
        t.equal(found.manifest.adopted.length, 1)
      }
    }
  }
)
