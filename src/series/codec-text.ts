// Strings and bytes. States repeat: a dictionary of the distinct ones with an index per value, or per run of
// equal values. What does not repeat is kept whole, squeezed by zstd where that pays.
//
//   texts := 00 | whole
//          | 01 | varint distinct | whole (the distinct ones, in order of appearance) | integers of indexes
//          | 02 | varint distinct | whole | varint runs | integers of run indexes | integers of run lengths - 1
//   whole := integers of lengths (codec-integers.ts) | 00 | bytes, or 01 | squeezed (codec-zstd.ts)
// Example: "on" "on" "off" = 01 02 10 04 02 00 6f 6e 6f 66 66 08 00 02
//
// Invariants: at most 4096 values and TEXT_BYTES_MAX bytes in one column, checked on both sides.
// Not here: what a string means; UTF-8 is checked where text enters.
import { type ByteReader, ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'
import { decodeIntegers, encodeIntegers, INTEGERS_MAX } from './codec-integers.ts'
import { decodeSqueezed, encodeSqueezed } from './codec-zstd.ts'
import type { Texts } from './run.ts'

/** A column of one chunk holds at most this many bytes of text. */
export const TEXT_BYTES_MAX = 64 * 1024 * 1024
/** Below this, zstd costs more than it saves. */
const SQUEEZE_BYTES_MIN = 64

const FORM = { whole: 0, indexes: 1, runs: 2 } as const
const SLOTS = 2 * INTEGERS_MAX

const lengths = new Float64Array(INTEGERS_MAX)
const indexes = new Float64Array(INTEGERS_MAX)
const runIndexes = new Float64Array(INTEGERS_MAX)
const slots = new Int16Array(SLOTS)
/** The value at which each distinct text appeared. */
const firsts = new Uint16Array(INTEGERS_MAX)
const every = Uint16Array.from({ length: INTEGERS_MAX }, (_, i) => i)
const byIndex = new ByteWriter(4096)
const byRun = new ByteWriter(4096)
let together = new ByteWriter(4096)

function hash(bytes: Uint8Array, start: number, end: number): number {
  let value = 0x811c9dc5
  for (let at = start; at < end; at++) value = Math.imul(value ^ bytes[at]!, 0x01000193)
  return (value ^ (value >>> 15)) & (SLOTS - 1)
}

function same(texts: Texts, a: number, b: number): boolean {
  const { bytes, offsets } = texts
  const from = offsets[a]!
  const other = offsets[b]!
  const length = offsets[a + 1]! - from
  if (offsets[b + 1]! - other !== length) return false
  for (let i = 0; i < length; i++) if (bytes[from + i] !== bytes[other + i]) return false
  return true
}

/** Fills indexes and firsts; returns how many texts are distinct. */
function index(texts: Texts, n: number): number {
  slots.fill(-1)
  let distinct = 0
  for (let i = 0; i < n; i++) {
    if (i > 0 && same(texts, i, i - 1)) {
      indexes[i] = indexes[i - 1]!
      continue
    }
    let slot = hash(texts.bytes, texts.offsets[i]!, texts.offsets[i + 1]!)
    while (slots[slot]! >= 0 && !same(texts, i, firsts[slots[slot]!]!)) slot = (slot + 1) & (SLOTS - 1)
    if (slots[slot]! < 0) {
      slots[slot] = distinct
      firsts[distinct++] = i
    }
    indexes[i] = slots[slot]!
  }
  return distinct
}

/** Room for texts kept from one column to the next. */
const TOGETHER_KEPT = 262_144

function encodeWhole(texts: Texts, which: Uint16Array, n: number, out: ByteWriter, cold: boolean): void {
  if (together.bytes.length > TOGETHER_KEPT) together = new ByteWriter(4096)
  else together.reset()
  for (let i = 0; i < n; i++) {
    const from = texts.offsets[which[i]!]!
    const end = texts.offsets[which[i]! + 1]!
    lengths[i] = end - from
    together.ensure(end - from)
    together.bytes.set(texts.bytes.subarray(from, end), together.length)
    together.length += end - from
  }
  encodeIntegers(lengths, n, out, cold)
  const start = out.length
  if (together.length >= SQUEEZE_BYTES_MIN) {
    out.u8(1)
    encodeSqueezed(together.written(), out)
    if (out.length - start <= together.length) return
    out.length = start
  }
  out.u8(0)
  out.raw(together.written())
}

/**
 * Appends n texts, 1 <= n <= 4096.
 * @throws {VarveError} VARVE_CHUNK_LIMIT when they hold more than TEXT_BYTES_MAX bytes
 */
export function encodeTexts(texts: Texts, n: number, out: ByteWriter, cold: boolean): void {
  const size = texts.offsets[n]! - texts.offsets[0]!
  if (size > TEXT_BYTES_MAX) {
    throw new VarveError(
      'VARVE_CHUNK_LIMIT',
      `Cannot encode text column: ${size} bytes, the limit is ${TEXT_BYTES_MAX}`
    )
  }
  const distinct = index(texts, n)
  if (distinct * 4 > n * 3) {
    out.u8(FORM.whole)
    encodeWhole(texts, every, n, out, cold)
    return
  }
  out.u8(FORM.indexes)
  const at = out.length - 1
  out.varint(distinct)
  encodeWhole(texts, firsts, distinct, out, cold)
  byIndex.reset()
  encodeIntegers(indexes, n, byIndex, cold)
  let runs = 0
  let start = 0
  for (let i = 1; i <= n; i++) {
    if (i < n && indexes[i] === indexes[start]) continue
    runIndexes[runs] = indexes[start]!
    lengths[runs++] = i - start - 1
    start = i
  }
  byRun.reset()
  byRun.varint(runs)
  encodeIntegers(runIndexes, runs, byRun, cold)
  encodeIntegers(lengths, runs, byRun, cold)
  if (byRun.length < byIndex.length) out.bytes[at] = FORM.runs
  out.raw(byRun.length < byIndex.length ? byRun.written() : byIndex.written())
}

function damaged(from: ByteReader, what: string): never {
  throw new VarveError('VARVE_CHUNK', `Cannot read texts before ${from.at}: ${what}`)
}

function decodeWhole(from: ByteReader, n: number): Texts {
  decodeIntegers(from, n, lengths)
  const offsets = new Uint32Array(n + 1)
  let total = 0
  for (let i = 0; i < n; i++) {
    const length = lengths[i]!
    if (!(length >= 0 && length <= TEXT_BYTES_MAX)) damaged(from, `a text of ${length} bytes`)
    total += length
    if (total > TEXT_BYTES_MAX) damaged(from, `more than ${TEXT_BYTES_MAX} bytes`)
    offsets[i + 1] = total
  }
  const form = from.u8()
  if (form > 1) damaged(from, `form ${form} is unknown`)
  if (form === 0) return { bytes: from.raw(total), offsets }
  const bytes = decodeSqueezed(from, total)
  if (bytes.length !== total) damaged(from, `${bytes.length} of ${total} bytes`)
  return { bytes, offsets }
}

/** A call costs more than copying this many bytes one by one. */
const COPY_LOOP_MAX = 24

/** The texts that indexes[0, n) name. */
function spread(from: ByteReader, words: Texts, distinct: number, n: number): Texts {
  const offsets = new Uint32Array(n + 1)
  let total = 0
  for (let i = 0; i < n; i++) {
    const word = indexes[i]!
    if (!(word >= 0 && word < distinct)) damaged(from, `index ${word} of ${distinct}`)
    total += words.offsets[word + 1]! - words.offsets[word]!
    if (total > TEXT_BYTES_MAX) damaged(from, `more than ${TEXT_BYTES_MAX} bytes`)
    offsets[i + 1] = total
  }
  const bytes = new Uint8Array(total)
  for (let i = 0; i < n; ) {
    const word = indexes[i]!
    const from = words.offsets[word]!
    const to = words.offsets[word + 1]!
    const at = offsets[i]!
    if (to - from > COPY_LOOP_MAX) bytes.set(words.bytes.subarray(from, to), at)
    else for (let k = from; k < to; k++) bytes[at + k - from] = words.bytes[k]!
    let next = i + 1
    while (next < n && indexes[next] === word) next++
    repeat(bytes, at, to - from, offsets[next]!)
    i = next
  }
  return { bytes, offsets }
}

/** Fills bytes up to `end` with copies of the `size` bytes at `at`, twice as many with each step. */
function repeat(bytes: Uint8Array, at: number, size: number, end: number): void {
  for (let filled = at + size; filled < end; filled = Math.min(end, 2 * filled - at)) {
    bytes.copyWithin(filled, at, Math.min(filled, end - filled + at))
  }
}

/**
 * Reads n texts; `bytes` may share memory with the chunk.
 * @throws {VarveError} VARVE_CHUNK, VARVE_FORMAT_CHUNK or VARVE_TRUNCATED
 */
export function decodeTexts(from: ByteReader, n: number): Texts {
  const form = from.u8()
  if (form === FORM.whole) return decodeWhole(from, n)
  if (form !== FORM.indexes && form !== FORM.runs) {
    throw new VarveError('VARVE_FORMAT_CHUNK', `Cannot read texts before ${from.at}: form ${form} is unknown`)
  }
  const distinct = from.varint()
  if (distinct < 1 || distinct > n) damaged(from, `${distinct} distinct of ${n} texts`)
  const words = decodeWhole(from, distinct)
  if (form === FORM.indexes) {
    decodeIntegers(from, n, indexes)
    return spread(from, words, distinct, n)
  }
  const runs = from.varint()
  if (runs < 1 || runs > n) damaged(from, `${runs} runs of ${n} texts`)
  decodeIntegers(from, runs, runIndexes)
  decodeIntegers(from, runs, lengths)
  let at = 0
  for (let run = 0; run < runs; run++) {
    const length = lengths[run]! + 1
    if (!(length >= 1 && at + length <= n)) damaged(from, `run of ${length} at ${at} of ${n}`)
    indexes.fill(runIndexes[run]!, at, at + length)
    at += length
  }
  if (at !== n) damaged(from, `runs of ${at} texts, ${n} belong here`)
  return spread(from, words, distinct, n)
}
