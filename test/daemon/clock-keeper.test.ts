// A gateway without a clock: its samples are provisional until it knows the time, and right from then on, nothing
// lost, nothing out of order, nothing in 1970.
import t from 'tap'
import type { Random } from '../../src/base/random.ts'
import { MADE_US } from '../../src/base/version.ts'
import { HOUR_US } from '../../src/rollup/progress.ts'
import { TIME_MAX_US, TIME_MIN_US } from '../../src/series/sample.ts'
import { seeds } from '../kit/seeds.ts'
import { isCut } from '../kit/series-life.ts'
import { KEEP_US, TIERS } from '../kit/series-store.ts'
import { judge, type Life, type Sent, World } from './clock-world.ts'

const MS = 1000
const YEAR_US = 365 * 86_400e6
const exact = () => 2 * MS
const anything = () => null

t.test('ClockKeeper stamps provisionally from 1970 on, and corrects it when the clock is set', async t => {
  const world = new World()
  const life = await world.boot({ showsUs: 3_000_000 })
  t.equal(life.clock.isKnown, false)
  life.sendSome(50)
  await life.synced()
  t.same(judge(life.found(), world.sent, anything), [])
  const provisional = [...life.found().values()].flat().filter(us => us < world.trueUs - 86_400e6)
  t.ok(
    provisional.length > 10 && provisional.every(us => us >= MADE_US),
    'times are provisional, not of 1970'
  )
  life.pass(120_000)
  const edits = manifestSyncs(life)
  await life.set()
  t.equal(manifestSyncs(life) - edits, 1, 'one record corrects the boot')
  t.same(judge(life.found(), world.sent, exact), [])
  const [unknown, set] = life.news
  t.equal(unknown?.kind, 'unknown')
  t.same(
    { ...set, why: '' },
    { kind: 'set', why: '', boot: 1, samples: provisional.length, byUs: life.keeper.correction?.byUs }
  )
  life.sendSome(50)
  await life.synced()
  t.same(judge(life.found(), world.sent, exact), [])
  life.cut()
  const again = await world.boot({ showsUs: 0 })
  t.same(judge(again.found(), world.sent, exact), [], 'after a power cut as well')
  t.same(again.keeper.uncorrected(), [])
  again.kill()
  for (let restart = 0; restart < 3; restart++) {
    const later = await world.boot({ showsUs: 0 })
    t.same(judge(later.found(), world.sent, exact), [], 'and whenever the WAL is replayed')
    later.kill()
  }
})

t.test('ClockKeeper goes on after everything stored when the clock is stale', async t => {
  const world = new World()
  const first = await world.boot({ showsUs: world.trueUs, sync: 'set' })
  first.sendSome(40)
  await first.synced()
  const newestUs = Math.max(...[...first.found().values()].flat())
  await first.close()
  world.off(9 * 86_400_000)
  // As a clock that a shutdown saved half an hour before the last sample.
  const second = await world.boot({ showsUs: newestUs - 1800e6 })
  const from = world.sent.length
  for (let i = 0; i < 20; i++) {
    second.pass(300)
    second.send('plain/d1')
  }
  await second.synced()
  for (const one of world.sent.slice(from)) {
    t.ok(second.found().get(one.n)![0]! > newestUs, 'provisional times lie after what was stored')
  }
  t.same(
    judge(second.found(), world.sent, one => (one.n < from ? 2 * MS : null)),
    []
  )
  await second.set()
  t.same(judge(second.found(), world.sent, exact), [])
  await second.close()
})

