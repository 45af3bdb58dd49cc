// SHOW: lists of measurements, fields, tags, their values, and series. WHERE narrows by tags; times in it
// narrow nothing, as in InfluxDB before 1.8.
import type { KeyCondition, Page, ShowStatement } from '../../influxql/ast.ts'
import type { Labels } from '../../series/label.ts'
import type { Cell } from '../answer.ts'
import { compileCondition, splitCondition, tagCondition } from './condition.ts'
import {
  compare,
  fieldKinds,
  findMeasurements,
  KIND_WORDS,
  type Measurement,
  members,
  narrowed,
  tagNames
} from './measurements.ts'
import type { RegexTests } from './regex-tests.ts'
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

/** The measurements of a statement, each with the series that fulfil WHERE as far as it speaks of tags. */
function shown(
  { source, budget, nowUs, regexes }: Context,
  { where, sources }: ShowStatement
): Measurement[] {
  const { rest } = splitCondition(where, BigInt(nowUs) * 1000n, '')
  const { matchers, isAll } = tagCondition(rest, () => false)
  return findMeasurements(source, sources, regexes, budget)
    .map(measurement => {
      const part = narrowed(source, measurement, matchers)
      if (isAll) return part
      const fulfil = (id: number) => {
        const { labels } = source.series(id)
        return compileCondition(rest, { labels, regexes, fieldSlot: () => -1 }) === true
      }
      return { name: part.name, ids: part.ids.filter(fulfil) }
    })
    .filter(({ ids }) => ids.length > 0)
}

/** @throws {VarveError} VARVE_INFLUXQL_EVAL, VARVE_REGEX */
export function* showSeries(context: Context, statement: ShowStatement): Generator<OutputSeries> {
  const { source, budget } = context
  const measurements = shown(context, statement)
  const paged = <T>(all: readonly T[]): readonly T[] =>
    page(statement.isDescending ? [...all].reverse() : all, statement.rows)
  if (statement.of === 'measurements') {
    const names = paged(measurements.map(({ name }) => [name]))
    if (names.length > 0) yield listSeries('measurements', ['name'], names)
    return
  }
  if (statement.of === 'series') {
    const keys = measurements.flatMap(one =>
      Array.from(members(source, one), ({ labels }) => seriesKey(one.name, labels))
    )
    const rows = paged([...new Set(keys)].sort(compare)).map(key => [key])
    if (rows.length > 0) yield listSeries('', ['key'], rows)
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
  { source, budget, regexes }: Context,
  { of, key }: ShowStatement,
  measurement: Measurement
): readonly Cell[][] {
  if (of === 'field keys') {
    const kinds = fieldKinds(source, measurement, budget)
    return [...kinds].sort(([a], [b]) => compare(a, b)).map(([name, kind]) => [name, KIND_WORDS[kind]])
  }
  const names = tagNames(source, [measurement])
  if (of === 'tag keys') return names.map(name => [name])
  const valuesOf = (name: string) => source.names.labelValues(name, measurement.ids).sort(compare)
  return names.filter(keyTest(key!, regexes)).flatMap(name => valuesOf(name).map(value => [name, value]))
}

function keyTest(key: KeyCondition, regexes: RegexTests): (name: string) => boolean {
  if ('names' in key) return name => key.names.includes(name) === (key.op === '=')
  const matches = regexes.of(key.regex)
  return name => matches(name) === (key.op === '=~')
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
