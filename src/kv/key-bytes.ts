// A stored key as bytes, with its hash: one of them is written anew for each question to the store, so that a read or
// a write makes no string. Hot entries and memtables find keys by it.
//
// The hash starts from a number that each process draws: keys made to meet in one slot meet in another process no more.
// Invariant: what is held is valid until the next take; who needs a key for longer asks for its byte string.
// Not here: what a key may be (key.ts), hashes that are part of a format (engine/bloom.ts).
import { randomInt } from 'node:crypto'

const PRIME = 0x01000193
const START = randomInt(2 ** 32) | 0

/** What stored keys of a namespace begin with. */
export interface KeyStart {
  readonly text: string
  readonly bytes: Uint8Array
  /** Of those bytes, to go on from. */
  readonly hash: number
}

export function keyStartOf(text: string): KeyStart {
  const bytes = Buffer.from(text, 'latin1')
  return { text, bytes, hash: hashed(START, bytes, 0, bytes.length) }
}

/** The hash of the stored key bytes[from, to), as KeyBytes has it. */
export function hashOf(bytes: Uint8Array, from: number, to: number): number {
  return finished(hashed(START, bytes, from, to))
}

export class KeyBytes {
  bytes = Buffer.alloc(256)
  length = 0
  hash = 0

  /** One of its own. @param stored  a byte string */
  static of(stored: string): KeyBytes {
    const key = new KeyBytes()
    const bytes = Buffer.from(stored, 'latin1')
    key.take(NOTHING, bytes, 0, bytes.length)
    return key
  }

  /** As a byte string. */
  get stored(): string {
    return this.bytes.toString('latin1', 0, this.length)
  }

  /** Takes the key start | bytes[from, to). */
  take(start: KeyStart, bytes: Uint8Array, from: number, to: number): void {
    let at = this.begin(start, to - from)
    const own = this.bytes
    let { hash } = start
    for (let i = from; i < to; i++) {
      const byte = bytes[i]!
      own[at++] = byte
      hash = Math.imul(hash ^ byte, PRIME)
    }
    this.hash = finished(hash)
  }

  /** Takes the key start | text. @returns false, and nothing is taken, where the text is not ASCII */
  takeAscii(start: KeyStart, text: string): boolean {
    let at = this.begin(start, text.length)
    const own = this.bytes
    let { hash } = start
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code > 0x7f) return false
      own[at++] = code
      hash = Math.imul(hash ^ code, PRIME)
    }
    this.hash = finished(hash)
    return true
  }

  /** @returns where the rest belongs */
  private begin({ bytes }: KeyStart, rest: number): number {
    this.length = bytes.length + rest
    if (this.length > this.bytes.length) this.bytes = Buffer.alloc(2 * this.length)
    const own = this.bytes
    for (let i = 0; i < bytes.length; i++) own[i] = bytes[i]!
    return bytes.length
  }
}

const NOTHING = keyStartOf('')

// FNV-1a, finished as MurmurHash3 does.
function hashed(start: number, bytes: Uint8Array, from: number, to: number): number {
  let hash = start
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ bytes[i]!, PRIME)
  return hash
}

function finished(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}
