// The questions that can be asked, as plain data: checked once at the face that took them (parameters.ts),
// then posted to a worker as they are. PromQL stays text until it is there: reading it is work too.
// Not here: their text form (parameters.ts), their answers (answer.ts).
import type { Statement } from '../influxql/ast.ts'
import type { Labels } from '../series/label.ts'
import type { Matcher } from '../series/matcher.ts'
import type { Order } from '../series/source.ts'

export const FORMATS = ['json', 'ndjson', 'csv', 'cbor'] as const
export type Format = (typeof FORMATS)[number]

/** How times are written: integers of microseconds, numbers of milliseconds or seconds, RFC 3339. */
export const TIME_STYLES = ['us', 'ms', 's', 'iso'] as const
export type TimeStyle = (typeof TIME_STYLES)[number]

/** What a window can say of its samples. */
export const WINDOW_FUNCTIONS = ['count', 'sum', 'min', 'max', 'avg', 'first', 'last'] as const
/** p50 or p99.9 is a quantile: exact from raw values, within the error of a tier's sketches else. */
export type WindowFunction = (typeof WINDOW_FUNCTIONS)[number] | `p${number}`

/** Which series: those of any selector (all when there is none) under the topic filter (when given). */
export interface Selection {
  readonly selectors: readonly (readonly Matcher[])[]
  readonly topic: string | null
}

interface Question {
  readonly select: Selection
  readonly format: Format
  readonly time: TimeStyle
  /** Most rows of the answer (of each series, for a range); null: no bound but the server's. */
  readonly limit: number | null
}

/** Which series are there. */
export interface SeriesRequest extends Question {
  readonly kind: 'series'
}

/** The newest sample of each series at or before a time. */
export interface LastRequest extends Question {
  readonly kind: 'last'
  readonly toUs: number
  /** Ids of series in place of a selection, those of a group together: only the daemon itself asks so. */
  readonly series?: readonly number[]
}

interface Span {
  /** Both ends are part of it. */
  readonly fromUs: number
  readonly toUs: number
  readonly order: Order
}

/** The samples of each series in a span, or what windows over them say. */
export interface RangeRequest extends Question, Span {
  readonly kind: 'range'
  readonly windows: WindowRequest | null
}

export interface WindowRequest {
  /** Length of a window; windows begin at multiples of it since the epoch. */
  readonly stepUs: number
  readonly functions: readonly WindowFunction[]
  /** Series of one name and equal in these labels are combined; null: each series stays alone. */
  readonly by: readonly string[] | null
  /** 'auto', 'raw' or the name of a rollup tier. */
  readonly tier: string
  /** Says from where the answer was read, instead of the answer. */
  readonly explain: boolean
}

/** The messages of topics in a span, merged by time. `select.topic` is given. */
export interface HistoryRequest extends Question, Span {
  readonly kind: 'history'
}

/** A group's row: where an export went on last. */
export interface ExportPlace {
  readonly name: string
  readonly labels: Labels
  readonly timeUs: number
}

/** Rows as an import takes them: group after group, each in the order of its times. */
export interface ExportRequest {
  readonly kind: 'export'
  readonly select: Selection
  readonly fromUs: number
  readonly toUs: number
  /** Most rows of this answer. */
  readonly limit: number
  /** Only what follows it; null: from the first row on. */
  readonly after: ExportPlace | null
}

/** The questions of the native face. */
export type NativeRequest = SeriesRequest | LastRequest | RangeRequest | HistoryRequest
export type QueryKind = NativeRequest['kind']

interface PromqlQuestion {
  /** PromQL as it was sent; read where it is evaluated. */
  readonly query: string
  /** How long a sample counts where no newer one is, us. */
  readonly lookbackUs: number
  /** Step of a subquery that names none, us. */
  readonly subqueryStepUs: number
  /** '3': ranges are open at their start; '2': closed, as in Prometheus 2. */
  readonly rules: '2' | '3'
  /** Seconds of work the client allows; null: the server's limit. */
  readonly secondsMax: number | null
  /** Most series of the answer; null: no bound but the server's. */
  readonly limit: number | null
  /** 'raw': samples alone are read. */
  readonly tier: 'auto' | 'raw'
  /** Says beside the answer from where it was read. */
  readonly explain: boolean
}

/** PromQL at one time. */
export interface PromqlInstantRequest extends PromqlQuestion {
  readonly kind: 'promql-instant'
  readonly timeUs: number
}

/** PromQL at each step from start to end, both included. */
export interface PromqlRangeRequest extends PromqlQuestion {
  readonly kind: 'promql-range'
  readonly startUs: number
  readonly endUs: number
  readonly stepUs: number
}

/** PromQL printed in its one form. */
export interface PromqlFormatRequest {
  readonly kind: 'promql-format'
  readonly query: string
}

/** Which series, names of labels or values of a label there are; in Prometheus' shapes. */
export interface PromqlListRequest {
  readonly kind: 'promql-series' | 'promql-labels' | 'promql-values' | 'promql-metadata'
  /** Selectors; series that any of them selects. None: all. */
  readonly match: readonly string[]
  /** The label of promql-values, the name (or '') of promql-metadata. */
  readonly name: string
  /** Series with samples between the two, both included. */
  readonly startUs: number
  readonly endUs: number
  readonly limit: number | null
}

export type PromqlRequest =
  | PromqlInstantRequest
  | PromqlRangeRequest
  | PromqlFormatRequest
  | PromqlListRequest

/** InfluxQL, read already: its statements say which databases a client believes in. */
export interface InfluxqlRequest {
  readonly kind: 'influxql'
  readonly statements: readonly Statement[]
  /** What SHOW DATABASES tells. */
  readonly databases: readonly string[]
  /** Unit of times as integers; null for RFC 3339. */
  readonly epoch: 'ns' | 'u' | 'ms' | 's' | 'm' | 'h' | null
  readonly isPretty: boolean
  /** Rows of a chunk; 0: one document. */
  readonly chunkRows: number
  readonly nowUs: number
}

/** One question of remote read: the samples of the series that match, both ends included. */
export interface RemoteQuery {
  readonly fromUs: number
  readonly toUs: number
  readonly matchers: readonly Matcher[]
}

export interface RemoteReadRequest {
  readonly kind: 'remote-read'
  readonly queries: readonly RemoteQuery[]
}

export type QueryRequest = NativeRequest | ExportRequest | PromqlRequest | InfluxqlRequest | RemoteReadRequest
