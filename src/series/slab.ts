// Texts one after the other in memory that other threads read: each as its length (a varint) and its UTF-8, so
// that equal texts are equal bytes.
//
// Invariants: bytes never change once they are there.
// Not here: what the texts are (catalog-table.ts).
import { sharedBytes, sharedGrow } from './shared-column.ts'

export class Slab {
  readonly buffer: SharedArrayBuffer
  bytes: Buffer
  private used = 0
  private textStart = 0

  constructor(buffer = sharedBytes(4096)) {
    this.buffer = buffer
    this.bytes = Buffer.from(buffer, 0, buffer.byteLength)
  }

  /** Keeps bytes and tells where they begin. */
  add(bytes: Uint8Array): number {
    const start = this.used
    if (start + bytes.length > this.bytes.length) {
      sharedGrow(this.buffer, start + bytes.length)
      this.bytes = Buffer.from(this.buffer, 0, this.buffer.byteLength)
    }
    this.bytes.set(bytes, start)
    this.used += bytes.length
    return start
  }

  /** Where the text at `at` ends. */
  after(at: number): number {
    let length = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.bytes[at++]!
      length += (byte & 127) * scale
      if (byte < 128) break
    }
    this.textStart = at
    return at + length
  }

  text(at: number): string {
    const end = this.after(at)
    return this.bytes.toString('utf8', this.textStart, end)
  }

  textIs(at: number, text: Uint8Array): boolean {
    const end = this.after(at)
    return this.holds(this.textStart, end, text)
  }

  holds(start: number, end: number, key: Uint8Array): boolean {
    if (end - start !== key.length) return false
    for (let i = 0; i < key.length; i++) if (this.bytes[start + i] !== key[i]) return false
    return true
  }
}