t.test('a flush before the clock is known leaves segments that are read right afterwards', async t => {
  const world = new World()
  const life = await world.boot({ showsUs: 0 })
  for (let part = 0; part < 3; part++) {
    life.sendSome(60, 40_000)
    await life.flush()
  }
  life.sendSome(30)
  const segments = () => [...life.store.storage.engine.manifest.segments.values()]
  const ofBoot = segments().filter(one => one.boot === 1)
  t.ok(ofBoot.length >= 3, 'what the gateway stamped is in segments of its boot')
  t.ok(
    segments().some(one => one.boot === 0),
    'what devices stamped is not'
  )
  t.same(judge(life.found(), world.sent, anything), [])
  t.same(await life.store.maintenance.rollup(TIERS), { held: 'the clock is not known' })
  await life.store.maintenance.retention()
  life.pass(3 * 86_400_000)
  const kept = segments().filter(one => one.boot === 1).length
  await life.store.maintenance.retention()
  t.equal(segments().filter(one => one.boot === 1).length, kept, 'nothing goes by a clock that nobody knows')
  await life.store.maintenance.merge(new AbortController().signal)
  t.ok(segments().every(one => one.boot === 0 || one.class === 'default'))

  const untouched = ofBoot.map(one => one.id).filter(id => segments().some(one => one.id === id))
  await life.set()
  t.equal(life.moved, 1, 'readers are told')
  t.same(
    untouched.filter(id => !segments().some(one => one.id === id)),
    [],
    'segments are not written again'
  )
  t.same(judge(life.found(), world.sent, exact), [])
  // Readers find them by their corrected times, and not by the others.
  const whole = life.store.read(
    reader => [...reader.runs(0, null, world.sent[0]!.trueUs - 1e6, world.trueUs)].length
  )
  t.ok(whole > 0)
  t.equal(
    life.store.read(reader => [...reader.runs(0, null, TIME_MIN_US, world.sent[0]!.trueUs - 1e6)].length),
    0
  )
  const [last] = life.store.read(reader => reader.last(0, null, TIME_MAX_US))
  const topic = life.store.storage.series.catalog.at(0).labels[0]![1]
  t.equal(last?.value, world.sent.findLast(one => one.topic === topic)!.n)
  await life.store.maintenance.rollup(TIERS)
  t.same(life.wrongWindows(), [], 'rollups are made of corrected times')

  life.cut()
  const again = await world.boot({ showsUs: world.trueUs, sync: 'set' })
  t.same(judge(again.found(), world.sent, exact), [])
  await again.flush()
  await again.store.maintenance.retention()
  t.ok(
    [...again.found().values()].flat().every(us => us > world.trueUs - KEEP_US - 2 * HOUR_US),
    'retention goes by corrected times'
  )
  await again.close()
})

t.test('boots that never knew the time stay in order, are told, and outlive retention', async t => {
  const world = new World()
  const known = await world.boot({ showsUs: world.trueUs, sync: 'set' })
  known.sendSome(20)
  await known.close()
  for (let boot = 0; boot < 2; boot++) {
    world.off(40 * 86_400_000)
    const life = await world.boot({ showsUs: 1_000_000 * boot })
    life.sendSome(30)
    if (boot === 0) await life.flush()
    await life.synced()
    t.same(judge(life.found(), world.sent, anything), [], 'in order, nothing lost')
    life.kill()
  }
  world.off(3 * 86_400_000)
  const third = await world.boot({ showsUs: 0 })
  third.sendSome(30)
  await third.set()
  t.same(
    judge(third.found(), world.sent, one => (one.boot === 1 || one.boot === 4 ? 2 * MS : null)),
    []
  )
  const told = third.keeper.uncorrected()
  t.same(
    told.map(one => one.boot),
    [1, 2]
  )
  t.ok(told.every(one => one.samples > 0 && one.fromUs >= world.sent[0]!.trueUs && one.toUs < world.trueUs))
  await third.flush()
  const isUncorrected = ({ boot, deviceUs }: Sent) => deviceUs === null && (boot === 2 || boot === 3)
  const stored = () => [...third.found().keys()].filter(n => isUncorrected(world.sent[n]!)).length
  const before = stored()
  await third.store.maintenance.retention()
  t.equal(stored(), before, 'their own times are 80 days old, but they are not known to be')
  third.pass(KEEP_US / 1000 + 2 * 3_600_000)
  await third.store.maintenance.retention()
  const left = [...third.found().keys()].filter(
    n => world.sent[n]!.deviceUs === null && world.sent[n]!.boot < 4
  )
  t.same(left, [], 'from the moment when the time was known they age')
  await third.close()
})

