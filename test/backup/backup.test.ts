// A backup of a store that goes on living is the store at some moment, with all that was acknowledged before; one
// that was cut is none; a damaged one is refused by the name of the file.
import t from 'tap'
import { BACKUP, parseBackup, readBackup } from '../../src/backup/backup-file.ts'
import { type BackupOptions, makeBackup } from '../../src/backup/make-backup.ts'
import { restoreBackup } from '../../src/backup/restore.ts'
import { Random } from '../../src/base/random.ts'
import { MANIFEST } from '../../src/engine/file-names.ts'
import { KV_KIND } from '../../src/kv/host.ts'
import { FAMILY_SERIES } from '../../src/series/family.ts'
import { CrashDisk } from '../kit/crash-disk.ts'
import { seeds } from '../kit/seeds.ts'
import { copyFacts, nothingYet, type SeriesFacts, SeriesLife } from '../kit/series-life.ts'
import { Verdict } from '../kit/verdict.ts'

const NAME = 'restored'

function optionsOf(source: CrashDisk, target: CrashDisk, more: Partial<BackupOptions> = {}): BackupOptions {
  const owners = [FAMILY_SERIES, KV_KIND]
  return { source, target, link: async () => false, owners, nowUs: () => 5, verify: false, ...more }
}

const sound = (random: Random) => new CrashDisk(random)

/** The disk of a directory restored into `parent`. */
function restoredOf(parent: CrashDisk): CrashDisk {
  const disk = new CrashDisk(new Random(1))
  for (const [path, inode] of parent.medium.names) {
    if (path.startsWith(`${NAME}/`)) disk.medium.names.set(path.slice(NAME.length + 1), inode)
  }
  return disk
}

async function restored(backup: CrashDisk): Promise<CrashDisk> {
  const parent = new CrashDisk(new Random(1))
  await restoreBackup({ backup, parent, name: NAME })
  return restoredOf(parent)
}

/** What is wrong with a store, when `acknowledged` of the facts has to be there. */
async function judge(disk: CrashDisk, facts: SeriesFacts): Promise<Verdict> {
  const verdict = new Verdict()
  const life = await SeriesLife.open(disk, new Random(1), facts)
  life.judge(verdict)
  return verdict
}

/** A life with segments of all kinds. */
async function begin(seed: number) {
  const random = new Random(seed)
  const disk = sound(random)
  const life = await SeriesLife.open(disk, random, nothingYet())
  await life.work(25)
  for (let i = 0; i < 4; i++) await life.entries.write()
  await life.append(50, true)
  await life.flush()
  await life.store.storage.kv.flush('segment')
  await life.append(50, true)
  return { random, disk, life }
}

t.test(
  'makeBackup() of a store that goes on is the store at one moment; the next copies what is new',
  async t => {
    for (const seed of seeds(3)) {
      const { random, disk, life } = await begin(seed)
      const target = sound(random)
      let kept = 0
      for (let nth = 1; nth <= 3; nth++) {
        const before = [...life.store.storage.engine.manifest.segments.keys()]
        const { sent, entries } = copyFacts(life.facts)
        let isDone = false
        const making = makeBackup(optionsOf(disk, target)).finally(() => {
          isDone = true
        })
        while (!isDone) {
          await life.work(1)
          for (let turns = random.below(60); turns > 0; turns--) await new Promise(setImmediate)
        }
        const report = await making
        t.equal(report.number, nth)
        t.same(report.damage, [])
        const facts = copyFacts(life.facts)
        facts.sent.acknowledged = sent.acknowledged
        facts.entries.acknowledged = entries.acknowledged
        const verdict = await judge(await restored(target), facts)
        t.same(verdict.wrongs, [], `VARVE_SEED=${seed} backup ${nth}`)
        t.ok(
          verdict.samples > 100 && verdict.entries > 3,
          `${verdict.samples} samples, ${verdict.entries} entries`
        )
        if (nth === 1) t.equal(report.segmentsKept, 0)
        kept += report.segmentsKept
        t.ok(report.segmentsCopied + report.segmentsKept >= Math.min(1, before.length))
      }
      t.ok(kept > 0, `VARVE_SEED=${seed} ${kept} segments were kept`)
    }
  }
)

