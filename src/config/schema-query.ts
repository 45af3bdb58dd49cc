// The entries of what comes out of the store: what a query may cost, and what PromQL leaves open.
// Not here: how the entries are read (load.ts), what must hold between them (check.ts).
import { choice, count, duration, size } from './entry.ts'

export const query = {
  seriesMax: count({
    key: 'query.series_max',
    default: 20_000,
    min: 1,
    max: 10_000_000,
    live: true,
    what: 'Series that one query may read.',
    why: 'A query for everything should say so and stop, not take the memory of ingest.'
  }),
  samplesMax: count({
    key: 'query.samples_max',
    default: 200_000_000,
    min: 1000,
    max: 100_000_000_000,
    live: true,
    what: 'Samples that one query may read.',
    why: 'About as many as a Pi reads in query.time_max.'
  }),
  rowsMax: count({
    key: 'query.rows_max',
    default: 100_000_000,
    min: 100,
    max: 100_000_000_000,
    live: true,
    what: 'Rows of one answer: samples, windows, messages or series.',
    why: 'Answers are streamed, so this bounds time and not memory.'
  }),
  timeMax: duration({
    key: 'query.time_max',
    default: '30s',
    min: '100ms',
    max: '1h',
    live: true,
    what: 'Time that one query may take.',
    why: 'Browsers and proxies give up after 30 to 60 seconds.'
  }),
  bytesMax: size({
    key: 'query.bytes_max',
    default: '4GiB',
    min: '64KiB',
    max: '1TiB',
    live: true,
    what: 'Bytes of one answer, before compression.',
    why: 'A client that asked for too much should hear so before its disk is full.'
  }),
  memoryMax: size({
    key: 'query.memory_max',
    default: '64MiB',
    min: '1MiB',
    max: '4GiB',
    live: true,
    what: 'Bytes that one query may hold at a time, for windows and for merging topics.',
    why: 'Bounds the memory of a query; query.concurrency of them may run.'
  }),
  cacheMax: size({
    key: 'query.cache_max',
    default: '4MiB',
    min: '0',
    max: '1GiB',
    what: 'Bytes of answers kept for who asks the same again while nothing that it speaks of has changed; 0 keeps none.',
    why: 'A dashboard of the past that is opened twice costs nothing the second time; 4MiB are dozens of panels.'
  }),
  lookback: duration({
    key: 'query.lookback',
    default: '5m',
    min: '1s',
    max: '1d',
    what: 'How long a sample counts in PromQL where no newer one is, unless a query says so (lookback_delta).',
    why: "Prometheus' own; sensors that speak less often than every five minutes need more."
  }),
  rangeRules: choice({
    key: 'query.range_rules',
    default: '3',
    of: ['3', '2'],
    what: 'Ranges of PromQL are open at their start as in Prometheus 3, or closed as in 2, unless a query says so (rules).',
    why: 'Dashboards tuned to Prometheus 2 may count the sample at the start of a window.'
  }),
  subqueryStep: duration({
    key: 'query.subquery_step',
    default: '1m',
    min: '1s',
    max: '1d',
    what: 'Step of a PromQL subquery that names none.',
    why: 'Prometheus takes its evaluation interval, which is a minute by default.'
  }),
  pointsMax: count({
    key: 'query.points_max',
    default: 11_000,
    min: 100,
    max: 1_000_000,
    what: 'Steps of a PromQL range query.',
    why: "Prometheus' own bound: more than any screen has pixels, and memory grows with each."
  }),
  concurrency: count({
    key: 'query.concurrency',
    default: 2,
    min: 1,
    max: 64,
    what: 'Queries evaluated at the same time, each in its worker thread.',
    why: 'Two leave two cores of a Pi to ingest and flushing.'
  }),
  queueMax: count({
    key: 'query.queue_max',
    default: 100,
    min: 0,
    max: 10_000,
    what: 'Queries that may wait for a worker; further ones are answered 503.',
    why: 'A dashboard asks a dozen at once; a hundred waiting means nobody waits any more.'
  })
}
