// SHOW: lists of measurements, fields, tags, their values, and series. WHERE narrows by tags; times in it
// narrow nothing, as in InfluxDB before 1.8.
import type { KeyCondition, Page, ShowStatement } from '../../influxql/ast.ts'
import { type Labels, labelValue } from '../../series/label.ts'
import type { Cell } from '../answer.ts'
import { compileCondition, splitCondition } from './condition.ts'
import {
  compare,
  fieldKinds,
  findMeasurements,
  KIND_WORDS,
  type Measurement,
  type Member,
  regexTest,
  tagNames
} from './measurements.ts'
import type { Context, OutputRow, OutputSeries } from './select.ts'

/** A list as a series whose rows have no time. */
export function listSeries(
  name: string,
  columns: readonly string[],
  rows: Iterable<readonly Cell[]>
): OutputSeries {
  const timeless = function* (): Generator<OutputRow> {
    for (const cells of rows) yield { timeUs: null, cells }
  }
  return { name, tags: null, columns, timeNs: null, rows: timeless() }
}

/** @throws {VarveError} VARVE_INFLUXQL_EVAL, VARVE_REGEX */
export function* showSeries(context: Context, statement: ShowStatement): Generator<OutputSeries> {
  const { source, budget } = context
  const condition = splitCondition(statement.where, BigInt(context.nowUs) * 1000n, '')
  const measurements = findMeasurements(source, statement.sources, budget)
    .map(({ name, members }) => ({
      name,
      members: members.filter(({ labels }) => {
        const test = compileCondition(condition.rest, { labels, fieldSlot: () => -1 })
        return test === true
      })
    }))
    .filter(({ members }) => members.length > 0)
  const paged = <T>(all: readonly T[]): readonly T[] =>
    page(statement.isDescending ? [...all].reverse() : all, statement.rows)
  if (statement.of === 'measurements') {
    const names = paged(measurements.map(({ name }) => [name]))
    if (names.length > 0) yield listSeries('measurements', ['name'], names)
    return
  }
  if (statement.of === 'series') {
    const keys = measurements.flatMap(({ name, members }) =>
      members.map(({ labels }) => seriesKey(name, labels))
    )
    const shown = paged([...new Set(keys)].sort(compare))
    if (shown.length > 0)
      yield listSeries(
        '',
        ['key'],
        shown.map(key => [key])
      )
    return
  }
  for (const measurement of measurements) {
    budget.check()
    const rows = paged(rowsOf(context, statement, measurement))
    if (rows.length > 0) yield listSeries(measurement.name, COLUMNS[statement.of], rows)
  }
}

const COLUMNS = {
  'field keys': ['fieldKey', 'fieldType'],
  'tag keys': ['tagKey'],
  'tag values': ['key', 'value']
} as const

function rowsOf(
  { source, budget }: Context,
  { of, key }: ShowStatement,
  measurement: Measurement
): readonly Cell[][] {
  if (of === 'field keys') {
    const kinds = fieldKinds(source, measurement, budget)
    return [...kinds].sort(([a], [b]) => compare(a, b)).map(([name, kind]) => [name, KIND_WORDS[kind]])
  }
  const names = tagNames([measurement])
  if (of === 'tag keys') return names.map(name => [name])
  const isWanted = keyTest(key!)
  return names
    .filter(isWanted)
    .flatMap(name => valuesOf(measurement.members, name).map(value => [name, value]))
}

function keyTest(key: KeyCondition): (name: string) => boolean {
  if ('names' in key) return name => key.names.includes(name) === (key.op === '=')
  const matches = regexTest(key.regex)
  return name => matches(name) === (key.op === '=~')
}

function valuesOf(members: readonly Member[], name: string): string[] {
  const values = new Set<string>()
  for (const { labels } of members) {
    const value = labelValue(labels, name)
    if (value !== '') values.add(value)
  }
  return [...values].sort(compare)
}

/** As line protocol writes it. */
function seriesKey(name: string, labels: Labels): string {
  const escaped = (text: string) => text.replace(/[, =]/g, '\\$&')
  return [
    name.replace(/[, ]/g, '\\$&'),
    ...labels.map(([tag, value]) => `${escaped(tag)}=${escaped(value)}`)
  ].join()
}

function page<T>(all: readonly T[], { limit, offset }: Page): readonly T[] {
  return all.slice(offset, limit === 0 ? undefined : offset + limit)
}
