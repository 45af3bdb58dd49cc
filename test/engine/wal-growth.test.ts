// How WAL files grow, what happens when the medium has no room for it, and how the end of a file is read.
import t from 'tap'
import { WearMeter } from '../../src/disk/wear-meter.ts'
import { walPath } from '../../src/engine/file-names.ts'
import { EAGER, LAZY } from '../../src/engine/wal.ts'
import { type Group, readGroup, wholePages } from '../../src/engine/wal-record.ts'
import type { CrashDisk } from '../kit/crash-disk.ts'
import { FaultDisk } from '../kit/fault-disk.ts'
import { HandClock } from '../kit/hand-clock.ts'
import { anyDisk, open, turns } from './texts.ts'

/** The groups of a file, from its start. */
function groupsOf(disk: CrashDisk, path: string): Group[] {
  const bytes = disk.bytesOf(path)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const groups: Group[] = []
  for (let at = 0; ; at += wholePages(groups.at(-1)!.bytes)) {
    const group = readGroup(path, bytes, view, at, null)
    if (group === null) return groups
    groups.push(group)
  }
}

const growing = { fileBytes: 1 << 20, aheadBytes: 16_384, filesMax: 4, groupBytesMax: 1 << 20 }

t.test('Wal writes each byte of large groups once, into a file that grows under them', async t => {
  const disk = anyDisk()
  const meter = new WearMeter(disk, new HandClock())
  const { engine, texts } = await open(meter, { wal: growing })
  for (let i = 0; i < 10; i++) await engine.wal.synced(texts.put(engine, 'x'.repeat(60_000)))
  await turns()
  const groups = groupsOf(disk, walPath(1))
  t.same(
    groups.map(group => group.grew),
    Array(10).fill(true)
  )
  const ahead = meter.counts.wal.bytes - 10 * 61_440
  t.ok(ahead <= 4 * 16_384, `${ahead} bytes were written ahead, before the groups were known to be large`)
  t.equal(engine.wal.fileBytes, disk.bytesOf(walPath(1)).length)
  await engine.close()
  const again = await open(disk, { wal: growing })
  const { groupBytes, fileBytes, grownBytes } = again.engine.since
  const found = groupBytes + fileBytes - grownBytes
  const missed = meter.counts.wal.bytes - found
  t.ok(missed >= 0 && missed <= ahead, 'a later process finds all but what a growing group overwrote in part')
  t.equal(again.texts.replayed.length, 10)
})

t.test('Wal writes ahead of small groups, so that none of them lets its file grow', async t => {
  const disk = anyDisk()
  const { engine, texts } = await open(disk, { wal: growing })
  for (let i = 0; i < 100; i++) {
    await engine.wal.synced(texts.put(engine, `small ${i}`))
    await turns(3)
  }
  t.ok(groupsOf(disk, walPath(1)).every(group => !group.grew))
  t.ok(disk.bytesOf(walPath(1)).length <= (100 + 8) * 4096, 'no more than two pieces ahead')
  const large = engine.wal.synced(texts.put(engine, 'y'.repeat(50_000)))
  await large
  await engine.wal.synced(texts.put(engine, 'last'))
  await engine.close()
  t.same(
    groupsOf(disk, walPath(1)).map(group => group.grew),
    [...Array(100).fill(false), true, false]
  )
  t.same((await open(disk)).texts.replayed.slice(100), ['y'.repeat(50_000), 'last'])
})

t.test('Wal holds a group for which the medium has no room, and writes it when there is', async t => {
  for (const flushes of [false, true]) {
    const disk = new FaultDisk(anyDisk())
    const { engine, texts, clock } = await open(disk, { wal: growing })
    const first = 'x'.repeat(60_000)
    await engine.wal.synced(texts.put(engine, first))
    await turns()
    disk.faults = { fullFrom: disk.grows + 1, path: 'wal/' }
    let done = false
    const held = 'y'.repeat(60_000)
    const synced = engine.wal.synced(texts.put(engine, held)).then(() => {
      done = true
    })
    await turns()
    t.match(engine.wal.pressure, { full: true, diskFull: true })
    const next = engine.wal.synced(texts.put(engine, 'next', LAZY))
    t.throws(() => engine.wal.admit(2 << 20), { code: 'VARVE_WAL_FULL', message: /the medium is full/ })
    const checkpoint = { kind: 1, walFile: flushes ? await engine.wal.rotate() : 1 }
    await engine.manifest.commit({ checkpoint })
    for (let i = 0; i < 3; i++) {
      clock.advance(1000)
      await turns()
    }
    t.notOk(done, 'nothing is acknowledged')
    t.equal(engine.wal.failure, null)
    disk.faults = {}
    clock.advance(1000)
    await synced
    clock.advance(1000)
    await next
    t.notOk(engine.wal.full)
    await engine.close()
    const again = await open(disk, { wal: growing })
    t.same(again.texts.replayed, flushes ? [] : [first, held, 'next'])
    t.same(again.engine.damage, [])
  }
})

t.test('Wal ends when what it writes ahead fails', async t => {
  const disk = new FaultDisk(anyDisk())
  const { engine, texts } = await open(disk, { wal: growing })
  for (let i = 0; i < 2; i++) await engine.wal.synced(texts.put(engine, `small ${i}`))
  await turns()
  Object.assign(disk, { writes: 0, faults: { writeAt: 2, path: 'wal/' } })
  const group = texts.put(engine, 'third: half of the piece is used up')
  await engine.wal.synced(group).catch(() => {})
  await turns()
  t.match(engine.wal.failure, { code: 'VARVE_STORE_FAILED' })
  t.throws(() => engine.wal.note(1, EAGER), { code: 'VARVE_STORE_FAILED' })
  await engine.close()
})

t.test('Engine.open() names damage in the newest group, which a clean end or any commit proved', async t => {
  for (const closes of [true, false]) {
    const disk = anyDisk()
    const { engine, texts } = await open(disk)
    for (let i = 0; i < 3; i++) await engine.wal.synced(texts.put(engine, `text ${i}`))
    if (closes) await engine.close()
    else await engine.manifest.commit({ notes: [['any', new Uint8Array(1)]] })
    disk.flip(walPath(1), 2 * 4096 + 36, 0x30)
    const again = await open(disk)
    t.same(again.texts.replayed, ['text 0', 'text 1'])
    t.match(again.engine.damage, [{ file: walPath(1), offset: 8192, why: /groups 3 to 3/ }])
    t.match(again.texts.losses, [{ offset: 8192 }])
    await again.engine.wal.synced(again.texts.put(again.engine, 'after'))
    await again.engine.close()
    const after = await open(disk)
    t.same(after.texts.replayed, ['text 0', 'text 1', 'after'])
    t.equal(after.engine.damage.length, 1, 'named as long as the file is needed')
    await after.engine.manifest.commit({ checkpoint: { kind: 1, walFile: await after.engine.wal.rotate() } })
    await after.engine.close()
    t.same((await open(disk)).engine.damage, [])
  }
})

t.test('Engine.open() names a WAL file that was cut short or is gone at its end', async t => {
  const disk = anyDisk()
  const { engine, texts } = await open(disk, { wal: growing })
  for (let i = 0; i < 3; i++) await engine.wal.synced(texts.put(engine, 'x'.repeat(60_000)))
  await engine.close()
  await disk.remove(walPath(1))
  const again = await open(disk, { wal: growing })
  t.match(again.engine.damage, [{ why: /groups to 3 were synced/ }])
  t.equal(again.texts.losses.length, 1)
})
