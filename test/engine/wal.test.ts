import t from 'tap'
import { ByteWriter } from '../../src/base/bytes.ts'
import type { VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { WearMeter } from '../../src/disk/wear-meter.ts'
import { walPath } from '../../src/engine/file-names.ts'
import { EAGER, LAZY, NORMAL, type WalPressure } from '../../src/engine/wal.ts'
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
import { FaultDisk } from '../kit/fault-disk.ts'
import { HandClock } from '../kit/hand-clock.ts'
import { anyDisk, FILE_BYTES, open, Texts, turns } from './texts.ts'

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
    for (let i = 0; i < 7; i++) await engine.wal.synced(texts.put(engine, `text ${i}`))
    t.equal(meter.counts.wal.bytes - before.bytes, 7 * 4096)
    t.equal(meter.counts.wal.syncs - before.syncs, 7)
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
