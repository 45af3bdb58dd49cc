// A few groups of rows, and what InfluxQL answers to questions about them.
import { systemClock } from '../../src/base/clock.ts'
import { answer } from '../../src/query/evaluate.ts'
import { readInfluxqlRequest } from '../../src/query/influxql/parameters.ts'
import { DEFAULT_QUERY_LIMITS, type QueryLimits } from '../../src/query/limits.ts'
import { makeLabels } from '../../src/series/label.ts'
import { type FakeGroup, FakeSource } from './fake-source.ts'

export const START_S = 1_700_000_040
const at = (s: number) => (START_S + s) * 1e6
export const row = (s: number, ...cells: (number | string | boolean | null)[]) => ({ timeUs: at(s), cells })
export const labels = (...pairs: [string, string][]) => makeLabels(pairs)
const GROUPS = [
  {
    name: 'cpu',
    labels: labels(['host', 'a'], ['region', 'eu']),
    fields: ['value', 'other', 'state'],
    rows: [row(0, 1, 10, 'on'), row(30, 3, null, null), row(60, 5, 20, 'off'), row(200, 4, null, null)]
  },
  { name: 'cpu', labels: labels(['host', 'b']), fields: ['value'], rows: [row(30, 2), row(60, 8)] },
  { name: '', labels: labels(['topic', 'x/t']), fields: ['temperature', 'on'], rows: [row(0, 21.5, true)] },
  { name: 'room', labels: labels(), fields: ['value'], rows: [row(0, 7)] }
]

/** The answer as it is sent. */
export function ask(
  q: string,
  more: Record<string, string> = {},
  limits: Partial<QueryLimits> = {},
  groups: readonly FakeGroup[] = GROUPS
): string {
  const parameters = new Map(Object.entries({ q, ...more }).map(([name, value]) => [name, [value]]))
  const context = {
    limits: { ...DEFAULT_QUERY_LIMITS, ...limits },
    clock: systemClock,
    isCancelled: () => false
  }
  const request = readInfluxqlRequest(parameters, at(300), () => ['varve'])
  return Buffer.concat([...answer(new FakeSource(groups), request, context)]).toString()
}

/** The values of each series of the first statement, or its error; times in seconds from the start. */
export function values(q: string): unknown {
  const [result] = JSON.parse(ask(q, { epoch: 's' })).results
  if (result.error !== undefined) return result.error
  const moved = ([time, ...cells]: unknown[]) => [
    typeof time === 'number' && time > 1e9 ? time - START_S : time,
    ...cells
  ]
  return (result.series ?? []).map((one: { tags?: Record<string, string>; values: unknown[][] }) =>
    one.tags === undefined
      ? one.values.map(moved)
      : [Object.values(one.tags).join(), ...one.values.map(moved)]
  )
}
