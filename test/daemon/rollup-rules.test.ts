// Which groups are in which tiers, also when rules change; what a rollup reads; what a query says it read.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { segmentPath } from '../../src/engine/file-names.ts'
import type { Cell } from '../../src/query/answer.ts'
import { answer, evaluate } from '../../src/query/evaluate.ts'
import { Budget, DEFAULT_QUERY_LIMITS } from '../../src/query/limits.ts'
import { readRequest } from '../../src/query/parameters.ts'
import { DEFAULT_PROMQL_OPTIONS, readInstantRequest } from '../../src/query/promql/parameters.ts'
import { EVERY_GROUP } from '../../src/rollup/coverage.ts'
import { tierClass } from '../../src/rollup/tier.ts'
import type { SeriesSource } from '../../src/series/source.ts'
import { DAY_US, HOUR_US, MINUTE_US, START_US, TIERS } from '../kit/rollup-times.ts'
import { openReader, openWorld, temporaryDir, type World, write } from '../kit/rollup-world.ts'

const FOREVER = Number.POSITIVE_INFINITY

/** A row every ten seconds of two groups. */
function writeHours(world: World, fromHour: number, toHour: number): void {
  for (let us = START_US + fromHour * HOUR_US + 1; us < START_US + toHour * HOUR_US; us += 10e6) {
    write(world, 0, us, { energy: Math.floor(us / 1e7) }, 'meter')
    write(world, 1, us, { shake: us % 77e6 }, 'engine')
  }
}

/** What a range of some hours by hours was read from. */
function placesOf(
  hours: number,
  source: SeriesSource,
  series: string,
  more: Record<string, string> = {}
): string[] {
  const given = {
    match: series,
    from: `${START_US}`,
    to: `${START_US + hours * HOUR_US - 1}`,
    step: '1h',
    fn: 'max',
    explain: '1',
    ...more
  }
  const parameters = new Map(Object.entries(given).map(([name, value]) => [name, [value]]))
  const request = readRequest('range', parameters, START_US)
  const found = evaluate(source, request, new Budget(DEFAULT_QUERY_LIMITS, systemClock, () => false))
  return found.is === 'rows' ? Array.from(found.parts, ({ name }) => name) : []
}

function valuesOf(source: SeriesSource, tier: string): Cell[][] {
  const parameters = new Map(
    Object.entries({
      from: `${START_US}`,
      to: `${START_US + DAY_US - 1}`,
      step: '1h',
      fn: 'count,max,sum',
      tier
    }).map(([name, value]) => [name, [value]])
  )
  const found = evaluate(
    source,
    readRequest('range', parameters, START_US),
    new Budget(DEFAULT_QUERY_LIMITS, systemClock, () => false)
  )
  if (found.is !== 'rows') throw new Error(found.is)
  return Array.from(found.parts, ({ name, rows }) =>
    [name, ...Array.from(rows, row => [...row.cells])].flat()
  )
}

t.test('a rule gives its groups tiers of their own, and no rule the others', async t => {
  const rules = [{ match: '', group: 'engine|pump' }]
  const tiers = [
    { name: '1h', stepUs: HOUR_US, keepUs: FOREVER, coverage: { rules, own: -1, sketch: null } },
    { name: 'shaking.10m', stepUs: 10 * MINUTE_US, keepUs: DAY_US, coverage: { rules, own: 0, sketch: null } }
  ]
  const world = await openWorld(temporaryDir(t), START_US + 6.5 * HOUR_US, FOREVER, tiers)
  writeHours(world, 0, 6)
  await world.maintenance.rollup(tiers)
  const source = openReader(world)
  t.same(placesOf(6, source, 'meter_energy'), ['1h'])
  t.same(placesOf(6, source, 'engine_shake'), ['shaking.10m'])
  t.same(placesOf(6, source, 'engine_shake', { tier: '10m' }), ['shaking.10m'], 'a tier is named by its step')
  t.same(placesOf(6, source, 'engine_shake', { tier: '1h' }), [], 'which the rule has not')
  t.same(valuesOf(source, 'auto'), valuesOf(source, 'raw'))
  source.close()
  await world.storage.close()
})

t.test(
  'a tier that a rule gives to other groups from now on is not believed for the time before',
  async t => {
    const dir = temporaryDir(t)
    const tier = (rules: { match: string; group: string }[]) => [
      { name: '1h', stepUs: HOUR_US, keepUs: FOREVER, coverage: { rules, own: -1, sketch: null } }
    ]
    const without = tier([{ match: '', group: 'engine' }])
    let world = await openWorld(dir, START_US + 4.5 * HOUR_US, FOREVER, without)
    writeHours(world, 0, 4)
    await world.maintenance.rollup(without)
    await world.storage.series.flush()
    await world.storage.close()

    const all = tier([])
    world = await openWorld(dir, START_US + 8.5 * HOUR_US, FOREVER, all)
    writeHours(world, 4, 8)
    await world.maintenance.rollup(all)
    let source = openReader(world)
    t.same(placesOf(8, source, 'engine_shake'), ['raw', '1h'])
    t.same(placesOf(8, source, 'meter_energy'), ['1h'])
    t.same(valuesOf(source, 'auto'), valuesOf(source, 'raw'))
    source.close()
    // A late row of the time when the group was not kept repairs nothing there.
    write(world, 1, START_US + 2 * HOUR_US + 5, { shake: 1e9 }, 'engine')
    write(world, 0, START_US + 3 * HOUR_US + 5, { energy: 1e12 }, 'meter')
    await world.maintenance.rollup(all)
    await world.storage.series.flush()
    await world.storage.close()

    world = await openWorld(dir, START_US + 8.5 * HOUR_US, FOREVER, all)
    source = openReader(world)
    t.same(placesOf(8, source, 'engine_shake'), ['raw', '1h'], 'what was kept when is saved')
    t.same(valuesOf(source, 'auto'), valuesOf(source, 'raw'))
    source.close()
    await world.storage.close()
  }
)

