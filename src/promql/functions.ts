// The functions of PromQL: what they take and give. One table for the type check and the evaluation.
//
// `variadic` counts optional arguments at the end of `args`; -1 allows any number of the last one. All of
// Prometheus 2.42 are here, and what came since for float samples; holt_winters is the old name of
// double_exponential_smoothing. Of the experimental ones of 3.14 there are not: max_of and min_of, which the grammar
// does not know; info, which joins with a series of its own; start_timestamp, which nothing here has.
// Not here: what they compute (query/promql).
import type { ValueType } from './ast.ts'

export interface Signature {
  readonly args: readonly ValueType[]
  readonly variadic: number
  readonly returns: ValueType
}

function takes(args: readonly ValueType[], returns: ValueType = 'vector', variadic = 0): Signature {
  return { args, variadic, returns }
}

const OF_VECTOR = takes(['vector'])
const OF_MATRIX = takes(['matrix'])
const OF_DATE = takes(['vector'], 'vector', 1)

function all(names: string, signature: Signature): [string, Signature][] {
  return names.split(' ').map(name => [name, signature])
}

export const FUNCTIONS: ReadonlyMap<string, Signature> = new Map<string, Signature>([
  ...all(
    'abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor ln log10 log2 rad sgn sin sinh' +
      ' sort sort_desc sqrt tan tanh timestamp',
    OF_VECTOR
  ),
  ...all('histogram_avg histogram_count histogram_stddev histogram_stdvar histogram_sum', OF_VECTOR),
  ...all(
    'absent_over_time avg_over_time changes count_over_time delta deriv first_over_time idelta increase irate' +
      ' last_over_time mad_over_time max_over_time min_over_time present_over_time rate resets' +
      ' stddev_over_time stdvar_over_time sum_over_time ts_of_first_over_time ts_of_last_over_time' +
      ' ts_of_max_over_time ts_of_min_over_time',
    OF_MATRIX
  ),
  ...all('day_of_month day_of_week day_of_year days_in_month hour minute month year', OF_DATE),
  ...all('end pi range start step time', takes([], 'scalar')),
  ['clamp', takes(['vector', 'scalar', 'scalar'])],
  ['clamp_max', takes(['vector', 'scalar'])],
  ['clamp_min', takes(['vector', 'scalar'])],
  ['double_exponential_smoothing', takes(['matrix', 'scalar', 'scalar'])],
  ['histogram_fraction', takes(['scalar', 'scalar', 'vector'])],
  ['histogram_quantile', takes(['scalar', 'vector'])],
  ['histogram_quantiles', takes(['vector', 'string', 'scalar', 'scalar'], 'vector', 9)],
  ['holt_winters', takes(['matrix', 'scalar', 'scalar'])],
  ['label_join', takes(['vector', 'string', 'string', 'string'], 'vector', -1)],
  ['label_replace', takes(['vector', 'string', 'string', 'string', 'string'])],
  ['predict_linear', takes(['matrix', 'scalar'])],
  ['quantile_over_time', takes(['scalar', 'matrix'])],
  ['round', takes(['vector', 'scalar'], 'vector', 1)],
  ['scalar', takes(['vector'], 'scalar')],
  ['sort_by_label', takes(['vector', 'string'], 'vector', -1)],
  ['sort_by_label_desc', takes(['vector', 'string'], 'vector', -1)],
  ['vector', takes(['scalar'])]
])
