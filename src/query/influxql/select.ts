// A SELECT, from the measurements that it names to the series of its answer.
//
// Each tag set of GROUP BY is one series. Rows are made as they are asked for; what is held is windows with
// values, or the open runs of the series of one tag set.
// Not here: what WHERE says (condition.ts), functions (aggregate.ts), bytes (encode.ts).
import { VarveError } from '../../base/errors.ts'
import type { Expr, Page, SelectStatement } from '../../influxql/ast.ts'
import { labelValue } from '../../series/label.ts'
import { TIME_MAX_US } from '../../series/sample.ts'
import type { SeriesSource } from '../../series/source.ts'
import type { Cell } from '../answer.ts'
import type { Budget } from '../limits.ts'
import { type AggregateFacts, callResults } from './aggregate.ts'
import { compileResult, joined } from './call-rows.ts'
import { type Plan, planColumns } from './columns.ts'
import {
  type Condition,
  compileCondition,
  compileValue,
  type RowTest,
  splitCondition,
  tagCondition
} from './condition.ts'
import {
  fieldKinds,
  fieldNames,
  findMeasurements,
  type Measurement,
  narrowed,
  sortedMembers,
  tagNames
} from './measurements.ts'
import { SELECTORS } from './reduce.ts'
import type { RegexTests } from './regex-tests.ts'
import { mergedRows, type Reading } from './rows.ts'
import { chosen, compareLists, dimensionsOf, type TagSet } from './tag-sets.ts'
import { TimeWindows } from './zone.ts'

/** One series of an answer; what encode.ts writes. */
export interface OutputSeries {
  readonly name: string
  /** Null where GROUP BY names no tags. */
  readonly tags: Readonly<Record<string, string>> | null
  readonly columns: readonly string[]
  /** Where the time column holds one time for all rows, ns. */
  readonly timeNs: bigint | null
  /** Null times: the first column is a cell like the others. */
  readonly rows: Iterable<OutputRow>
}

export interface OutputRow {
  readonly timeUs: number | null
  readonly cells: readonly Cell[]
}

export interface Context {
  readonly source: SeriesSource
  readonly budget: Budget
  readonly nowUs: number
  readonly regexes: RegexTests
}

/** @throws {VarveError} VARVE_INFLUXQL_EVAL, VARVE_QUERY_*, VARVE_REGEX */
export function* selectSeries(context: Context, statement: SelectStatement): Generator<OutputSeries> {
  const { source, budget, nowUs, regexes } = context
  const condition = splitCondition(statement.where, BigInt(nowUs) * 1000n, statement.zone)
  const measurements = findMeasurements(source, statement.sources, regexes, budget)
  const dimensions = dimensionsOf(source, statement, measurements, regexes)
  const kinds = () => {
    const all = new Map<string, 0 | 1 | 2 | 3>()
    for (const one of measurements)
      for (const [name, kind] of fieldKinds(source, one, budget)) all.set(name, kind)
    return all
  }
  const fields = [...new Set(measurements.flatMap(one => fieldNames(source, one)))].sort()
  // As InfluxDB has it, a pattern in GROUP BY takes all tags out of a wildcard.
  const isOpen = statement.groupBy.tags.every(tag => 'name' in tag)
  const tags = isOpen ? tagNames(source, measurements).filter(name => !dimensions.includes(name)) : []
  const plan = planColumns(statement, { fields, tags, kinds, regexes })
  const selecting = new Selecting(context, statement, plan, condition, dimensions)
  let series = 0
  const ordered = statement.isDescending ? [...measurements].reverse() : measurements
  for (const measurement of ordered) {
    const sets = selecting.tagSets(measurement)
    for (const { readings } of sets) series += readings.length
    if (series > budget.limits.seriesMax) {
      throw new VarveError(
        'VARVE_QUERY_SERIES',
        `Cannot select series: more than ${budget.limits.seriesMax} match; narrow the condition`
      )
    }
    for (const set of chosen(sets, statement.series, dimensions)) yield selecting.output(measurement, set)
  }
}

