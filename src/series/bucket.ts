// Buckets: fixed spans of time, aligned to the epoch, that own segments. A segment holds one bucket of one
// retention class, so that retention drops whole files and never rewrites a byte.
//
// The span follows from how long the class is kept: short enough that dropping a bucket frees space in
// steps of a few percent, long enough that segments are few and large.
// Not here: what is dropped when (retention.ts), which class a group belongs to (the daemon's rules).
const HOUR_US = 3_600_000_000
const DAY_US = 24 * HOUR_US
/** Spans to choose from; each divides a day or is a whole number of days. */
const SPANS_US = [HOUR_US, 6 * HOUR_US, DAY_US, 7 * DAY_US, 28 * DAY_US]
/** How many buckets a class that is kept for a limited time should have at least. */
const BUCKETS_MIN = 20

/** A retention class: a name for the series that are kept for the same time. */
export interface RetentionClass {
  readonly name: string
  /** How long samples are kept, in us; Infinity: until space runs out. */
  readonly keepUs: number
  readonly spanUs: number
}

/** The span of the buckets of a class that keeps its samples for keepUs: at most a twentieth of it. */
export function spanFor(keepUs: number): number {
  let span = SPANS_US[0]!
  for (const candidate of SPANS_US) if (candidate * BUCKETS_MIN <= keepUs) span = candidate
  return keepUs === Number.POSITIVE_INFINITY ? 7 * DAY_US : span
}

/** The start of the bucket that a time lies in. */
export function bucketOf(timeUs: number, spanUs: number): number {
  return Math.floor(timeUs / spanUs) * spanUs
}
