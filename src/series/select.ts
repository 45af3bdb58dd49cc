// Which series match. Each condition is tried on the distinct values of its label (catalog-names.ts), and only on
// those that series which pass the cheaper ones have; the pass over series compares numbers: 100,000 of them take
// about a millisecond in a worker.
//
// Not here: the tests themselves (matcher.ts, topic-filter.ts).
import { VarveError } from '../base/errors.ts'
import type { Catalog } from './catalog.ts'
import type { ValueColumn } from './catalog-names.ts'
import { compileMatcher, type Matcher, NAME_LABEL } from './matcher.ts'
import { checkTopicFilter, topicMatches } from './topic-filter.ts'

/** A test of a column's values, each tried once. */
class ValueTest {
  private readonly column: ValueColumn
  private readonly test: (value: string) => boolean
  /** By number: 1 passed, 2 did not. */
  private readonly known: Uint8Array

  constructor(column: ValueColumn, test: (value: string) => boolean) {
    this.column = column
    this.test = test
    this.known = new Uint8Array(column.count + 1)
  }

  /** @param id  of a group for labels, of a series for names */
  passes(id: number): boolean {
    const number = this.column.of[id]!
    const known = this.known[number]!
    if (known !== 0) return known === 1
    const passed = this.test(this.column.text(number))
    this.known[number] = passed ? 1 : 2
    return passed
  }
}

/**
 * Ids of the series that match, ascending.
 * @param among  ids, ascending, of those that may be chosen; all when left out
 * @throws {VarveError} VARVE_QUERY_SERIES when there are more than `limit`; what compileMatcher() throws
 */
export function selectSeries(
  catalog: Catalog,
  matchers: readonly Matcher[],
  topicFilter: string | null,
  limit: number,
  among?: Uint32Array
): Uint32Array {
  const { names } = catalog
  const nameTests: ValueTest[] = []
  const labelTests: ValueTest[] = []
  const exact: { of: Uint32Array; number: number }[] = []
  for (const matcher of matchers) {
    const test = compileMatcher(matcher)
    if (matcher.name === NAME_LABEL) nameTests.push(new ValueTest(names.seriesNames(), test))
    else if (matcher.op === '=' && matcher.value !== '') {
      const column = names.label(matcher.name)
      exact.push({ of: column.of, number: column.find(matcher.value) })
    } else labelTests.push(new ValueTest(names.label(matcher.name), test))
  }
  if (topicFilter !== null) {
    checkTopicFilter(topicFilter)
    labelTests.push(new ValueTest(names.label('topic'), topic => topicMatches(topicFilter, topic)))
  }
  if (exact.some(({ number }) => number === 0)) return new Uint32Array(0)
  const found: number[] = []
  const count = among?.length ?? names.seriesCount
  for (let i = 0; i < count; i++) {
    const id = among?.[i] ?? i
    const group = names.groupOf(id)
    if (!exact.every(({ of, number }) => of[group] === number)) continue
    if (!nameTests.every(test => test.passes(id))) continue
    if (!labelTests.every(test => test.passes(group))) continue
    found.push(id)
    if (found.length > limit) {
      throw new VarveError(
        'VARVE_QUERY_SERIES',
        `Cannot select series: more than ${limit} match; narrow the matchers or raise the limit`
      )
    }
  }
  return Uint32Array.from(found)
}