t.test(
  'makeBackup() takes no segment twice, links where it can, and the sum of the content is that restored',
  async t => {
    const { random, disk } = await begin(1)
    const target = sound(random)
    const first = await makeBackup(optionsOf(disk, target))
    const again = await makeBackup(optionsOf(disk, target))
    t.ok(first.segmentsCopied > 2)
    t.match(again, { segmentsCopied: 0, segmentsLinked: 0, segmentsKept: first.segmentsCopied, number: 2 })
    t.equal(again.contentSum, first.contentSum, 'the store stood still')
    const linked = sound(random)
    const link = async (path: string, to: string): Promise<boolean> => {
      linked.medium.names.set(to, disk.medium.names.get(path)!)
      return true
    }
    const third = await makeBackup(optionsOf(disk, linked, { link }))
    t.match(third, { segmentsCopied: 0, segmentsLinked: first.segmentsCopied, contentSum: first.contentSum })
    t.ok(third.bytesCopied < first.bytesCopied)
    const parent = sound(random)
    const report = await restoreBackup({ backup: target, parent, name: NAME })
    t.equal(report.contentSum, first.contentSum)
    const facts = readBackup(target)!
    for (const { path, at } of facts.files)
      t.same(restoredOf(parent).bytesOf(path), target.bytesOf(at), `${path} is equal`)
  }
)

t.test('a backup that is cut at any write is none, and the one before can be restored', async t => {
  const { random, disk, life } = await begin(2)
  const target = sound(random)
  await makeBackup(optionsOf(disk, target))
  const factsBefore = copyFacts(life.facts)
  await life.work(12)
  const whole = new CrashDisk(new Random(1), Infinity, target.medium.copy())
  await makeBackup(optionsOf(disk, whole))
  let [old, renewed] = [0, 0]
  for (let cut = 1; cut <= whole.steps; cut += 1 + random.below(6)) {
    const cutting = new CrashDisk(random, cut, target.medium.copy())
    await makeBackup(optionsOf(disk, cutting)).then(
      () => {},
      error => t.equal(error.code, 'VARVE_POWER_CUT')
    )
    const found = cutting.afterCut()
    const { number } = readBackup(found)!
    if (number === 1) old++
    else renewed++
    const facts = number === 1 ? copyFacts(factsBefore) : copyFacts(life.facts)
    const verdict = await judge(await restored(found), facts)
    t.same(verdict.wrongs, [], `cut ${cut}: backup ${number}`)
    if (cut % 5 === 0) t.equal((await makeBackup(optionsOf(disk, found))).number, number + 1, 'it goes on')
  }
  t.ok(old > 5, `${old} cuts before its end, ${renewed} after`)
  const first = new CrashDisk(random, 12)
  await t.rejects(makeBackup(optionsOf(disk, first)), { code: 'VARVE_POWER_CUT' })
  await t.rejects(restored(first.afterCut()), { code: 'VARVE_BACKUP' })
})

t.test('a restore that is cut leaves no directory that looks whole, and can be done again', async t => {
  const { random, disk, life } = await begin(3)
  const backup = sound(random)
  await makeBackup(optionsOf(disk, backup))
  const whole = sound(random)
  await restoreBackup({ backup, parent: whole, name: NAME })
  for (let cut = 1; cut <= whole.steps; cut++) {
    const parent = new CrashDisk(random, cut)
    await restoreBackup({ backup, parent, name: NAME }).then(
      () => {},
      error => t.equal(error.code, 'VARVE_POWER_CUT')
    )
    const found = parent.afterCut()
    if (found.exists(`${NAME}/${MANIFEST}`))
      t.ok(cut >= whole.steps - 1, `whole after ${cut} of ${whole.steps}`)
    else await restoreBackup({ backup, parent: found, name: NAME })
    if (cut % 10 === 0 || cut >= whole.steps - 1)
      t.same((await judge(restoredOf(found), copyFacts(life.facts))).wrongs, [])
  }
})

