// What an evaluation gives to an encoder: the shape of the answer first, then its rows as they are read, so
// that nothing of it need be in memory at once.
//
// Invariants: a row, its cells and a message may be overwritten when the next is asked for; the rows of a
// part must be taken (or left) before the next part is asked for.
// Not here: reading (list, last, range, history), writing (encode-*.ts).
import { isUtf8 } from 'node:buffer'
import type { Labels } from '../series/label.ts'
import type { Value } from '../series/sample.ts'

/** A value of an answer; null says that there is none. */
export type Cell = Value | null

/** One series of the answer, or several combined. */
export interface Part {
  readonly name: string
  readonly labels: Labels
  readonly rows: Iterable<Row>
}

export interface Row {
  timeUs: number
  /** As many as the answer has columns. */
  readonly cells: Cell[]
}

/** The fields that one message brought. */
export interface Message {
  timeUs: number
  topic: string
  /** Names of the fields it has; the same array for messages of one form where possible. */
  names: readonly string[]
  cells: readonly Cell[]
  /** The payload as it came, where it was kept. */
  raw: Uint8Array | null
}

/** The field whose bytes are the payload as it came, where a topic rule asks to keep it (ingest/rule.ts). */
export const RAW_FIELD = 'payload'

export type Answer =
  /** Series alone: their parts have no rows. */
  | { readonly is: 'series'; labelNames(): readonly string[]; readonly parts: Iterable<Part> }
  /** Series with rows. `single`: a part has one row. Names of the columns are without the time. */
  | {
      readonly is: 'rows'
      readonly single: boolean
      readonly columns: readonly string[]
      /** Of all labels that parts may have, sorted. Every series is looked at for it. */
      labelNames(): readonly string[]
      readonly parts: Iterable<Part>
    }
  /** Messages; names are all fields that may come, RAW_FIELD among them where payloads may. */
  | {
      readonly is: 'messages'
      readonly names: readonly string[]
      readonly messages: Iterable<Message>
    }

/** A kept payload as it is shown: text when it is UTF-8, else bytes. */
export function shownPayload(raw: Uint8Array): string | Uint8Array {
  return isUtf8(raw) ? Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString() : raw
}

/** Names of all labels of some label sets, sorted. */
export function labelNamesOf(sets: Iterable<Labels>): string[] {
  const names = new Set<string>()
  for (const labels of sets) for (const [name] of labels) names.add(name)
  return [...names].sort()
}
