import t from 'tap'
import type { VarveError } from '../../src/base/errors.ts'
import { WearMeter } from '../../src/disk/wear-meter.ts'
import { EAGER, LAZY, NORMAL, type WalPressure } from '../../src/engine/wal.ts'
import { FaultDisk } from '../kit/fault-disk.ts'
import { HandClock } from '../kit/hand-clock.ts'
import { anyDisk, FILE_BYTES, open, turns } from './texts.ts'

t.test('Wal.note() waits as long as the urgency allows, and shares the sync', async t => {
  const { engine, texts, clock } = await open(anyDisk())
  const synced: number[] = []
  engine.wal.onSynced(group => synced.push(group))
  const first = texts.put(engine, 'lazy', LAZY)
  await turns()
  t.same(synced, [])
  clock.advance(4000)
  await turns()
  t.same(synced, [], 'lazy data wait delayMaxLazyMs')
  t.equal(texts.put(engine, 'normal', NORMAL), first, 'one group')
  clock.advance(999)
  await turns()
  t.same(synced, [])
  clock.advance(1)
  await engine.wal.synced(first)
  t.same(synced, [first])
  t.equal(engine.wal.stats.groups, 1)
  t.equal(engine.wal.pendingBytes, 0)
  const eager = texts.put(engine, 'eager', EAGER)
  t.equal(eager, first + 1)
  await engine.wal.synced(eager)
  await engine.close()
})

t.test('Wal.synced() resolves for a waiter that came after the group was taken', async t => {
  const { engine, texts, clock } = await open(anyDisk())
  texts.put(engine, 'a', EAGER)
  await turns()
  t.equal(engine.wal.syncedGroup, 1)
  const late = engine.wal.synced(engine.wal.pendingGroup)
  await turns()
  clock.advance(1000)
  await late
  t.equal(engine.wal.stats.groups, 1, 'an empty group writes nothing')
  await engine.close()
})

t.test(
  'Wal writes one page and one sync for a small group, never a page twice, and nothing else',
  async t => {
    const meter = new WearMeter(anyDisk(), new HandClock())
    const { engine, texts } = await open(meter)
    await engine.wal.synced(texts.put(engine, 'first'))
    await turns()
    const before = { ...meter.counts.wal }
    const others = meter.totalBytes - before.bytes - before.metadataBytes
    for (let i = 0; i < 6; i++) await engine.wal.synced(texts.put(engine, `text ${i}`))
    t.equal(meter.counts.wal.bytes - before.bytes, 6 * 4096)
    t.equal(meter.counts.wal.syncs - before.syncs, 6)
    t.equal(meter.totalBytes - meter.counts.wal.bytes - meter.counts.wal.metadataBytes, others)
    await engine.close()
  }
)

t.test('Wal recycles files: in steady state none is made', async t => {
  const disk = anyDisk()
  const { engine, texts } = await open(disk)
  const names = new Set<string>()
  for (let i = 0; i < 120; i++) {
    await engine.wal.synced(texts.put(engine, 'x'.repeat(3000)))
    if (i % 10 === 9) {
      const walFile = await engine.wal.rotate()
      await engine.manifest.commit({ checkpoint: { kind: 1, walFile } })
    }
    for (const name of disk.list('wal')) names.add(name)
  }
  await engine.close()
  t.ok(names.size <= 2, [...names].join(' '))
  const again = await open(disk)
  t.same(again.texts.replayed, [], 'all is before the checkpoint; stale groups are not replayed')
  t.same(again.engine.damage, [])
})

t.test('Wal makes the first payload of an owner in each file fresh', async t => {
  const disk = anyDisk()
  const { engine, texts } = await open(disk)
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) await engine.wal.synced(texts.put(engine, 'x'.repeat(3500)))
    await engine.wal.rotate()
  }
  await engine.close()
  const again = await open(disk)
  t.same(again.texts.fresh, [true, false, false, true, false, false, true, false, false])
})

t.test('Wal makes restart points for free in a trickle', async t => {
  const disk = anyDisk()
  const { engine, texts } = await open(disk)
  for (let j = 0; j < 4; j++) await engine.wal.synced(texts.put(engine, 'small'))
  await engine.close()
  t.same((await open(disk)).texts.fresh, [true, true, true, true])
})

t.test('Wal makes few restart points in a load whose groups take many pages', async t => {
  const disk = anyDisk()
  const wal = { fileBytes: 64 * FILE_BYTES, filesMax: 4, groupBytesMax: 100_000 }
  const { engine, texts } = await open(disk, { wal })
  const pages = 12
  for (let j = 0; j < 30; j++) await engine.wal.synced(texts.put(engine, 'x'.repeat(pages * 4096 + 100)))
  await engine.close()
  const { fresh } = (await open(disk, { wal })).texts
  t.same(fresh.slice(0, 3), [true, true, false], 'the first group is one, and one before the load is known')
  t.equal(fresh.filter(Boolean).length, 2)
})

