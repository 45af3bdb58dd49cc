// GROUP BY tags: each combination of their values is one series of the answer; which are shown, and in what order.
import type { Page, SelectStatement } from '../../influxql/ast.ts'
import type { SeriesSource } from '../../series/source.ts'
import { compare, type Measurement, tagNames } from './measurements.ts'
import type { RegexTests } from './regex-tests.ts'
import type { Reading } from './rows.ts'

export interface TagSet {
  readonly values: readonly string[]
  readonly readings: Reading[]
}

/** The tags of GROUP BY, sorted. */
export function dimensionsOf(
  source: SeriesSource,
  { groupBy }: SelectStatement,
  measurements: readonly Measurement[],
  regexes: RegexTests
): string[] {
  const found = new Set<string>()
  for (const tag of groupBy.tags) {
    if ('name' in tag) found.add(tag.name)
    else {
      const isWanted = 'regex' in tag ? regexes.of(tag.regex) : () => true
      for (const name of tagNames(source, measurements)) if (isWanted(name)) found.add(name)
    }
  }
  return [...found].sort()
}

/** SLIMIT and SOFFSET: they count tag sets by another order than the one in which they are shown. */
export function chosen(
  sets: readonly TagSet[],
  { limit, offset }: Page,
  dimensions: readonly string[]
): readonly TagSet[] {
  if (limit === 0 && offset === 0) return sets
  const key = ({ values }: TagSet) => {
    const present = values.flatMap((value, i) => (value === '' ? [] : [i]))
    return [...present.map(i => dimensions[i]), ...present.map(i => values[i])].join('|')
  }
  const inOrder = [...sets].sort((a, b) => compare(key(a), key(b)))
  const kept = new Set(inOrder.slice(offset, limit === 0 ? undefined : offset + limit))
  return sets.filter(set => kept.has(set))
}

/** Order of tag sets in an answer. */
export function compareLists(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < a.length; i++) {
    const order = compare(a[i]!, b[i]!)
    if (order !== 0) return order
  }
  return 0
}
