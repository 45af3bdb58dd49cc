// A SeriesSource over arrays of samples, each series a group of its own, with runs cut at random rows and
// the bits of every NaN kept.

import { VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { type Labels, labelValue } from '../../src/series/label.ts'
import { compileMatcher, type Matcher, NAME_LABEL } from '../../src/series/matcher.ts'
import type { Run } from '../../src/series/run.ts'
import { KIND } from '../../src/series/sample.ts'
import type { Last, Order, SeriesSource } from '../../src/series/source.ts'

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
  readonly blocksRead = 0
  private readonly random: Random

  constructor(all: readonly ArraySeries[], seed = 1) {
    this.all = all
    this.random = new Random(seed)
  }

  select(matchers: readonly Matcher[], _topic: string | null, limit: number): Uint32Array {
    const tests = matchers.map(matcher => ({ name: matcher.name, test: compileMatcher(matcher) }))
    const ids = [...this.all.keys()].filter(id => {
      const { name, labels } = this.all[id]!
      return tests.every(one => one.test(one.name === NAME_LABEL ? name : labelValue(labels, one.name)))
    })
    if (ids.length > limit) throw new VarveError('VARVE_QUERY_SERIES', 'Cannot select series: too many')
    return Uint32Array.from(ids)
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

  rawFromUs(): number {
    return 0
  }

  folds(group: number, fields: readonly number[], fromUs: number, toUs: number): Generator<Run> {
    return this.runs(group, fields, fromUs, toUs)
  }

  last(): Last[] {
    return []
  }

  close(): void {}
}