t.test('rollup() of hours in memory reads no segment, and a day is made of its hours', async t => {
  const tiers = [...TIERS, { ...TIERS[1]!, name: '1d', stepUs: DAY_US }]
  const world = await openWorld(temporaryDir(t), START_US, FOREVER, tiers)
  for (let hour = 1; hour <= 24; hour++) {
    writeHours(world, hour - 1, hour)
    world.nowUs = START_US + hour * HOUR_US + 6 * MINUTE_US
    if (hour === 24) {
      await world.maintenance.rollup(tiers.slice(0, 2))
      await world.storage.series.flush()
    }
    await world.maintenance.rollup(tiers)
    if (hour === 12) await world.storage.series.flush()
    if (hour < 24) t.same(world.lastReads, { raw: 0, tiers: 0, opened: 0 }, `hour ${hour}`)
  }
  t.equal(world.lastReads.raw, 0, 'the day, though all samples have left memory')
  t.equal(world.lastReads.tiers, 2 * 24, 'a chunk of each group and hour')
  const source = openReader(world)
  t.same(placesOf(24, source, 'engine_shake', { step: '1d' }), ['1d'])
  t.same(
    valuesOf(source, '1d').map(([name, count]) => [name, count]),
    [
      ['meter_energy', 8640],
      ['engine_shake', 8640]
    ]
  )
  source.close()
  await world.storage.close()
})

t.test('explain=1 says of each selector from which tiers it was read, and how many blocks', async t => {
  const world = await openWorld(temporaryDir(t), START_US + 6.5 * HOUR_US)
  writeHours(world, 0, 6)
  await world.storage.series.flush()
  await world.maintenance.rollup(TIERS)
  const source = openReader(world)
  const ask = (query: string, more: Record<string, string> = {}) => {
    const given = { query, time: `${(START_US + 6 * HOUR_US) / 1e6}`, explain: '1', ...more }
    const parameters = new Map(Object.entries(given).map(([name, value]) => [name, [value]]))
    const request = readInstantRequest(parameters, START_US, DEFAULT_PROMQL_OPTIONS)
    const context = { limits: DEFAULT_QUERY_LIMITS, clock: systemClock, isCancelled: () => false }
    return JSON.parse(Buffer.concat([...answer(source, request, context)]).toString())
  }
  const query = 'increase(meter_energy[3h]) + max_over_time(engine_shake[90m]) + engine_shake'
  const { explain } = ask(query)
  const read = explain.map(({ selector, reads }: { selector: string; reads: Record<string, unknown>[] }) => [
    selector,
    ...reads.map(({ from, blocks, windows }) => [from, blocks, windows])
  ])
  // The instant at the end of a range is the start of a window, which is asked for it: there is no row.
  t.same(read.sort(), [
    ['engine_shake', ['raw', 1, 0]],
    ['engine_shake[1h30m]', ['1m', 1, 30], ['1h', 1, 1]],
    ['meter_energy[3h]', ['1h', 1, 3], ['1m', 0, 0]]
  ])
  const raw = ask(query, { tier: 'raw' })
  t.ok(
    raw.explain.every(({ reads }: { reads: { from: string }[] }) => reads.every(({ from }) => from === 'raw'))
  )
  t.same(ask(query, { explain: '0' }).explain, undefined)
  t.same(
    ask('sum_over_time(meter_energy[3h])').data,
    ask('sum_over_time(meter_energy[3h])', { tier: 'raw' }).data
  )
  t.throws(() => ask('x', { tier: '1h' }), { code: 'VARVE_PARAMETER' })
  source.close()
  await world.storage.close()
})

t.test('a damaged tier costs neither the coarser one nor an answer of PromQL', async t => {
  const tiers = [TIERS[0]!, { ...TIERS[1]!, coverage: EVERY_GROUP }]
  const world = await openWorld(temporaryDir(t), START_US + 3.5 * HOUR_US, FOREVER, tiers)
  writeHours(world, 0, 3)
  await world.storage.series.flush()
  await world.maintenance.rollup(tiers.slice(0, 1))
  const { segments } = world.storage.engine.manifest
  const minutes = [...segments.values()].find(one => one.class === tierClass('1m'))!
  const path = join(world.disk.root, segmentPath(minutes.id))
  const bytes = readFileSync(path)
  for (let at = 64; at < 400; at++) bytes[at] = bytes[at]! ^ 0x55
  writeFileSync(path, bytes)
  const told: unknown[] = []
  const ask = (hasTiers: boolean) => {
    const source = openReader(world, hasTiers, undefined, error => told.push(error))
    const parameters = new Map([
      ['query', ['sum_over_time(meter_energy[3h])']],
      ['time', [`${(START_US + 3 * HOUR_US) / 1e6}`]]
    ])
    const request = readInstantRequest(parameters, START_US, DEFAULT_PROMQL_OPTIONS)
    const context = { limits: DEFAULT_QUERY_LIMITS, clock: systemClock, isCancelled: () => false }
    const text = Buffer.concat([...answer(source, request, context)]).toString()
    source.close()
    return text
  }
  t.equal(ask(true), ask(false))
  t.ok(told.length > 0)
  world.onDamage = error => told.push(error)
  await world.maintenance.rollup(tiers)
  const source = openReader(world)
  t.same(valuesOf(source, '1h'), valuesOf(source, 'raw'))
  source.close()
  await world.storage.close()
})
