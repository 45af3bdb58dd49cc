// Questions that a thread asks itself while nobody else does: V8 compiles a function when it is first called, and
// well when it was called often, so the first question to a new thread took three times as long as the tenth.
// Rehearsed are the ways that questions take (newest values, samples, windows, PromQL) over the newest samples
// of a few neighbouring groups, whose blocks are few: what a later question reads is still to be read.
//
// Invariants: it ends between two questions when it is cancelled or its time is up; what goes wrong in it (a damaged block, a limit) is for
// the question that somebody asks to tell. Not here: when it runs (daemon/workers.ts).
import { VarveError } from '../base/errors.ts'
import type { SeriesSource } from '../series/source.ts'
import { answer, type QueryContext } from './evaluate.ts'
import type { QueryRequest, RangeRequest } from './request.ts'

const GROUPS = 12
const ROUNDS = 6
const HOUR_US = 3_600_000_000
const WINDOW_US = 300_000_000
const NAME = /^[a-zA-Z_]\w*$/

/** @param groups  how many groups there are @param msMax  no question is begun after this long */
export function rehearse(source: SeriesSource, groups: number, context: QueryContext, msMax: number): void {
  const { clock } = context
  const untilMs = clock.monotonicMs() + msMax
  const first = Math.max(0, (groups >>> 1) - (GROUPS >>> 1))
  for (let round = 0; round < ROUNDS; round++) {
    for (let group = first; group < Math.min(groups, first + GROUPS); group++) {
      for (const request of questionsOf(source, group)) {
        if (context.isCancelled() || clock.monotonicMs() > untilMs) return
        try {
          for (const _ of answer(source, request, context));
        } catch (error) {
          if (!(error instanceof VarveError)) throw error
        }
      }
    }
  }
}

function questionsOf(source: SeriesSource, group: number): QueryRequest[] {
  const { name, labels } = source.group(group)
  const newest = source.last(group, null, Number.MAX_SAFE_INTEGER)[0]
  if (newest === undefined) return []
  const toUs = newest.timeUs
  const field = source.group(group).fields[newest.field]!
  const series = field === 'value' ? name : `${name}_${field}`
  const matchers = [['__name__', series] as const, ...labels].map(([label, value]) => ({
    name: label,
    op: '=' as const,
    value
  }))
  const common = {
    select: { selectors: [matchers], topic: null },
    format: 'json',
    time: 'us',
    limit: null
  } as const
  const range: RangeRequest = {
    ...common,
    kind: 'range',
    order: 'asc',
    fromUs: toUs - HOUR_US,
    toUs,
    windows: null
  }
  const windows = {
    stepUs: WINDOW_US,
    functions: ['avg', 'max'],
    by: [],
    tier: 'auto',
    explain: false
  } as const
  const found: QueryRequest[] = [{ ...common, kind: 'last', toUs }, range, { ...range, windows }]
  if (!matchers.every(({ name, value }) => NAME.test(name) && (name !== '__name__' || NAME.test(value))))
    return found
  const text = `${series}{${labels.map(([label, value]) => `${label}=${JSON.stringify(value)}`).join(',')}}`
  const asked = {
    lookbackUs: WINDOW_US,
    subqueryStepUs: WINDOW_US,
    rules: '3',
    secondsMax: null,
    limit: null,
    tier: 'auto',
    explain: false
  } as const
  for (const query of [
    text,
    `${text}[1h]`,
    `topk(5, max_over_time(${text}[1h]))`,
    `sum(count_over_time(${text}[1h]))`
  ]) {
    found.push({ ...asked, kind: 'promql-instant', query, timeUs: toUs })
  }
  for (const fn of ['avg', 'max']) {
    const query = `avg(${fn}_over_time(${text}[5m]))`
    found.push({
      ...asked,
      kind: 'promql-range',
      query,
      startUs: toUs - HOUR_US,
      endUs: toUs,
      stepUs: WINDOW_US
    })
  }
  return found
}
