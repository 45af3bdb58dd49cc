// A SeriesSource over arrays of samples, each series a group of its own, with runs cut at random rows and
// the bits of every NaN kept.

import { VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { KahanSum } from '../../src/query/promql/range-functions.ts'
import { type Labels, labelValue } from '../../src/series/label.ts'
import { compileMatcher, type Matcher, NAME_LABEL } from '../../src/series/matcher.ts'
import type { Column, Run } from '../../src/series/run.ts'
import { KIND } from '../../src/series/sample.ts'
import type {
  Last,
  Order,
  ReadCost,
  SeriesNames,
  SeriesSource,
  Summary,
  SummaryColumn
} from '../../src/series/source.ts'
import { plainNames } from '../kit/plain-names.ts'

export interface ArraySeries {
  readonly name: string
  /** Without the name. */
  readonly labels: Labels
  /** us, ascending. */
  readonly times: Float64Array
  readonly values: Float64Array
}

/** The bits of a stale mark as a value; only ever copied as bytes. */
export const STALE = new Float64Array(new Uint32Array([2, 0x7ff00000]).buffer)

export class ArraySource implements SeriesSource {
  readonly all: readonly ArraySeries[]
  readonly tiers = []
  readonly names: SeriesNames
  readonly blocksRead = 0
  readonly goneUs = 0
  private readonly random: Random

  constructor(all: readonly ArraySeries[], seed = 1) {
    this.all = all
    this.names = plainNames(all.map(({ name, labels }, group) => ({ name, labels, group, key: name })))
    this.random = new Random(seed)
  }

  select(
    matchers: readonly Matcher[],
    _topic: string | null,
    limit: number,
    among?: Uint32Array
  ): Uint32Array {
    const tests = matchers.map(matcher => ({ name: matcher.name, test: compileMatcher(matcher) }))
    const ids = [...(among ?? this.all.keys())].filter(id => {
      const { name, labels } = this.all[id]!
      return tests.every(one => one.test(one.name === NAME_LABEL ? name : labelValue(labels, one.name)))
    })
    if (ids.length > limit) throw new VarveError('VARVE_QUERY_SERIES', 'Cannot select series: too many')
    return Uint32Array.from(ids)
  }

  place(id: number) {
    return { group: id, field: 0 }
  }

  series(id: number) {
    const { name, labels } = this.all[id]!
    return { id, name, labels, group: id, field: 0 }
  }

  group(id: number) {
    const { name, labels } = this.all[id]!
    return { id, name, labels, fields: ['value'] }
  }

  *runs(
    group: number,
    fields: readonly number[] | null,
    fromUs: number,
    toUs: number,
    order: Order = 'asc'
  ): Generator<Run> {
    const { times, values } = this.all[group]!
    let start = times.findIndex(time => time >= fromUs)
    if (start < 0) return
    let end = times.findLastIndex(time => time <= toUs) + 1
    while (start < end) {
      const n = Math.min(end - start, 1 + this.random.below(20))
      const from = order === 'asc' ? start : end - n
      if (order === 'asc') start += n
      else end -= n
      const numbers = values.slice(from, from + n)
      const columns =
        fields?.length === 0
          ? []
          : [{ field: 0, kind: KIND.number, present: null, count: n, numbers, texts: null }]
      yield { rows: n, times: times.slice(from, from + n), columns }
    }
  }

  costOf(): ReadCost {
    return { rows: 0, chunks: 0, spanUs: 0 }
  }

  rawFromUs(): number {
    return 0
  }

  /** Runs within one window come as their summary now and then, as chunks do. */
  *folds(
    group: number,
    fields: readonly number[],
    fromUs: number,
    toUs: number,
    stepUs: number,
    _: boolean,
    originUs = 0
  ): Generator<Run | Summary> {
    for (const run of this.runs(group, fields, fromUs, toUs)) {
      const [firstUs, lastUs] = [run.times[0]!, run.times[run.rows - 1]!]
      const isOneWindow =
        Math.floor((firstUs - originUs) / stepUs) === Math.floor((lastUs - originUs) / stepUs)
      if (!isOneWindow || this.random.chance(0.3)) yield run
      else yield { firstUs, lastUs, columns: run.columns.map(summarised) }
    }
  }

  last(group: number, _: readonly number[] | null, toUs: number): Last[] {
    const { times, values } = this.all[group]!
    const at = times.findLastIndex(time => time <= toUs)
    return at < 0 ? [] : [{ field: 0, kind: KIND.number, timeUs: times[at]!, value: values[at]! }]
  }

  close(): void {}
}

/** A column as the head of a chunk tells it (series/column-stats.ts). */
function summarised({ field, kind, count, numbers }: Column): SummaryColumn {
  const values = numbers!.subarray(0, count)
  const known = values.filter(value => !Number.isNaN(value))
  const total = new KahanSum()
  for (const value of known) total.add(value)
  const [first, last] = [values[0]!, values[count - 1]!]
  const min = known.length === 0 ? Number.NaN : known.reduce((a, b) => Math.min(a, b))
  const max = known.length === 0 ? Number.NaN : known.reduce((a, b) => Math.max(a, b))
  return { field, kind, count, nans: count - known.length, first, last, min, max, sum: total.total }
}
