// Rollups end to end without threads: Maintenance over a store in a directory, and queries that read tiers
// against the same queries over the samples.
import t, { type Test } from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { Random } from '../../src/base/random.ts'
import type { Cell } from '../../src/query/answer.ts'
import { evaluate } from '../../src/query/evaluate.ts'
import { Budget, DEFAULT_QUERY_LIMITS } from '../../src/query/limits.ts'
import { type RangeRequest, WINDOW_FUNCTIONS, type WindowRequest } from '../../src/query/request.ts'
import { tierClass } from '../../src/rollup/tier.ts'
import { DAY_US, HOUR_US, MINUTE_US, START_US, TIERS } from '../kit/rollup-times.ts'
import { openReader, openWorld, temporaryDir, type World, write } from '../kit/rollup-world.ts'
import { seeds } from '../kit/seeds.ts'

/** Rows over some hours: eighths of whole numbers (sums are exact), decimals, booleans, states, a mix of kinds. */
function writeSome(world: World, random: Random, count: number, fromUs: number, toUs: number): void {
  for (let i = 0; i < count; i++) {
    write(world, random.below(4), fromUs + random.below((toUs - fromUs) / 1e3) * 1e3, {
      exact: (random.below(2001) - 1000) / 8,
      decimal: random.chance(0.01) ? Number.NaN : random.below(10_000) / 10 - 300,
      on: random.chance(0.5),
      ...(random.chance(0.5) ? { state: random.pick(['idle', 'busy']) } : {}),
      mixed: random.chance(0.1) ? 'unavailable' : random.below(50)
    })
  }
}

function request(windows: Partial<WindowRequest>, fromUs: number, toUs: number): RangeRequest {
  return {
    kind: 'range',
    select: { selectors: [], topic: null },
    format: 'json',
    time: 'us',
    limit: null,
    fromUs,
    toUs,
    order: 'asc',
    windows: {
      stepUs: HOUR_US,
      functions: [...WINDOW_FUNCTIONS],
      by: null,
      tier: 'auto',
      explain: false,
      ...windows
    }
  }
}

function ask(world: World, question: RangeRequest): Map<string, Cell[]> {
  const reader = openReader(world)
  const budget = new Budget(DEFAULT_QUERY_LIMITS, systemClock, () => false)
  const answer = evaluate(reader, question, budget)
  const found = new Map<string, Cell[]>()
  if (answer.is !== 'rows') throw new Error('not rows')
  for (const { name, labels, rows } of answer.parts) {
    for (const { timeUs, cells } of rows) found.set(`${name} ${labels} ${timeUs}`, [...cells])
  }
  reader.close()
  return found
}

/** Sums and averages within 1e-12 of the window's largest possible sum; everything else to the bit. */
function assertSame(t: Test, auto: Map<string, Cell[]>, raw: Map<string, Cell[]>, message: string): void {
  t.same([...auto.keys()].sort(), [...raw.keys()].sort(), `${message}: windows`)
  for (const [key, cells] of raw) {
    const others = auto.get(key) ?? []
    const same = cells.every((cell, i) => {
      const isSum = WINDOW_FUNCTIONS[i] === 'sum' || WINDOW_FUNCTIONS[i] === 'avg'
      if (!isSum || key.startsWith('exact') || typeof cell !== 'number') return Object.is(cell, others[i])
      const [count, , min, max] = cells as [number, number, number, number]
      const most = count * Math.max(Math.abs(min), Math.abs(max))
      return Object.is(cell, others[i]) || Math.abs(cell - (others[i] as number)) <= most * 1e-12
    })
    if (!same) t.same(others, cells, `${message}: ${key}`)
  }
}

function lateHours({ storage }: World, group: number): number[] {
  const found = Array.from({ length: storage.series.catalog.groupCount }, (_, id) =>
    storage.series.catalog.at(id)
  ).find(one => one.labels[0]![1] === `g${group}`)!
  return [...storage.progress.dirtyHours(found.id)]
}

function doneOf({ storage }: World): Record<string, number> {
  return Object.fromEntries([...storage.progress.done].map(([name, { doneUs }]) => [name, doneUs]))
}