t.test('Wal takes a group larger than its files', async t => {
  const disk = anyDisk()
  const { engine, texts } = await open(disk)
  const large = 'y'.repeat(3 * FILE_BYTES)
  await engine.wal.synced(texts.put(engine, 'before'))
  await engine.wal.synced(texts.put(engine, large))
  await engine.wal.synced(texts.put(engine, 'after'))
  await engine.close()
  t.same((await open(disk)).texts.replayed, ['before', large, 'after'])
})

t.test('Wal.admit() refuses when too much is pending', async t => {
  const { engine, texts } = await open(anyDisk())
  engine.wal.admit(100_000)
  texts.put(engine, 'z'.repeat(60_000), LAZY)
  t.throws(() => engine.wal.admit(50_000), { code: 'VARVE_WAL_FULL', message: /60000 are pending/ })
  await engine.close()
})

t.test('Wal is full when every file is pinned, says so, and goes on after a checkpoint', async t => {
  const disk = anyDisk()
  const { engine, texts } = await open(disk)
  const pressures: WalPressure[] = []
  engine.wal.onPressure(pressure => pressures.push(pressure))
  let group = 0
  const sent: string[] = []
  while (!engine.wal.full) {
    sent.push(`${sent.length} ${'x'.repeat(5000)}`)
    group = texts.put(engine, sent.at(-1)!)
    await turns(3)
  }
  t.same(
    pressures.map(pressure => [pressure.filesPinned, pressure.full]),
    [
      [1, false],
      [2, false],
      [3, false],
      [4, true]
    ],
    'said once a file when two or fewer are left, and when none is'
  )
  t.match(pressures.at(-1), { full: true, filesPinned: 4, filesMax: 4, kinds: [1] })
  t.equal(disk.list('wal').length, 4)
  let done = false
  const synced = engine.wal.synced(group).then(() => {
    done = true
  })
  await turns()
  t.notOk(done, 'nothing is acknowledged')
  const walFile = await engine.wal.rotate()
  await engine.manifest.commit({ checkpoint: { kind: 1, walFile } })
  await synced
  t.notOk(engine.wal.full)
  await engine.close()
  t.same((await open(disk)).texts.replayed, sent.slice(-1))
})

t.test('Wal goes on in the files it has when the medium is full', async t => {
  const disk = new FaultDisk(anyDisk())
  const { engine, texts } = await open(disk)
  await engine.wal.synced(texts.put(engine, 'first'))
  await turns()
  disk.faults = { fullFrom: 1, path: 'wal/' }
  while (!engine.wal.full) {
    texts.put(engine, 'x'.repeat(5000))
    await turns(3)
  }
  t.match(engine.wal.pressure, { full: true, diskFull: true })
  t.equal(engine.wal.failure, null)
  await engine.manifest.commit({ checkpoint: { kind: 1, walFile: await engine.wal.rotate() } })
  await engine.wal.synced(texts.put(engine, 'goes on'))
  await engine.close()
  t.same(disk.list('wal').length, 1, 'what could not be made was removed')
})

for (const [what, faults] of [
  ['write', { writeAt: 1, path: 'wal/' }],
  ['short write', { shortWriteAt: 1, path: 'wal/' }],
  ['sync', { syncAt: 1, path: 'wal/' }]
] as const) {
  t.test(`Wal acknowledges nothing after a failed ${what}, until it is opened anew`, async t => {
    const inner = anyDisk()
    const disk = new FaultDisk(inner)
    const { engine, texts } = await open(disk)
    await engine.wal.synced(texts.put(engine, 'kept'))
    await turns()
    let told: VarveError | null = null
    engine.wal.onFailed(error => {
      told = error
    })
    Object.assign(disk, { writes: 0, syncs: 0, faults })
    const group = texts.put(engine, 'lost')
    await t.rejects(engine.wal.synced(group), { code: 'VARVE_SYNC_FAILED' })
    t.match(told, { code: 'VARVE_STORE_FAILED' })
    t.equal(engine.wal.failure, told)
    t.equal(await new Promise(resolve => engine.wal.onFailed(resolve)), told, 'who asks later is told too')
    t.throws(() => engine.wal.note(1, EAGER), { code: 'VARVE_STORE_FAILED' })
    t.throws(() => engine.wal.admit(1), { code: 'VARVE_STORE_FAILED' })
    await t.rejects(engine.wal.synced(group), { code: 'VARVE_SYNC_FAILED' })
    t.throws(() => engine.wal.rotate(), { code: 'VARVE_STORE_FAILED' })
    t.equal(engine.wal.syncedGroup, group - 1)
    await engine.close()
    const again = await open(inner)
    t.equal(again.texts.replayed[0], 'kept')
    await again.engine.wal.synced(again.texts.put(again.engine, 'sound'))
    await again.engine.close()
    const after = await open(inner.afterCut())
    t.equal(after.texts.replayed.at(-1), 'sound')
    t.same(after.engine.damage, [], 'what the failure left is no hole')
  })
}
