// What is answered where a tier cannot be read, or samples are gone: from samples while they are there, else what
// there is, and the answer says so, in /v1, in InfluxQL and in PromQL.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { Random } from '../../src/base/random.ts'
import { segmentPath } from '../../src/engine/file-names.ts'
import { answer } from '../../src/query/evaluate.ts'
import { readInfluxqlRequest } from '../../src/query/influxql/parameters.ts'
import { DEFAULT_QUERY_LIMITS } from '../../src/query/limits.ts'
import { readRequest } from '../../src/query/parameters.ts'
import { DEFAULT_PROMQL_OPTIONS, readInstantRequest } from '../../src/query/promql/parameters.ts'
import type { QueryRequest } from '../../src/query/request.ts'
import { tierClass } from '../../src/rollup/tier.ts'
import { HOUR_US, START_US, TIERS } from '../kit/rollup-times.ts'
import { openReader, openWorld, temporaryDir, type World, write } from '../kit/rollup-world.ts'
import { seeds } from '../kit/seeds.ts'

const HOURS = 6
const S = (us: number) => String(us / 1e6)

/** A whole number every ten seconds of two groups, six hours of them in tiers. */
async function filled(t: Test, rawKeepUs = Number.POSITIVE_INFINITY): Promise<World> {
  const world = await openWorld(temporaryDir(t), START_US + HOURS * HOUR_US + 6 * 60e6, rawKeepUs)
  world.onDamage = () => {}
  for (let us = START_US; us < START_US + HOURS * HOUR_US; us += 10e6) {
    write(world, 0, us + 1, { energy: (us / 1e7) % 997 }, 'meter')
    write(world, 1, us + 2, { energy: (us / 1e7) % 83 }, 'meter')
  }
  await world.storage.series.flush()
  await world.maintenance.rollup(TIERS)
  await world.maintenance.retention()
  return world
}

function damageTier(world: World, tier: string, change: (bytes: Buffer) => void): void {
  for (const segment of world.storage.engine.manifest.segments.values()) {
    if (segment.class !== tierClass(tier)) continue
    const path = join(world.disk.root, segmentPath(segment.id))
    const bytes = readFileSync(path)
    change(bytes)
    writeFileSync(path, bytes)
  }
}

interface Told {
  readonly damage?: { file: string; missing: boolean }[]
  readonly notes?: string[]
  readonly infos?: string[]
  readonly results?: { messages?: { level: string; text: string }[] }[]
}

function ask(world: World, request: QueryRequest, hasTiers = true): { text: string; told: Told } {
  const source = openReader(world, hasTiers, undefined, () => {})
  const context = { limits: DEFAULT_QUERY_LIMITS, clock: systemClock, isCancelled: () => false }
  const text = Buffer.concat([...answer(source, request, context)]).toString()
  source.close()
  return { text, told: JSON.parse(text) as Told }
}

const given = (parameters: Record<string, string>) =>
  new Map(Object.entries(parameters).map(([name, value]) => [name, [value]]))
function native(
  fromUs: number,
  toUs: number,
  step: string,
  fn = 'count,sum,min,max,first,last'
): QueryRequest {
  return readRequest(
    'range',
    given({ match: 'meter_energy', from: `${fromUs}us`, to: `${toUs}us`, step, fn }),
    START_US
  )
}
function influx(fromUs: number, toUs: number, step: string, call = 'sum(energy)'): QueryRequest {
  const q = `SELECT ${call} FROM meter WHERE time >= ${S(fromUs)}s AND time < ${S(toUs)}s GROUP BY time(${step}), topic fill(none)`
  return readInfluxqlRequest(given({ q }), toUs, () => [])
}
function promql(query: string, timeUs: number): QueryRequest {
  return readInstantRequest(given({ query, time: S(timeUs) }), START_US, DEFAULT_PROMQL_OPTIONS)
}

const END_US = START_US + HOURS * HOUR_US
const WHOLE: readonly QueryRequest[] = [
  native(START_US, END_US - 1, '5m'),
  native(START_US, END_US - 1, '1h'),
  native(START_US, END_US - 1, '1h', 'p50'),
  influx(START_US, END_US, '5m'),
  influx(START_US, END_US, '1h'),
  promql('sum_over_time(meter_energy[6h])', END_US),
  promql('increase(meter_energy[5h])', END_US - HOUR_US)
]
const without = (text: string) => text.replace(/,"damage":\[.*\]/, '')

