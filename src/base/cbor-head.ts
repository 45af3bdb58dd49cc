// Heads of CBOR items (RFC 8949), one at a time over bytes from outside: the ground on which CBOR is checked
// before a library sees it, and on which payloads are read without making objects.
//
//   item := head content        head := major (3 bits) info (5 bits) argument[0, 1, 2, 4 or 8 bytes]
// Example: fb 40 35 66 66 66 66 66 66 = major 7, info 27, the double 21.4
//
// Invariants: never reads outside [at, end), never throws.
// Not here: nesting and limits (cbor.ts, ingest/payload-cbor.ts).

export const MAJOR = {
  unsigned: 0,
  negative: 1,
  bytes: 2,
  text: 3,
  array: 4,
  map: 5,
  tag: 6,
  simple: 7
} as const
/** The info of a string, array or map whose length is not told, and of the break that ends it. */
export const INDEFINITE = 31

export class CborHead {
  bytes: Uint8Array = new Uint8Array(0)
  private view: DataView = new DataView(new ArrayBuffer(0))
  at = 0
  end = 0
  major = 0
  info = 0
  /** The argument; for info 25, 26 and 27 of major 7 the float it holds. Above 2^53 it is rounded. */
  value = 0

  over(bytes: Uint8Array, start: number, end: number): void {
    if (this.view.buffer !== bytes.buffer || this.view.byteOffset !== bytes.byteOffset) {
      this.view = new DataView(bytes.buffer, bytes.byteOffset)
    }
    this.bytes = bytes
    this.at = start
    this.end = end
  }

  /** Reads the head at `at` and goes past it; false when it is cut or reserved (info 28 to 30). */
  next(): boolean {
    const { bytes, end } = this
    if (this.at >= end) return false
    const first = bytes[this.at]!
    const info = first & 31
    this.major = first >> 5
    this.info = info
    const p = this.at + 1
    if (info < 24 || info === INDEFINITE) {
      this.value = info
      this.at = p
      return info !== INDEFINITE || (this.major >= MAJOR.bytes && this.major !== MAJOR.tag)
    }
    if (info > 27) return false
    const size = 1 << (info - 24)
    if (end - p < size) return false
    this.at = p + size
    this.value = this.major === MAJOR.simple && info > 24 ? this.float(p, info) : this.integer(p, info)
    return true
  }

  private integer(p: number, info: number): number {
    if (info === 24) return this.bytes[p]!
    if (info === 25) return this.view.getUint16(p)
    if (info === 26) return this.view.getUint32(p)
    return this.view.getUint32(p) * 0x100000000 + this.view.getUint32(p + 4)
  }

  private float(p: number, info: number): number {
    if (info === 26) return this.view.getFloat32(p)
    if (info === 27) return this.view.getFloat64(p)
    const half = this.view.getUint16(p)
    const exponent = (half >> 10) & 31
    const fraction = half & 1023
    const sign = half & 0x8000 ? -1 : 1
    if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
    return sign * (exponent === 0 ? fraction * 2 ** -24 : (fraction + 1024) * 2 ** (exponent - 25))
  }
}
