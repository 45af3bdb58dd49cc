// What a sample may hold. A sample is (timestamp, value): the timestamp an integer of microseconds since
// the Unix epoch in a JS number, exact far beyond our span; the value one of four kinds. A series may change its
// kind from one sample to the next (a sensor that says 21.4 and then "unavailable"): storage keeps a
// column per (field, kind), and a reader sees both.
//
// Not here: what a payload looks like (ingest), how values are packed (codec-*.ts).

/** The kind of a value, as stored. Numbers never change: they are in every segment. */
export const KIND = { number: 0, boolean: 1, string: 2, bytes: 3 } as const
export type Kind = (typeof KIND)[keyof typeof KIND]
export const KIND_NAMES = ['number', 'boolean', 'string', 'bytes'] as const

/** A value as it is handed to people and faces; bytes are a view that must be copied to be kept. */
export type Value = number | boolean | string | Uint8Array

/**
 * The timestamps we accept: 1970-01-01 to 2112-09-17, in microseconds. The span is 2^52 wide so that the
 * difference of any two still fits a zigzag varint of 53 bits, which the WAL counts on.
 */
export const TIME_MIN_US = 0
export const TIME_MAX_US = 2 ** 52 - 1

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** The value of kind string or bytes that lies in bytes[start, end); always a copy. */
export function textValue(bytes: Uint8Array, start: number, end: number, kind: Kind): Value {
  const own = bytes.slice(start, end)
  return kind === KIND.string ? utf8.decode(own) : own
}