t.test('what a damaged tier cannot tell, samples tell, and /v1 says which file is damaged', async t => {
  let met = 0
  for (const seed of seeds(12)) {
    const random = new Random(seed)
    const world = await filled(t)
    for (const { name } of TIERS) {
      if (random.chance(0.3)) continue
      const from = random.unit()
      damageTier(world, name, bytes => {
        const at = Math.floor(from * bytes.length)
        for (let i = at; i < at + 1 + random.below(300) && i < bytes.length; i++)
          bytes[i]! ^= 1 + random.below(255)
      })
    }
    for (const [i, request] of WHOLE.entries()) {
      const { text, told } = ask(world, request)
      // Quantiles of tiers are not those of samples to the digit.
      if (i !== 2) t.equal(without(text), ask(world, request, false).text, `VARVE_SEED=${seed} ${i}`)
      t.notOk(
        told.damage?.some(({ missing }) => missing),
        'nothing is missing'
      )
      t.notOk(told.infos)
      t.notOk(told.notes)
      t.notOk(told.results?.[0]?.messages)
      if (told.damage !== undefined) met++
    }
    await world.storage.close()
  }
  t.ok(met > 5 || process.env.VARVE_SEED !== undefined, `${met} answers met damage`)
})

t.test(
  'where samples are gone a damaged tier tells what can be read of it, and the answer what is missing',
  async t => {
    const world = await filled(t, 2 * HOUR_US)
    const before = WHOLE.map(request => ask(world, request))
    for (const { told } of before)
      t.notOk(told.damage ?? told.notes ?? told.infos ?? told.results?.[0]?.messages)
    damageTier(world, '1m', bytes => {
      for (let at = 64; at < 400; at++) bytes[at]! ^= 0x55
    })
    const [fives, hours, , influxFives, influxHours] = WHOLE.map(request => ask(world, request))
    t.match(fives!.told.damage, [{ missing: true }])
    t.match(influxFives!.told.results, [
      { messages: [{ level: 'warning', text: /^samples are missing: .*segments/ }] }
    ])
    const windows = (text: string) => text.match(/\[\d{16},/g)!.length
    const rows = (text: string) => text.match(/\["\d{4}-/g)!.length
    for (const [found, whole] of [
      [windows(fives!.text), windows(before[0]!.text)],
      [rows(influxFives!.text), rows(before[3]!.text)]
    ])
      t.ok(found! > whole! / 8 && found! < whole!, `${found} windows of ${whole}`)
    t.equal(without(hours!.text), before[1]!.text, 'the sound tier tells hours')
    t.equal(influxHours!.text, before[4]!.text)
    const query = 'count_over_time(meter_energy[30m])'
    const atUs = START_US + HOUR_US
    const found = ask(world, promql(query, atUs)).told.infos ?? []
    t.ok(found.every(text => text.startsWith('samples are missing: ')) && found.length > 0, found.join())
    await world.storage.close()
  }
)

t.test(
  'edges that cut windows of tiers where samples are gone: whole windows are told, and that it is not all',
  async t => {
    const world = await filled(t, 2 * HOUR_US)
    const [fromUs, toUs] = [START_US + 30e6, START_US + HOUR_US + 90e6 + 10]
    const innerFromUs = START_US + 60e6
    const innerToUs = START_US + HOUR_US + 60e6
    const left =
      /^samples are gone by retention and no tier tells exactly what is asked: left out, between .*Z and .*Z$/
    const values = (text: string) => without(text).replace(/,"notes":\[.*\]/, '')

    const cut = ask(world, native(fromUs, toUs, '5m'))
    t.match(cut.told.notes, [left])
    t.match(cut.told.notes, [new RegExp(new Date(fromUs / 1000).toISOString())])
    const inner = ask(world, native(innerFromUs, innerToUs - 1, '5m'))
    t.notOk(inner.told.notes)
    t.equal(values(cut.text), inner.text)

    const odd = ask(world, native(START_US, START_US + HOUR_US - 1, '90s', 'count'))
    t.match(odd.told.notes, [
      /^samples are gone by retention, windows of tier 1m count where they begin, between /
    ])

    const cutRows = ask(world, influx(fromUs, toUs - 10, '5m'))
    t.match(cutRows.told.results, [{ messages: [{ level: 'warning', text: left }] }])
    const rowsOf = (text: string) => text.replace(/,"messages":\[.*?\]/, '')
    t.equal(rowsOf(cutRows.text), ask(world, influx(innerFromUs, innerToUs, '5m')).text)
    const median = ask(world, influx(START_US, START_US + HOUR_US, '5m', 'median(energy)'))
    t.match(median.told.results, [{ messages: [{ text: left }] }])

    const exact = ask(world, promql('count_over_time(meter_energy[1h])', innerToUs))
    t.notOk(exact.told.infos)
    t.match(exact.text, /"360"/)
    const off = ask(world, promql('count_over_time(meter_energy[1h])', innerToUs + 30e6))
    t.match(off.told.infos, [left])
    t.match(off.text, /"354"/)
    for (const query of [
      'quantile_over_time(0.5, meter_energy[1h])',
      'meter_energy',
      'rate(meter_energy[90s])'
    ])
      t.match(ask(world, promql(query, START_US + HOUR_US)).told.infos, [left], query)
    for (const request of [promql('meter_energy', END_US), native(END_US - 3600e6 + 7, END_US, '1m')])
      t.notOk(
        ask(world, request).told.infos ?? ask(world, request).told.notes,
        'nothing is said where samples are'
      )
    await world.storage.close()
  }
)