/** What a name without a `tag` cast may be, in a statement over one measurement. */
function fieldsUsed(expr: Expr | null): string[] {
  const names: string[] = []
  const walk = (at: Expr): void => {
    if (at.is === 'paren') walk(at.of)
    else if (at.is === 'binary') {
      walk(at.left)
      walk(at.right)
    } else if (at.is === 'field' && at.cast !== 'tag') names.push(at.name)
  }
  if (expr !== null) walk(expr)
  return names
}

class Selecting {
  private readonly context: Context
  private readonly statement: SelectStatement
  private readonly plan: Plan
  private readonly condition: Condition
  private readonly dimensions: readonly string[]

  constructor(
    context: Context,
    statement: SelectStatement,
    plan: Plan,
    condition: Condition,
    dimensions: readonly string[]
  ) {
    this.context = context
    this.statement = statement
    this.plan = plan
    this.condition = condition
    this.dimensions = dimensions
  }

  /** The fields that rows are read with: those of the columns (or calls) first, then those of WHERE. */
  private slots(measurement: Measurement): string[] {
    const { plan, condition } = this
    const known = new Set(fieldNames(this.context.source, measurement))
    const names: string[] = []
    if (plan.calls.length > 0) names.push(...plan.calls.map(({ field }) => field))
    else for (const { expr } of plan.columns) names.push(...fieldsUsed(expr))
    names.push(...fieldsUsed(condition.rest))
    return [...new Set(names)].filter(name => known.has(name))
  }

  /** The series that fulfil WHERE as far as it speaks of tags, by the tags of GROUP BY. */
  tagSets(measurement: Measurement): TagSet[] {
    const { condition, dimensions, plan } = this
    const { source, regexes } = this.context
    const slots = this.slots(measurement)
    const wanted =
      plan.calls.length > 0
        ? plan.calls.map(({ field }) => field)
        : plan.columns.flatMap(({ expr }) => fieldsUsed(expr))
    // Rows of calls are read with the condition's fields in front.
    const order = plan.calls.length > 0 ? this.conditionFields(measurement) : slots
    const sets = new Map<string, TagSet>()
    const known = new Set(fieldNames(source, measurement))
    const { matchers } = tagCondition(condition.rest, name => known.has(name))
    for (const member of sortedMembers(source, narrowed(source, measurement, matchers))) {
      if (!wanted.some(name => member.fields.has(name))) continue
      const names = { labels: member.labels, regexes, fieldSlot: (name: string) => order.indexOf(name) }
      const test: boolean | RowTest = compileCondition(condition.rest, names)
      if (test === false) continue
      const values = dimensions.map(name => labelValue(member.labels, name))
      const key = JSON.stringify(values)
      let set = sets.get(key)
      if (set === undefined) sets.set(key, (set = { values, readings: [] }))
      set.readings.push({ member, test })
    }
    const sorted = [...sets.values()].sort((a, b) => compareLists(a.values, b.values))
    return this.statement.isDescending ? sorted.reverse() : sorted
  }

  private conditionFields(measurement: Measurement): string[] {
    const known = new Set(fieldNames(this.context.source, measurement))
    return [...new Set(fieldsUsed(this.condition.rest))].filter(name => known.has(name))
  }

  output(measurement: Measurement, { values, readings }: TagSet): OutputSeries {
    const { dimensions, plan, statement, condition } = this
    const tags =
      dimensions.length === 0 ? null : Object.fromEntries(dimensions.map((name, i) => [name, values[i]!]))
    const isOne =
      plan.calls.length > 0 && plan.stepUs === 0 && plan.calls.every(({ reducer }) => reducer !== null)
    const rows =
      plan.calls.length === 0
        ? paged(this.plainRows(measurement, readings), statement.rows)
        : this.callRows(measurement, readings)
    return {
      name: measurement.name,
      tags,
      columns: [plan.timeName, ...plan.columns.map(({ name }) => name)],
      timeNs: isOne && !this.hasOwnTime ? (condition.span.minNs ?? 0n) : null,
      rows: counted(rows, this.context.budget)
    }
  }