t.test('a restart in one boot of the machine goes on with it, and one record corrects both', async t => {
  const world = new World()
  const first = await world.boot({ showsUs: 0 })
  first.sendSome(30)
  await first.synced()
  first.kill()
  const second = await world.boot({ showsUs: 0, sameBoot: true })
  t.equal(second.keeper.boot, 1)
  second.sendSome(30)
  await second.synced()
  t.same(judge(second.found(), world.sent, anything), [])
  second.kill()
  world.hand.setWall(world.trueUs)
  const third = await world.boot({ showsUs: 0, sameBoot: true, sync: 'set' })
  t.equal(third.keeper.correction?.boot, 1, 'the clock was set while nobody looked')
  t.same(judge(third.found(), world.sent, exact), [])
  third.sendSome(10)
  await third.close()
  const fourth = await world.boot({ showsUs: 0, sameBoot: true, sync: 'waiting' })
  t.ok(fourth.clock.isKnown, 'what this boot knew is known, also when nobody says so any more')
  t.same(judge(fourth.found(), world.sent, exact), [])
  await fourth.close()
})

t.test('a known clock that steps back or ahead stops nothing and loses nothing', async t => {
  const world = new World()
  const life = await world.boot({ showsUs: world.trueUs, sync: 'set' })
  const stamped: number[] = []
  const burst = (count: number) => {
    for (let i = 0; i < count; i++) {
      life.pass(1)
      life.send('plain/d0')
      stamped.push(life.clock.nowUs())
    }
  }
  for (const offUs of [0, -1e6, -1.5e6, -3600e6, 0, 86_400e6, -200_000, 0]) {
    await life.set(offUs)
    burst(2000)
    if (offUs === -1.5e6) await life.flush()
  }
  await life.synced()
  const found = life.found()
  t.equal(found.size, world.sent.length, 'every message has a time of its own')
  t.equal(life.keeper.steps, 4, 'steps of more than 2 s are told')
  t.equal(manifestSyncs(life), 5, 'and only they are written, with the flush')
  life.pass(86_500_000)
  t.equal(life.clock.nowUs() % 1000, 0, 'stamps are whole milliseconds again')
  await life.close()
})

t.test('ClockKeeper moves samples back, behind what rollups have passed', async t => {
  const world = new World()
  const wrong = await world.boot({ showsUs: world.trueUs + YEAR_US, source: 'trusted' })
  wrong.sendSome(40, 60_000)
  wrong.pass(2 * 3_600_000)
  await wrong.store.maintenance.rollup(TIERS)
  await wrong.close()
  world.off(60_000)
  const life = await world.boot({ showsUs: 0 })
  life.sendSome(40, 60_000)
  await life.flush()
  life.pass(3 * 3_600_000)
  life.sendSome(10)
  await life.set()
  t.ok(life.keeper.correction!.byUs < -YEAR_US + 1e9)
  life.sendSome(40)
  t.same(
    judge(life.found(), world.sent, one => (one.boot === 1 ? null : 2 * MS)),
    []
  )
  await life.store.maintenance.rollup(TIERS)
  t.same(life.wrongWindows(), [], 'rollups are computed again')
  await life.close()
})

