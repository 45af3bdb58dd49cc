// Matchers: what a query says about labels. As in Prometheus a label that a series does not have reads as
// '', and a regular expression must match the whole value.
// Not here: their text form (selector.ts), finding series by them (catalog, postings).
import { Regex } from './regex.ts'

export const MATCHER_OPS = ['=', '!=', '=~', '!~'] as const

/** The label that stands for the name of a series. */
export const NAME_LABEL = '__name__'

/** A condition on the value of one label; NAME_LABEL means the name of the series. Plain data. */
export interface Matcher {
  readonly name: string
  readonly op: (typeof MATCHER_OPS)[number]
  readonly value: string
}

/**
 * The test of a matcher, for as many values as it is asked about.
 * @throws {VarveError} VARVE_REGEX when its expression cannot be read; the test itself throws
 * VARVE_REGEX_COST when the values so far cost too much
 */
export function compileMatcher(matcher: Matcher): (value: string) => boolean {
  const { op, value: wanted } = matcher
  if (op === '=') return value => value === wanted
  if (op === '!=') return value => value !== wanted
  const regex = new Regex(wanted)
  return op === '=~' ? value => regex.test(value) : value => !regex.test(value)
}