  private get hasOwnTime(): boolean {
    const { calls, stepUs } = this.plan
    return stepUs === 0 && calls.length === 1 && SELECTORS.includes(calls[0]!.reducer ?? '')
  }

  /** The span to read, us: both ends in it. */
  private span(): { fromUs: number; toUs: number } {
    const { minNs, maxNs } = this.condition.span
    const bound = (ns: bigint) => Math.max(-1, Math.min(TIME_MAX_US, Number(ns)))
    const fromUs = minNs === null ? 0 : bound(minNs <= 0n ? 0n : (minNs + 999n) / 1000n)
    const openUs = this.plan.stepUs > 0 ? this.context.nowUs : TIME_MAX_US
    const toUs = maxNs === null ? openUs : bound(maxNs < 0n ? -1n : maxNs / 1000n)
    return { fromUs, toUs }
  }

  private *plainRows(measurement: Measurement, readings: readonly Reading[]): Generator<OutputRow> {
    const { context, plan, statement } = this
    const { fromUs, toUs } = this.span()
    if (fromUs > toUs) return
    const fields = this.slots(measurement)
    const columns = new Map<Reading, ((cells: readonly Cell[]) => Cell)[]>()
    const shown = new Set(plan.columns.flatMap(({ expr }) => fieldsUsed(expr)))
    const counted = fields.flatMap((name, slot) => (shown.has(name) ? [slot] : []))
    const order = statement.isDescending ? 'desc' : 'asc'
    for (const { timeUs, reading, cells } of mergedRows(
      context.source,
      readings,
      { fields, fromUs, toUs, order },
      context.budget
    )) {
      if (!counted.some(slot => cells[slot] !== null)) continue
      let values = columns.get(reading)
      if (values === undefined) {
        const { labels } = reading.member
        const names = { labels, regexes: context.regexes, fieldSlot: (name: string) => fields.indexOf(name) }
        values = plan.columns.map(({ expr }) => {
          const value = compileValue(expr, names)
          const isTag = expr.is === 'field' && (expr.cast === 'tag' || !fields.includes(expr.name))
          return isTag ? cells => value(cells) || null : value
        })
        columns.set(reading, values)
      }
      yield { timeUs, cells: values.map(value => value(cells)) }
    }
  }

  private *callRows(measurement: Measurement, readings: readonly Reading[]): Generator<OutputRow> {
    const { context, plan, statement } = this
    const { groupBy, zone, isDescending, fill } = statement
    const { fromUs, toUs } = this.span()
    if (fromUs > toUs) return
    const windows =
      plan.stepUs === 0
        ? null
        : new TimeWindows(plan.stepUs, Math.trunc(Number(groupBy.offsetNs) / 1000), zone)
    const facts: AggregateFacts = {
      calls: plan.calls,
      windows,
      fill,
      fromUs,
      toUs,
      isBounded: this.condition.span.minNs !== null,
      order: isDescending ? 'desc' : 'asc',
      hasOwnTime: this.hasOwnTime,
      conditionFields: this.conditionFields(measurement)
    }
    // As InfluxDB has it, LIMIT counts the results of each call: rows of several calls may be more.
    const results = callResults(context.source, readings, facts, context.budget).map(one =>
      paged(one, statement.rows)
    )
    const values = plan.columns.map(({ expr }) => compileResult(expr, plan))
    for (const { timeUs, cells } of joined(results, plan, fill, isDescending ? -1 : 1)) {
      yield { timeUs, cells: values.map(value => value(cells)) }
    }
  }
}

function* paged<T>(all: Iterable<T>, { limit, offset }: Page): Generator<T> {
  let at = 0
  for (const one of all) {
    if (at++ < offset) continue
    yield one
    if (limit > 0 && at >= offset + limit) return
  }
}

function* counted(rows: Iterable<OutputRow>, budget: Budget): Generator<OutputRow> {
  for (const row of rows) {
    budget.row()
    yield row
  }
}
