// Encodes a chunk: the rows of one group over some time, one time column for all of its fields. The head comes
// first and alone says what can be known without decoding: rows, first and last time, and for each column
// count, first, last, min, max, sum. chunk-view.ts reads it.
//
//   chunk := version u8 (01) | rows varint | columns varint | timeFirst f64 | timeLast f64 |
//            time bytes varint | column head* | time body | column body* | 00 00 00 00
//   column head := varint field * 8 + kind * 2 + sparse | [count varint | presence bytes varint]  (if sparse) |
//                  head of its kind (if count > 0) | body bytes varint
//     number: codec-column.ts    boolean: u8 first + 2 * last | ones varint    string, bytes: nothing
//   time body := codec-time.ts; nothing when rows is 1
//   column body := [presence: codec-state.ts] (if sparse) | values (if count > 0), count of them:
//     number: codec-column.ts    boolean: codec-state.ts    string, bytes: codec-text.ts
// The four zeros let readers load whole words at the end of any body.
// Example: rows at 1 s, 2 s, 3 s; field 0 21.4 21.5 21.3; field 1 false - true; field 2 "on" "on" "off" =
//   01 03 03 00 00 00 00 80 84 2e 41 00 00 00 00 60 e3 46 41 06 00 01 01 ac 03 01 01 01 00 03 0b 02 02 02 01
//   02 14 0e 00 24 c0 84 3d 02 08 02 05 00 05 00 02 01 02 10 04 02 00 6f 6e 6f 66 66 08 00 02 00 00 00 00
//
// The rule of size and speed: without `cold` every body is bit-packed, XOR-coded or a dictionary (text is still
// squeezed); with it, the entropy coder and zstd are admitted where they save a sixteenth or more.
//
// Invariants: 1 to 4096 rows; times ascend strictly; columns by field, then kind; lossless to the bit.
// Not here: checksums and where chunks lie (segments), which rows go together (flush).
import { assert } from '../base/assert.ts'
import { ByteWriter } from '../base/bytes.ts'
import { encodeNumbers } from './codec-column.ts'
import { Siblings } from './codec-sibling.ts'
import { encodeBits } from './codec-state.ts'
import { encodeTexts } from './codec-text.ts'
import { encodeTimes } from './codec-time.ts'
import type { Column, Run } from './run.ts'
import { KIND } from './sample.ts'

export const CHUNK_VERSION = 1
/** The most rows a chunk holds. */
export const CHUNK_ROWS_MAX = 4096
/** Zero bytes behind the last body. */
export const CHUNK_PADDING = 4

/** What the encoder may spend. */
export interface ChunkOptions {
  /** Admits the entropy coder and zstd: fewer bytes, slower to decode. Default true: flash is dear. */
  cold?: boolean
}

/** Room kept from one chunk to the next; a chunk of large texts gives its own back. */
const BODIES_KEPT = 262_144

const heads = new ByteWriter(1024)
let bodies = new ByteWriter(BODIES_KEPT)
const siblings = new Siblings()
/** In shorter chunks, those of a load that fills memory in seconds, a sibling saves less than its trial costs. */
const SIBLING_ROWS_MIN = 512

function encodeColumn(column: Column, rows: number, cold: boolean): void {
  const { field, kind, count, present } = column
  const sparse = present !== null && count < rows
  assert(sparse || count === rows, 'a dense column has a value for every row')
  heads.varint(field * 8 + kind * 2 + (sparse ? 1 : 0))
  const start = bodies.length
  if (sparse) {
    encodeBits(present, rows, bodies, cold)
    heads.varint(count)
    heads.varint(bodies.length - start)
  }
  const body = bodies.length
  if (count > 0) {
    if (kind === KIND.number) {
      const mayFollow = cold && !sparse && rows >= SIBLING_ROWS_MIN
      encodeNumbers(column.numbers!, count, heads, bodies, cold, mayFollow ? siblings : null)
    } else if (kind === KIND.boolean) {
      const states = column.numbers!
      let ones = 0
      for (let i = 0; i < count; i++) ones += states[i]!
      heads.u8(states[0]! + 2 * states[count - 1]!)
      heads.varint(ones)
      encodeBits(states, count, bodies, cold)
    } else {
      encodeTexts(column.texts!, count, bodies, cold)
    }
  }
  heads.varint(bodies.length - body)
}

/**
 * Appends the chunk of a run of 1 to CHUNK_ROWS_MAX rows.
 * @throws {VarveError} VARVE_CHUNK_LIMIT when a text column is too large; `out` is then as it was
 */
export function encodeChunk(run: Run, out: ByteWriter, options: ChunkOptions = {}): void {
  const { rows, times, columns } = run
  assert(rows >= 1 && rows <= CHUNK_ROWS_MAX, 'a chunk has 1 to 4096 rows')
  const cold = options.cold ?? true
  heads.reset()
  bodies.reset()
  if (rows > 1) encodeTimes(times, rows, bodies, cold)
  const timeBytes = bodies.length
  siblings.reset()
  for (const [i, column] of columns.entries()) {
    siblings.column = i
    encodeColumn(column, rows, cold)
  }
  out.u8(CHUNK_VERSION)
  out.varint(rows)
  out.varint(columns.length)
  out.f64(times[0]!)
  out.f64(times[rows - 1]!)
  out.varint(timeBytes)
  out.raw(heads.written())
  out.raw(bodies.written())
  out.zeros(CHUNK_PADDING)
  if (bodies.bytes.length > BODIES_KEPT) bodies = new ByteWriter(BODIES_KEPT)
}
