// How much one message may hold, and the ways in which a message can fail. Every parser of ingest takes
// these limits, so that no payload costs more than its bytes allow.
// Not here: how large a packet may be (broker), how many series there may be (series).

export interface IngestLimits {
  /** Objects and arrays inside one another. */
  readonly depthMax: number
  /** Fields of one row. */
  readonly fieldsMax: number
  /** Tokens of one message: values, keys and brackets. */
  readonly tokensMax: number
  /** UTF-8 bytes of the name of a field. */
  readonly nameBytesMax: number
  /** Bytes of one string, or of a payload that is kept. */
  readonly valueBytesMax: number
}

export const INGEST_LIMITS: IngestLimits = {
  depthMax: 16,
  fieldsMax: 512,
  tokensMax: 262_144,
  nameBytesMax: 512,
  valueBytesMax: 65_536
}

/**
 * Why a message was not stored; stable, counted and shown.
 * syntax: not the format it should be; depth, fields, size: a limit of IngestLimits; number: a number that
 * no double holds; utf8: bytes that are not text; name: an empty or too long field name; label: a label
 * that cannot be; time: an array of timed samples in which one has no time; series_limit: the store has too many
 * series.
 */
export const FAILURE_CODES = [
  'syntax',
  'depth',
  'fields',
  'size',
  'number',
  'utf8',
  'name',
  'label',
  'time',
  'series_limit'
] as const
export type FailureCode = (typeof FAILURE_CODES)[number]
