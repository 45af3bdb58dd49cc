// A gateway without a clock: its samples are provisional until it knows the time, and right from then on, nothing
// lost, nothing out of order, nothing in 1970.
// Not here: power cuts at any step, random boots (clock-cuts.test.ts).
import t from 'tap'
import { MADE_US } from '../../src/base/version.ts'
import { HOUR_US } from '../../src/rollup/progress.ts'
import { TIME_MAX_US, TIME_MIN_US } from '../../src/series/sample.ts'
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

function manifestSyncs(life: Life): number {
  return life.edits
}
