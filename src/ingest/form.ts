// Forms: the short way for a message that looks like one before it. A device sends the same bytes again and
// again with other values in them, so the bytes between the values are kept, and the next message is
// compared with them in place: what matches needs no parsing of keys, no names, no lookups.
//
//   form := literal[0] slot[0] literal[1] slot[1] ... literal[n]
// Example: {"t":21.4,"on":true} has the literals `{"t":`, `,"on":` and `}` and two slots
//
// A form was cut out of a document that was read in full, JSON or CBOR; any other scalar in place of a scalar makes a valid
// document of the same structure, so a match proves the document valid without reading it again.
//
// Invariants: a match writes every slot of the draft and nothing else; no match says nothing about the
// document: it is then read in full.
// Not here: which forms a topic has (route.ts), how a form is made (flatten.ts).
import { type CborHead, INDEFINITE, MAJOR } from '../base/cbor-head.ts'
import { KIND } from '../series/sample.ts'
import { ABSENT, type Draft } from './draft.ts'
import { scanNumber } from './number.ts'
import { isUtf8 } from './utf8.ts'

export interface Form {
  readonly wire: 'json' | 'cbor'
  /** All literals, one after the other; literal i ends at cuts[i]. */
  readonly literal: Uint8Array
  readonly cuts: Int32Array
  /** Where value i goes in the draft: a field, or `names.length` for the time, or one more for no use. */
  readonly slots: Int32Array
  readonly names: readonly string[]
  /** `names` and the field of a refused time. */
  readonly namesRefused: readonly string[]
  /** Field that takes the whole payload, or -1. */
  readonly payload: number
  /** One of the values is the time of the row. */
  readonly timed: boolean
  /** A value is named by the topic, so other topics cannot use this form. */
  readonly bare: boolean
}

/** Fits bytes[start, end), a JSON document, into a form; false when it has another. */
export function matchJson(
  form: Form,
  bytes: Uint8Array,
  start: number,
  end: number,
  draft: Draft,
  valueBytesMax: number
): boolean {
  const { literal, cuts, slots } = form
  draft.ensure(form.names.length + 2)
  const { kinds, numbers } = draft
  const n = slots.length
  let p = start
  let q = 0
  for (let i = 0; ; i++) {
    const stop = cuts[i]!
    if (end - p < stop - q) return false
    while (q < stop) if (bytes[p++] !== literal[q++]) return false
    if (i === n) return p === end
    if (p >= end) return false
    const c = bytes[p]!
    const slot = slots[i]!
    if (c === 0x22) {
      const from = ++p
      let seen = 0
      for (; ; p++) {
        if (p >= end) return false
        const d = bytes[p]!
        if (d === 0x22) break
        if (d === 0x5c || d < 0x20) return false
        seen |= d
      }
      if (p - from > valueBytesMax || (seen >= 0x80 && !isUtf8(bytes, from, p))) return false
      draft.setText(slot, KIND.string, from, p++, 0)
    } else if (c <= 0x39) {
      p = scanNumber(bytes, p, end, numbers, slot, false)
      if (p < 0) return false
      kinds[slot] = KIND.number
    } else {
      p = matchWord(bytes, p, end, draft, slot)
      if (p < 0) return false
    }
  }
}

/** Reads true, false or null at p into a slot; returns the position after it or -1. */
function matchWord(bytes: Uint8Array, p: number, end: number, draft: Draft, slot: number): number {
  if (end - p < 4) return -1
  const last = bytes[p + 3]!
  if (bytes[p] === 0x74 && bytes[p + 1] === 0x72 && bytes[p + 2] === 0x75 && last === 0x65) {
    draft.kinds[slot] = KIND.boolean
    draft.numbers[slot] = 1
    return p + 4
  }
  if (bytes[p] === 0x6e && bytes[p + 1] === 0x75 && bytes[p + 2] === 0x6c && last === 0x6c) {
    draft.kinds[slot] = ABSENT
    return p + 4
  }
  if (end - p < 5 || bytes[p + 4] !== 0x65) return -1
  if (bytes[p] !== 0x66 || bytes[p + 1] !== 0x61 || bytes[p + 2] !== 0x6c || last !== 0x73) return -1
  draft.kinds[slot] = KIND.boolean
  draft.numbers[slot] = 0
  return p + 5
}

/** Fits the CBOR document that `head` lies over into a form; false when it has another. */
export function matchCbor(form: Form, head: CborHead, draft: Draft, valueBytesMax: number): boolean {
  const { literal, cuts, slots } = form
  const { bytes, end } = head
  draft.ensure(form.names.length + 2)
  const { kinds, numbers } = draft
  const n = slots.length
  let q = 0
  for (let i = 0; ; i++) {
    const stop = cuts[i]!
    let p = head.at
    if (end - p < stop - q) return false
    while (q < stop) if (bytes[p++] !== literal[q++]) return false
    head.at = p
    if (i === n) return p === end
    if (!head.next()) return false
    const slot = slots[i]!
    const { major, info, value } = head
    if (major <= MAJOR.negative) {
      kinds[slot] = KIND.number
      numbers[slot] = major === MAJOR.unsigned ? value : -1 - value
    } else if (major <= MAJOR.text) {
      const from = head.at
      if (info === INDEFINITE || value > valueBytesMax || value > end - from) return false
      if (major === MAJOR.text && !isUtf8(bytes, from, from + value)) return false
      draft.setText(slot, major === MAJOR.text ? KIND.string : KIND.bytes, from, from + value, 0)
      head.at = from + value
    } else if (major !== MAJOR.simple || info === INDEFINITE) {
      return false
    } else if (info >= 25) {
      kinds[slot] = KIND.number
      numbers[slot] = value
    } else {
      if (value < 20 || value > 23) return false
      kinds[slot] = value >= 22 ? ABSENT : KIND.boolean
      numbers[slot] = value - 20
    }
  }
}
