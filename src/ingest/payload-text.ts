// Plain text: the payload is one value. A number by the grammar of JSON (and `+5`, `.5`, `5.`, leading
// zeros), `true` or `false`, else a string: `on`, `off`, `unavailable` and `nan` stay what they are. Space
// around the value is not part of it.
//
// Invariants: never throws.
import type { IngestLimits } from './limits.ts'
import { OUT_OF_RANGE, scanNumber } from './number.ts'
import { type Tape, TOKEN } from './tape.ts'
import { isUtf8 } from './utf8.ts'

const number = new Float64Array(1)

function isSpace(c: number): boolean {
  return c === 32 || (c >= 9 && c <= 13)
}

/** Reads bytes[start, end) as one value onto the tape; nothing but space is an absent value. False: failed. */
export function readText(
  tape: Tape,
  limits: IngestLimits,
  bytes: Uint8Array,
  start: number,
  end: number
): boolean {
  tape.begin(bytes)
  let from = start
  let to = end
  if (to - from >= 3 && bytes[from] === 0xef && bytes[from + 1] === 0xbb && bytes[from + 2] === 0xbf)
    from += 3
  while (from < to && isSpace(bytes[from]!)) from++
  while (to > from && isSpace(bytes[to - 1]!)) to--
  if (from === to) {
    tape.add(TOKEN.null, from, to)
    return true
  }
  const after = scanNumber(bytes, from, to, number, 0, true)
  if (after === OUT_OF_RANGE) {
    tape.fail('number', `number beyond the largest double at byte ${from - start}`)
    return false
  }
  if (after === to) {
    tape.addNumber(TOKEN.number, number[0]!, from, to)
    return true
  }
  if (spells(bytes, from, to, 'true') || spells(bytes, from, to, 'false')) {
    tape.addNumber(TOKEN.boolean, to - from === 4 ? 1 : 0, from, to)
    return true
  }
  if (to - from > limits.valueBytesMax) {
    tape.fail('size', `text of ${to - from} bytes, the limit is ${limits.valueBytesMax}`)
    return false
  }
  if (!isUtf8(bytes, from, to)) {
    tape.fail('utf8', 'payload is not UTF-8: a rule may say format cbor or raw')
    return false
  }
  tape.addText(TOKEN.string, from, to, 0, from, to)
  return true
}

function spells(bytes: Uint8Array, from: number, to: number, word: string): boolean {
  if (to - from !== word.length) return false
  for (let i = 0; i < word.length; i++) if (bytes[from + i] !== word.charCodeAt(i)) return false
  return true
}