t.test('a range that reads tiers says what the samples say, late ones and repairs included', async t => {
  let fromTiers = 0
  for (const seed of seeds(6)) {
    const random = new Random(seed)
    let world = await openWorld(temporaryDir(t), START_US)
    const dir = world.disk.root
    for (let step = 0; step < 6; step++) {
      const nowUs = START_US + (step + 1) * 2 * HOUR_US
      world.nowUs = nowUs
      writeSome(world, random, 300, nowUs - 2 * HOUR_US, nowUs)
      if (step > 0) writeSome(world, random, random.below(20), START_US, nowUs)
      if (random.chance(0.5)) await world.storage.series.flush()
      if (random.chance(0.8)) await world.maintenance.rollup(TIERS)
      if (random.chance(0.3)) writeSome(world, random, 5, START_US, nowUs)
      if (random.chance(0.3)) await world.maintenance.merge(new AbortController().signal)
      if (random.chance(0.3)) {
        world.storage.engine.wal.note(0, 2)
        await world.storage.engine.wal.synced(world.storage.engine.wal.pendingGroup)
        await world.storage.close()
        world = await openWorld(dir, nowUs)
      }
      for (let i = 0; i < 6; i++) {
        const windows = {
          stepUs: random.pick([MINUTE_US, 7 * MINUTE_US, 30_000_000, HOUR_US, 3 * HOUR_US, DAY_US]),
          by: random.pick([null, null, []])
        }
        const fromUs = START_US + random.below(3600) * 1e6
        const toUs = random.chance(0.5) ? nowUs : nowUs - random.below(7200) * 1e6
        const auto = ask(world, request(windows, fromUs, toUs))
        const raw = ask(world, request({ ...windows, tier: 'raw' }, fromUs, toUs))
        assertSame(t, auto, raw, `VARVE_SEED=${seed} step ${step} ${JSON.stringify(windows)}`)
        const explained = ask(world, request({ ...windows, explain: true }, fromUs, toUs))
        for (const [key, [, , , read]] of explained) if (!key.startsWith('raw')) fromTiers += read as number
      }
    }
    await world.storage.close()
  }
  t.ok(fromTiers > 1000, `${fromTiers} windows came from tiers`)
})

t.test('rollup() catches up after downtime, and a crash before its commit changes nothing', async t => {
  const dir = temporaryDir(t)
  let world = await openWorld(dir, START_US + HOUR_US)
  writeSome(world, new Random(1), 500, START_US, START_US + HOUR_US)
  await world.storage.series.flush()
  world.beforeCommit = () => {
    throw new Error('power cut')
  }
  await t.rejects(world.maintenance.rollup(TIERS), /power cut/)
  t.equal(world.storage.progress.done.size, 0)
  await world.storage.close()

  world = await openWorld(dir, START_US + 5 * DAY_US + 30 * MINUTE_US)
  await world.maintenance.rollup(TIERS)
  const done = doneOf(world)
  t.same(done, { '1m': START_US + 5 * DAY_US + 25 * MINUTE_US, '1h': START_US + 5 * DAY_US })
  // Of strings a tier knows how many there were, not which.
  const functions = WINDOW_FUNCTIONS.slice(0, 5)
  const question = (tier: string) =>
    request({ stepUs: HOUR_US, tier, functions }, START_US, START_US + DAY_US - 1)
  const raw = ask(world, question('raw'))
  t.ok(raw.size > 10)
  const late = ask(world, { ...question('auto'), windows: { ...question('auto').windows!, explain: true } })
  t.same(
    [...late.keys()].map(key => key.split(' ')[0]),
    ['1h'],
    'everything is read from the coarsest tier'
  )
  assertSame(t, ask(world, question('auto')), raw, 'after the downtime')
  const segments = world.storage.engine.manifest.segments.size
  await world.maintenance.rollup(TIERS)
  t.equal(world.storage.engine.manifest.segments.size, segments, 'a second run has nothing to do')
  t.same(doneOf(world), done, 'and forgets nothing')
  await world.storage.close()

  world = await openWorld(dir, START_US + 5 * DAY_US + 30 * MINUTE_US)
  t.same(doneOf(world), done, 'the watermark was saved')
  write(world, 0, START_US + 10 * MINUTE_US + 1, { exact: 1000 })
  t.same(lateHours(world, 0), [START_US / HOUR_US])
  assertSame(t, ask(world, question('auto')), ask(world, question('raw')), 'before the repair')
  world.beforeCommit = () => write(world, 1, START_US + 20 * MINUTE_US + 1, { exact: 2000 })
  // One tier has its turn: the repair is of both.
  await world.maintenance.rollup(TIERS.slice(1))
  world.beforeCommit = () => {}
  t.same(lateHours(world, 0), [])
  t.same(lateHours(world, 1), [START_US / HOUR_US], 'what came meanwhile waits')
  for (const tier of ['auto', '1m', '1h']) {
    const found = ask(world, { ...question(tier), select: { selectors: [], topic: 'g0' } })
    assertSame(t, found, ask(world, { ...question('raw'), select: { selectors: [], topic: 'g0' } }), tier)
  }
  await world.storage.series.flush()
  await world.storage.close()

  world = await openWorld(dir, START_US + 6 * DAY_US)
  t.same(lateHours(world, 1), [START_US / HOUR_US], 'a flush saves which hours are late')
  await world.maintenance.rollup(TIERS)
  assertSame(t, ask(world, question('1h')), ask(world, question('raw')), 'after the repair')
  await world.storage.close()
})

