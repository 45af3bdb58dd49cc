// Line forms: the short way for a line of line protocol that looks like one before it. As with messages
// (form.ts), what stands between the values - measurement, tags and field keys - is kept and compared in
// place. A batch names its series in the same order as the batch before, so each form remembers the one that
// followed it: then a line costs no hash either.
//
//   form in the slab := (length u16, literal[length], wire u8)*       one for each field, little-endian
//   wire := how the value is written (line-value.ts)
// Example: `m,a=b x=1i,y="s"` is 08 00 "m,a=b x=" 03 03 00 ",y=" 02
//
// Invariants: forms and slab are bounded; when either is full all forms are forgotten, and lines make them
// anew. A form was read in full once, so its literals are valid UTF-8 and well formed.
// Not here: reading a line in full (line-parse.ts).
import type { ByteWriter } from '../base/bytes.ts'
import { KIND } from '../series/sample.ts'
import type { Draft } from './draft.ts'
import { scanBoolean, scanInteger, scanString, WIRE } from './line-value.ts'
import { scanNumber } from './number.ts'
import type { Variant } from './variant.ts'

const formsMax = 65_536
const slabBytesMax = 16 * 1024 * 1024
/** Forms of one hash that are looked at; a key with more of them is read in full. */
const chainMax = 16
const literalBytesMax = 0xffff

export interface LineForm {
  /** Where its literals begin in the slab. */
  readonly at: number
  readonly fields: number
  readonly variant: Variant
  /** The form of the line that came after the last line of this form. */
  next: LineForm | null
  readonly chain: LineForm | null
  readonly generation: number
}

export class LineForms {
  private slab = new Uint8Array(65_536)
  private used = 0
  private count = 0
  private generation = 0
  private readonly heads = new Map<number, LineForm>()
  private readonly lists = new Map<string, { names: readonly string[]; kinds: Uint8Array }>()

  /** How many forms are remembered. */
  get size(): number {
    return this.count
  }

  /** Says that a line of form b followed one of form a; forgotten forms are left alone, so that none is held. */
  follow(a: LineForm, b: LineForm): void {
    if (a.generation === this.generation) a.next = b
  }

  /** The forms of lines that begin like the one at p, newest first; null when there are none. */
  chain(hash: number): LineForm | null {
    return this.heads.get(hash) ?? null
  }

  /**
   * Remembers a line just read in full.
   * @param cuts   start of the line and, in turn, start and end of each value
   * @param wires  how each value is written
   */
  learn(
    hash: number,
    bytes: Uint8Array,
    cuts: readonly number[],
    wires: readonly number[],
    variant: Variant
  ): LineForm | null {
    const fields = wires.length
    let length = 0
    for (let i = 0; i < fields; i++) {
      const literal = cuts[2 * i + 1]! - cuts[2 * i]!
      if (literal > literalBytesMax) return null
      length += literal + 3
    }
    if (this.count >= formsMax || this.used + length > slabBytesMax) this.forget()
    this.ensure(length)
    const at = this.used
    const { slab } = this
    let p = at
    for (let i = 0; i < fields; i++) {
      const from = cuts[2 * i]!
      const to = cuts[2 * i + 1]!
      slab[p++] = (to - from) & 0xff
      slab[p++] = (to - from) >> 8
      for (let q = from; q < to; q++) slab[p++] = bytes[q]!
      slab[p++] = wires[i]!
    }
    this.used = p
    this.count++
    const chain = this.heads.get(hash) ?? null
    const form: LineForm = {
      at,
      fields,
      variant: this.sharing(variant),
      next: null,
      chain: chain === null || depthOf(chain) < chainMax - 1 ? chain : null,
      generation: this.generation
    }
    this.heads.set(hash, form)
    return form
  }

  /**
   * Fits the line at p into a form, its values into the draft.
   * @returns the position after the last value, or -1 when the line has another form or goes beyond `end`
   */
  match(form: LineForm, bytes: Uint8Array, p: number, end: number, draft: Draft, side: ByteWriter): number {
    const { slab } = this
    const { fields } = form
    const { kinds, numbers } = draft
    let q = form.at
    let at = p
    for (let i = 0; i < fields; i++) {
      const stop = q + 2 + slab[q]! + (slab[q + 1]! << 8)
      q += 2
      if (end - at <= stop - q) return -1
      while (q < stop) if (bytes[at++] !== slab[q++]) return -1
      const wire = slab[q++]!
      if (wire === WIRE.float) {
        at = scanNumber(bytes, at, end, numbers, i, true)
        kinds[i] = KIND.number
      } else if (wire === WIRE.string) {
        at = scanString(bytes, at, end, draft, i, side)
      } else if (wire === WIRE.boolean) {
        at = scanBoolean(bytes, at, end, numbers, i)
        kinds[i] = KIND.boolean
      } else {
        at = scanInteger(bytes, at, end, numbers, i, wire)
        kinds[i] = KIND.number
      }
      if (at < 0) return -1
    }
    return at
  }

  /** Names and kinds are the same for all devices of a fleet: one copy serves them. */
  private sharing(variant: Variant): Variant {
    const key = `${variant.names.join('\n')}\n${variant.kinds.join()}`
    const known = this.lists.get(key)
    if (known !== undefined) return { ...variant, names: known.names, kinds: known.kinds }
    this.lists.set(key, { names: variant.names, kinds: variant.kinds })
    return variant
  }

  private forget(): void {
    this.heads.clear()
    this.lists.clear()
    this.used = 0
    this.count = 0
    this.generation++
  }

  private ensure(n: number): void {
    if (this.used + n <= this.slab.length) return
    const slab = new Uint8Array(Math.max(this.used + n, this.slab.length * 2))
    slab.set(this.slab.subarray(0, this.used))
    this.slab = slab
  }
}

function depthOf(form: LineForm): number {
  let depth = 0
  for (let at: LineForm | null = form; at !== null; at = at.chain) depth++
  return depth
}
