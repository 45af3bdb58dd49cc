// What a sample may hold. A sample is (timestamp, value): the timestamp an integer of microseconds since
// the Unix epoch in a JS number, exact until 2255; the value one of four kinds. A series may change its
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

/** The span of timestamps we accept: 1900-01-01 to 2255-06-05, in microseconds. */
export const TIME_MIN_US = -2_208_988_800_000_000
export const TIME_MAX_US = Number.MAX_SAFE_INTEGER
