import t from 'tap'
import { ByteWriter } from '../../src/base/bytes.ts'
import { VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { Engine } from '../../src/engine/engine.ts'
import { MANIFEST, segmentPath } from '../../src/engine/file-names.ts'
import { Manifest, type SegmentInfo } from '../../src/engine/manifest.ts'
import { getEdit, type ManifestEdit, putEdit } from '../../src/engine/manifest-edit.ts'
import { RecordFile } from '../../src/engine/record-file.ts'
import { SegmentWriter } from '../../src/engine/segment-writer.ts'
import { CrashDisk } from '../kit/crash-disk.ts'
import { FaultDisk } from '../kit/fault-disk.ts'
import { seeds } from '../kit/seeds.ts'

const FACTS = { order: 1, timeMinUs: 10, timeMaxUs: 20, samples: 3, level: 0, boot: 0 }

const open = (disk: CrashDisk | FaultDisk, readOnly = false): Promise<Manifest> =>
  Manifest.open({ disk, readOnly, anySalt: () => 77, onCheckpoint: () => {} })

async function addSegment(disk: CrashDisk, manifest: Manifest): Promise<SegmentInfo> {
  const id = manifest.nextSegmentId()
  const header = { id, family: 1, class: 'c', bucketUs: 0, spanUs: 100 }
  const writer = await SegmentWriter.create(disk, segmentPath(id), 'segment', header)
  writer.block(1, new Uint8Array(100))
  const info = await writer.finish(new Uint8Array(0), FACTS)
  await manifest.commit({ add: [info] })
  return info
}

const engineOn = (disk: CrashDisk, readOnly = false): Promise<Engine> =>
  Engine.open({ disk, owners: [], readOnly, wal: { fileBytes: 4096 } })

t.test('Manifest gives back what was committed', async t => {
  const disk = new CrashDisk(new Random(1))
  const manifest = await open(disk)
  const one = await addSegment(disk, manifest)
  const two = await addSegment(disk, manifest)
  await manifest.commit({
    remove: [one.id],
    checkpoint: { kind: 1, walFile: 5 },
    checkpoints: [{ kind: 2, walFile: 6 }],
    notes: [
      ['a', new Uint8Array([1])],
      ['b', new Uint8Array([2])]
    ]
  })
  await manifest.commit({ notes: [['a', null]] })
  const again = await open(disk.afterCut())
  t.same([...again.segments.values()], [two])
  t.same([...again.checkpoints], [...manifest.checkpoints])
  t.same(again.note('a'), undefined)
  t.same(again.note('b'), new Uint8Array([2]))
  t.equal(again.nextSegmentId(), 3, 'ids are never given out twice')
})

t.test('Manifest.commit() shares syncs among commits of one turn', async t => {
  const disk = new FaultDisk(new CrashDisk(new Random(1)))
  const manifest = await open(disk)
  const before = disk.syncs
  await Promise.all(
    Array.from({ length: 50 }, (_, i) => manifest.commit({ notes: [[`n${i}`, new Uint8Array(1)]] }))
  )
  t.equal(disk.syncs - before, 1)
})

t.test('Manifest stays small however many commits', async t => {
  const disk = new CrashDisk(new Random(1))
  const manifest = await open(disk)
  for (let i = 0; i < 300; i++) await manifest.commit({ notes: [['ledger', new Uint8Array(1000).fill(i)]] })
  t.ok(disk.facts(MANIFEST)!.bytes < 80_000)
  t.same((await open(disk)).note('ledger'), new Uint8Array(1000).fill(299))
})

t.test('Manifest.commit() fails with a failed sync, and the next one makes the file anew', async t => {
  const disk = new FaultDisk(new CrashDisk(new Random(1)))
  const manifest = await open(disk)
  disk.faults = { syncAt: disk.syncs + 1 }
  await t.rejects(manifest.commit({ notes: [['a', new Uint8Array(1)]] }), { code: 'VARVE_IO' })
  t.equal(manifest.note('a'), undefined)
  await manifest.commit({ notes: [['b', new Uint8Array(1)]] })
  const again = await open(disk)
  t.same([again.damage.length, again.note('a'), again.note('b')?.length], [0, undefined, 1])
})

t.test('Engine.open() removes segment files that no edit names, but not when it only reads', async t => {
  const disk = new CrashDisk(new Random(1))
  const engine = await engineOn(disk)
  await addSegment(disk, engine.manifest)
  const orphan = await SegmentWriter.create(disk, segmentPath(9), 'segment', {
    id: 9,
    family: 1,
    class: 'c',
    bucketUs: 0,
    spanUs: 1
  })
  await orphan.finish(new Uint8Array(0), FACTS)
  await engine.close()
  await engineOn(disk, true)
  t.ok(disk.exists(segmentPath(9)))
  const again = await engineOn(disk)
  t.notOk(disk.exists(segmentPath(9)))
  t.ok(disk.exists(segmentPath(1)))
  t.equal(again.manifest.nextSegmentId(), 10)
})

t.test('Engine.open() reports a segment whose file is missing and goes on', async t => {
  const disk = new CrashDisk(new Random(1))
  const engine = await engineOn(disk)
  await addSegment(disk, engine.manifest)
  await addSegment(disk, engine.manifest)
  await engine.close()
  await disk.remove(segmentPath(1))
  const again = await engineOn(disk)
  t.match(again.damage, [
    { file: MANIFEST, why: /an edit is missing at its end: 1 of its segments have no file/ },
    { file: segmentPath(1), why: /missing/ }
  ])
  t.same([...again.manifest.segments.keys()], [2])
})

t.test('Engine.open() finds the segments again when the manifest is damaged', async t => {
  for (const seed of seeds(60)) {
    const random = new Random(seed)
    const disk = new CrashDisk(random)
    const engine = await engineOn(disk)
    for (let i = 0; i < 5; i++) await addSegment(disk, engine.manifest)
    await engine.manifest.commit({ remove: [2] })
    await engine.removeFile(2)
    await engine.close()
    // Not the last record: damage there cannot be told from a torn tail (test/crash/torn-edit.test.ts).
    const end = disk.facts(MANIFEST)!.bytes - 20
    disk.flip(MANIFEST, random.below(end), 1 << random.below(8))
    const reader = await engineOn(disk, true)
    t.same([...reader.manifest.segments.keys()].sort(), [1, 3, 4, 5], `VARVE_SEED=${seed} reading only`)
    const again = await engineOn(disk)
    t.same([...again.manifest.segments.keys()].sort(), [1, 3, 4, 5], `VARVE_SEED=${seed}`)
    t.match(again.damage[0], { file: MANIFEST }, `VARVE_SEED=${seed}`)
    t.same(disk.list('quarantine'), [MANIFEST])
    await again.close()
    const sound = await engineOn(disk.afterCut())
    t.same([...sound.manifest.segments.keys()].sort(), [1, 3, 4, 5])
    t.same(sound.damage, [], 'reported once, then repaired')
  }
})

t.test('Engine.open() keeps segments when the manifest is gone', async t => {
  const disk = new CrashDisk(new Random(1))
  const engine = await engineOn(disk)
  for (let i = 0; i < 3; i++) await addSegment(disk, engine.manifest)
  await engine.close()
  await disk.remove(MANIFEST)
  const first = await engineOn(disk)
  t.same([...first.manifest.segments.keys()], [1, 2, 3])
  t.match(first.damage, [{ file: MANIFEST, why: /missing/ }])
  await t.rejects(engineOn(new CrashDisk(new Random(1)), true), { code: 'VARVE_NOT_FOUND' })
})

t.test('getEdit() gives back what putEdit() took, and takes any bytes without harm', async t => {
  for (const seed of seeds(300)) {
    const random = new Random(seed)
    const edit: ManifestEdit = {
      add: Array.from({ length: random.below(3) }, (_, id) => ({
        ...FACTS,
        id,
        family: 2,
        class: 'é',
        bucketUs: -1e15,
        spanUs: 1,
        bytes: 2 ** 40
      })),
      remove: Array.from({ length: random.below(3) }, () => random.u32()),
      checkpoints: random.chance(0.5) ? [{ kind: 3, walFile: random.u32() }] : [],
      notes: random.chance(0.5)
        ? [
            ['k', null],
            ['v', new Uint8Array([random.below(256)])]
          ]
        : [],
      ...(random.chance(0.5) ? { lastId: random.u32() } : {})
    }
    const out = new ByteWriter()
    putEdit(out, edit)
    t.same(getEdit(out.written()), edit, `VARVE_SEED=${seed}`)
    const bytes = out.copy()
    for (let i = 0; i < 3 && bytes.length > 0; i++) bytes[random.below(bytes.length)] = random.u32()
    try {
      getEdit(bytes.subarray(0, random.below(bytes.length + 1)))
    } catch (error) {
      if (!(error instanceof VarveError)) t.fail(`VARVE_SEED=${seed} ${error}`)
    }
  }
})

t.test('RecordFile keeps a prefix that holds all that was synced, over any number of cuts', async t => {
  for (const seed of seeds(150)) {
    const random = new Random(seed)
    const sent: number[] = []
    let synced = 0
    let disk = new CrashDisk(random, 5 + random.below(20))
    for (let life = 0; life < 5; life++) {
      const found: number[] = []
      try {
        const file = await RecordFile.open({
          disk,
          path: 'r',
          cause: 'catalog',
          owner: 2,
          anySalt: () => random.u32(),
          onRecord: (kind, payload) => found.push(kind * 1000 + payload.length)
        })
        const wrong = found.length < synced || found.some((n, i) => n !== sent[i]) || file.damage.length > 0
        if (wrong) t.fail(`VARVE_SEED=${seed} life ${life}: ${found.length} of ${synced}, ${file.damage}`)
        sent.length = found.length
        for (let i = 0; i < 30; i++) {
          for (let j = random.below(3); j >= 0; j--) {
            const [kind, length] = [1 + random.below(9), random.below(900)]
            file.append(
              kind,
              new Uint8Array(length).map(() => random.u32())
            )
            sent.push(kind * 1000 + length)
          }
          await file.sync()
          synced = sent.length
        }
      } catch (error) {
        if (!(error instanceof VarveError)) throw error
      }
      disk = disk.afterCut(3 + random.below(25))
    }
  }
  t.pass('150 seeds of 5 lives')
})

t.test('RecordFile never reads stale records behind a torn tail that was written over', async t => {
  const disk = new CrashDisk(new Random(1))
  const found: number[] = []
  const openIt = (): Promise<RecordFile> =>
    RecordFile.open({
      disk,
      path: 'r',
      cause: 'catalog',
      owner: 2,
      anySalt: () => 5,
      onRecord: (_kind, payload) => found.push(payload[0]!)
    })
  const file = await openIt()
  for (const n of [1, 2]) file.append(1, new Uint8Array(50).fill(n))
  await file.sync()
  // As a cut leaves it: of one unsynced write the first record is torn and the second landed.
  disk.flip('r', 16 + 20, 1)
  const again = await openIt()
  again.append(1, new Uint8Array(50).fill(3))
  await again.sync()
  await openIt()
  t.same(found, [3])
})

t.test(
  'Manifest removes the files of a commit that failed once it is sure that no edit names them',
  async t => {
    for (const failing of ['writeAt', 'syncAt', 'shortWriteAt'] as const) {
      const inner = new CrashDisk(new Random(1))
      const disk = new FaultDisk(inner)
      const manifest = await open(disk)
      const kept = await addSegment(inner, manifest)
      Object.assign(disk, { writes: 0, syncs: 0, faults: { [failing]: 1, path: MANIFEST } })
      await t.rejects(addSegment(inner, manifest), { code: 'VARVE_IO' })
      const orphan = segmentPath(kept.id + 1)
      t.ok(inner.exists(orphan), 'the edit may be on the medium: its file stays')
      await manifest.commit({ notes: [['any', new Uint8Array(1)]] })
      t.notOk(inner.exists(orphan))
      t.ok(inner.exists(segmentPath(kept.id)))
      await manifest.close()
      const engine = await engineOn(inner)
      t.same([...engine.manifest.segments.keys()], [kept.id])
      t.same(engine.damage, [])
      await engine.close()
    }
  }
)