t.test('a late mark of a group that a cut took keeps no other group from its repair', async t => {
  const world = await openWorld(temporaryDir(t), START_US)
  write(world, 0, START_US + MINUTE_US, { exact: 1 })
  world.nowUs = START_US + 3 * HOUR_US
  await world.maintenance.rollup(TIERS)
  write(world, 0, START_US + 2 * MINUTE_US, { exact: 2 })
  const { progress } = world.storage
  progress.markLate(7, START_US + 2 * MINUTE_US)
  t.equal(progress.dirty.size, 1)
  await world.maintenance.rollup(TIERS)
  t.equal(progress.dirty.size, 0)
  await world.storage.close()
})

t.test(
  'rollup() gives each segment of a repair its place in the order: a merge may take some of them',
  async t => {
    const world = await openWorld(temporaryDir(t), START_US + 6 * HOUR_US)
    writeSome(world, new Random(3), 500, START_US, START_US + 6 * HOUR_US)
    await world.maintenance.rollup(TIERS)
    for (const hour of [0, 1, 3]) write(world, 0, START_US + hour * HOUR_US + 1, { exact: 7 })
    await world.maintenance.rollup(TIERS)
    for (const { name } of TIERS) {
      const own = [...world.storage.engine.manifest.segments.values()].filter(
        segment => segment.class === tierClass(name)
      )
      t.ok(own.length >= 4, name)
      t.equal(new Set(own.map(segment => segment.order)).size, own.length, name)
    }
    await world.storage.close()
  }
)

t.test('a range reads a tier where retention dropped the samples', async t => {
  const world = await openWorld(temporaryDir(t), START_US + 6 * HOUR_US, 2 * HOUR_US)
  writeSome(world, new Random(2), 2000, START_US, START_US + 6 * HOUR_US)
  await world.storage.series.flush()
  const whole = (windows: Partial<WindowRequest>) => request(windows, START_US, START_US + 6 * HOUR_US - 1)
  const before = ask(world, whole({ tier: 'raw', functions: ['count', 'sum', 'min', 'max', 'avg'] }))
  await world.maintenance.rollup(TIERS)
  await world.maintenance.retention()
  t.equal(world.storage.progress.goneUs.get('default'), START_US + 4 * HOUR_US)
  t.ok(ask(world, whole({ tier: 'raw' })).size < before.size)
  const after = ask(world, whole({ functions: ['count', 'sum', 'min', 'max', 'avg'] }))
  t.same([...after.keys()], [...before.keys()])
  for (const [key, cells] of before) if (key.startsWith('exact')) t.strictSame(after.get(key), cells, key)
  const odd = ask(world, whole({ stepUs: 90_000_000, functions: ['count'] }))
  let counted = 0
  for (const [key, [count]] of odd) if (key.startsWith('exact topic,g0')) counted += count as number
  const counts = [...before].filter(([key]) => key.startsWith('exact topic,g0'))
  t.equal(
    counted,
    counts.reduce((sum, [, [count]]) => sum + (count as number), 0),
    'none twice, none lost'
  )
  t.throws(() => ask(world, whole({ tier: '5m' })), { code: 'VARVE_QUERY_TIER' })
  await world.storage.close()
})