t.test('a power cut at any write leaves a boot corrected whole or not at all', async t => {
  const run = async (world: World): Promise<number> => {
    const life = await world.boot({ showsUs: 0 })
    life.sendSome(25)
    await life.flush()
    life.sendSome(10)
    await life.synced()
    const acknowledged = world.sent.length
    const flushing = life.flush()
    // What nobody awaits when the cut comes.
    flushing.catch(() => {})
    await life.set()
    life.sendSome(10)
    await flushing
    await life.synced()
    await life.store.maintenance.rollup(TIERS)
    await life.close()
    return acknowledged
  }
  const whole = new World(3)
  const acknowledged = await run(whole)
  let [provisional, corrected] = [0, 0]
  for (let step = 1; step <= whole.disk.steps; step++) {
    const world = new World(3, step)
    try {
      await run(world)
    } catch (error) {
      if (!isCut(error)) throw error
    }
    world.disk = world.disk.afterCut()
    world.boots = 7
    const again = await world.boot({ showsUs: world.trueUs, sync: 'set' })
    const found = again.found()
    const isTrue = (n: number) => Math.abs(found.get(n)![0]! - world.sent[n]!.trueUs) <= 2 * MS
    const ofBoot = [...found.keys()].filter(n => n < acknowledged && world.sent[n]!.deviceUs === null)
    const right = ofBoot.filter(isTrue).length
    if (right === ofBoot.length) corrected++
    else if (right === 0) provisional++
    else t.fail(`step ${step}: ${right} of ${ofBoot.length} samples are corrected`)
    const there = world.sent.filter(one => found.has(one.n))
    t.same(
      judge(found, there, () => null),
      [],
      `step ${step}`
    )
    const { length } = again.keeper.uncorrected()
    if (ofBoot.length > 0)
      t.equal(length, right === ofBoot.length ? 0 : 1, `step ${step}: told when provisional`)
    await again.close()
  }
  t.ok(provisional > 5 && corrected > 5, `${provisional} provisional, ${corrected} corrected`)
})

t.test('over random boots, cuts, steps and flushes every time is true or told', async t => {
  for (const seed of seeds(40)) {
    const world = new World(seed)
    const { random } = world
    const settled = new Set<number>()
    for (let boot = 0; boot < 4; boot++) {
      let life = await world.boot({ showsUs: showsAt(world, random), sync: 'waiting' })
      for (let turn = 3 + random.below(8); turn > 0; turn--) {
        const what = random.below(10)
        if (what < 5) life.sendSome(1 + random.below(30), random.pick([2, 500, 60_000]))
        else if (what < 7) await life.flush()
        else if (what === 7 && !life.clock.isKnown) await life.set(random.below(2) * MS)
        else if (what === 8) await life.store.maintenance.merge(new AbortController().signal)
        else if (what === 9) {
          await life.synced()
          life.kill()
          life = await world.boot({ showsUs: 0, sameBoot: true, sync: life.facts.sync })
        }
        await life.keeper.look()
        if (life.clock.isKnown) settled.add(world.boots)
        const slack = (one: { boot: number }) => (settled.has(one.boot) ? 4 * MS : null)
        const wrongs = judge(life.found(), world.sent, slack)
        if (wrongs.length > 0) t.fail(`VARVE_SEED=${seed} boot ${boot}: ${wrongs.join('; ')}`)
        const told = life.keeper.uncorrected().reduce((sum, one) => sum + one.samples, 0)
        const open = world.sent.filter(one => one.deviceUs === null && !settled.has(one.boot)).length
        // What a crash left in both a segment and the WAL is counted twice.
        if (told < open || (open === 0 && told > 0))
          t.fail(`VARVE_SEED=${seed} boot ${boot}: ${told} samples told to be provisional, ${open} are`)
      }
      await life.synced()
      if (random.chance(0.5)) life.cut()
      else await life.close()
      world.off(random.below(1000) * 60_000)
    }
  }
  t.end()
})

/** What a machine shows at a boot: its start of time, a stale time, now and then one ahead. */
function showsAt(world: World, random: Random): number {
  const what = random.below(4)
  if (what === 0) return 0
  if (what === 1) return world.trueUs - random.below(100_000) * 1e6
  if (what === 2) return world.trueUs + random.below(100) * 1e6
  return MADE_US + random.below(1000) * 1e6
}

function manifestSyncs(life: Life): number {
  return life.edits
}