t.test('restoreBackup() refuses a damaged backup naming the file, and leaves nothing behind', async t => {
  const { random, disk } = await begin(4)
  const backup = sound(random)
  await makeBackup(optionsOf(disk, backup))
  const facts = readBackup(backup)!
  for (const { at, bytes } of [...facts.files, { at: BACKUP, bytes: backup.bytesOf(BACKUP).length }]) {
    for (const how of ['flip', 'missing'] as const) {
      const hurt = new CrashDisk(random, Infinity, backup.medium.copy())
      if (how === 'missing') await hurt.remove(at)
      else hurt.flip(at, random.below(bytes), 1 << random.below(8))
      const parent = sound(random)
      const expected =
        how === 'missing' && at === BACKUP ? { code: 'VARVE_BACKUP' } : { code: 'VARVE_CORRUPTION', file: at }
      await t.rejects(restoreBackup({ backup: hurt, parent, name: NAME }), expected, `${at} ${how}`)
      t.same(parent.list(`${NAME}.restoring/segments`), [])
      t.notOk(parent.exists(`${NAME}/${MANIFEST}`))
    }
  }
  const full = sound(random)
  await (await full.openWrite(`${NAME}/anything`, 'other')).write(new Uint8Array(1), 0)
  await t.rejects(restoreBackup({ backup, parent: full, name: NAME }), { code: 'VARVE_NOT_EMPTY' })
})

t.test('makeBackup() refuses a target that is something else, and the backup of another store', async t => {
  const { random, disk } = await begin(5)
  const other = await begin(6)
  await t.rejects(makeBackup(optionsOf(disk, other.disk)), {
    code: 'VARVE_BACKUP',
    message: /MANIFEST|CATALOG/
  })
  const target = sound(random)
  await makeBackup(optionsOf(disk, target))
  const ids = new Set(disk.list('segments'))
  t.ok(
    other.disk.list('segments').some(name => ids.has(name)),
    'both stores have a segment of one number'
  )
  await t.rejects(makeBackup(optionsOf(other.disk, target)), {
    code: 'VARVE_BACKUP',
    message: /another store/
  })
  await t.rejects(makeBackup(optionsOf(sound(random), target)), { code: 'VARVE_NOT_FOUND' })
})

t.test('makeBackup() takes a segment again whose copy is damaged', async t => {
  const { random, disk, life } = await begin(5)
  const target = sound(random)
  const first = await makeBackup(optionsOf(disk, target))
  const kept = readBackup(target)!.files.filter(({ path }) => path.startsWith('segments/'))
  // Damage at an end is seen at once, in the middle when all is read again, a missing file always.
  target.flip(kept[0]!.at, 3, 1)
  target.flip(kept[1]!.at, Math.floor(kept[1]!.bytes / 2), 1)
  await target.remove(kept[2]!.at)
  const again = await makeBackup(optionsOf(disk, target, { verify: true }))
  t.match(again, { segmentsRenewed: 3, segmentsCopied: 3, contentSum: first.contentSum })
  t.same((await judge(await restored(target), copyFacts(life.facts))).wrongs, [])
})

t.test('makeBackup() tells what was damaged in the data directory', async t => {
  const { random, disk } = await begin(7)
  const [name] = disk.list('segments')
  const path = `segments/${name}`
  disk.flip(path, 100, 1)
  const report = await makeBackup(optionsOf(disk, sound(random)))
  t.match(report.damage, [{ file: path }])
})

t.test('parseBackup() refuses any other bytes, and paths that leave the directory', async t => {
  const { random, disk } = await begin(8)
  const target = sound(random)
  await makeBackup(optionsOf(disk, target))
  const bytes = target.bytesOf(BACKUP)
  t.equal(parseBackup(bytes).number, 1)
  for (let i = 0; i < 300; i++) {
    const hurt = bytes.slice(0, random.chance(0.3) ? random.below(bytes.length) : bytes.length)
    if (hurt.length === bytes.length) hurt[random.below(hurt.length)]! ^= 1 << random.below(8)
    t.throws(() => parseBackup(hurt), { code: 'VARVE_CORRUPTION' })
  }
  const { printBackup } = await import('../../src/backup/backup-file.ts')
  for (const path of ['../x', '/etc/passwd', 'segments/../../x', 'wal/x', 'run.json', 'segments/1.seg']) {
    const forged = printBackup({ ...parseBackup(bytes), files: [{ path, at: path, bytes: 1, sum: 1 }] })
    t.throws(() => parseBackup(forged), { code: 'VARVE_CORRUPTION' }, path)
  }
})
