// Cuts the bytes of a connection into commands, where they lie.
//
//   command := array | inline
//   array   := "*" count CRLF word[count]          word := "$" length CRLF bytes[length] CRLF
//   inline  := words between blanks, quoted as in a shell: "a\n\x41" or 'a', up to LF
// Example: 2a 31 0d 0a 24 34 0d 0a 50 49 4e 47 0d 0a is PING; so is 50 49 4e 47 0a
//
// A command that came in pieces is not read twice: words that were found stay found. What a word claims to be
// long is held against its bound before a byte of it is kept, so that nobody takes memory by announcing.
//
// Invariants: between commands nothing is kept but bytes not read; after a fault nothing is read any more.
// Not here: what a command means (command.ts).
import { Args } from './args.ts'
import { splitInline } from './inline.ts'
import { ReplyError } from './reply-error.ts'

export interface ParserLimits {
  /** Bytes of an inline command, and of a line that states a length. */
  readonly inlineBytesMax: number
  /** Bytes of one word. */
  readonly wordBytesMax: number
  /** Words of a command. */
  readonly wordsMax: number
  /** Bytes of a command. */
  readonly commandBytesMax: number
}

const CR = 13
const LF = 10
const STAR = 42
const DOLLAR = 36
const EMPTY = Buffer.alloc(0)
/** Before somebody has shown who he is: as Redis has it. */
const STRANGER_WORDS_MAX = 10
const STRANGER_WORD_BYTES_MAX = 16_384

export class Parser {
  readonly args = new Args()
  /** Nobody knows yet who is sending: words are few and short. */
  isStranger = false
  private readonly limits: ParserLimits
  private bytes: Buffer = EMPTY
  /** The bytes not read yet are bytes[start, end). */
  private start = 0
  private end = 0
  /** Where reading goes on: behind the words of the command that were found. */
  private at = 0
  /** Words of the command that are still to come; -1: its head is not read. */
  private left = -1
  /** Length of the word whose bytes are awaited; -1: its head is not read. */
  private length = -1
  /** The buffer is ours: bytes may be put behind what is in it. */
  private isOwn = false

  constructor(limits: ParserLimits) {
    this.limits = limits
  }

  /** Bytes that are kept for a command not complete. */
  get kept(): number {
    return this.isOwn ? this.bytes.length : this.end - this.start
  }

  get waiting(): number {
    return this.end - this.start
  }

  /** Takes bytes[0, length). They are lent: keep() copies what is not read when they are taken back. */
  feed(bytes: Buffer, length = bytes.length): void {
    if (this.end === this.start) {
      this.bytes = bytes
      this.isOwn = false
      this.start = this.at = 0
      this.end = length
      return
    }
    this.room(length)
    bytes.copy(this.bytes, this.end, 0, length)
    this.end += length
  }

  /** Room for so many bytes behind what is there. */
  private room(more: number): void {
    const { bytes, start, end } = this
    if (this.isOwn && end + more <= bytes.length) return
    const need = end - start + more
    const isLarge = this.length > need
    const size = Math.max(isLarge ? Math.min(this.length + 1024, need * 4) : need * 2, 1024)
    const grown = this.isOwn && need <= bytes.length ? bytes : Buffer.allocUnsafeSlow(size)
    bytes.copy(grown, 0, start, end)
    this.moved(start)
    this.bytes = grown
    this.isOwn = true
  }

  private moved(by: number): void {
    const { args } = this
    this.start -= by
    this.end -= by
    this.at -= by
    for (let i = 0; i < args.count; i++) {
      args.starts[i]! -= by
      args.ends[i]! -= by
    }
  }

  /**
   * Reads the next command into args; false when it is not complete.
   * @throws {ReplyError} when what came is no command: the connection is to be closed
   */
  next(): boolean {
    const { args } = this
    for (;;) {
      if (this.left < 0) {
        if (this.start === this.end) return this.idle()
        args.count = 0
        args.bytes = this.bytes
        this.at = this.start
        if (this.bytes[this.start] !== STAR) {
          const found = this.inline()
          if (found === null) return false
          if (!found) continue
          return true
        }
        const count = this.head(this.start, 'invalid multibulk length', this.wordsMax)
        if (count === null) return false
        if (count <= 0) {
          this.start = this.at
          continue
        }
        this.left = count
        this.length = -1
      }
      if (!this.words()) return false
      this.left = -1
      this.start = this.at
      args.bytes = this.bytes
      return true
    }
  }

  private get wordsMax(): number {
    return this.isStranger ? STRANGER_WORDS_MAX : this.limits.wordsMax
  }

  private words(): boolean {
    const { args, limits } = this
    const wordMax = this.isStranger ? STRANGER_WORD_BYTES_MAX : limits.wordBytesMax
    while (this.left > 0) {
      if (this.length < 0) {
        if (this.at >= this.end) return false
        const first = this.bytes[this.at]!
        if (first !== DOLLAR) {
          const shown = String.fromCharCode(first)
          throw new ReplyError(`ERR Protocol error: expected '$', got '${printable(shown)}'`)
        }
        const length = this.head(this.at, 'invalid bulk length', wordMax)
        if (length === null) return false
        if (length < 0) throw new ReplyError('ERR Protocol error: invalid bulk length')
        if (this.at - this.start + length > limits.commandBytesMax) {
          throw new ReplyError('ERR Protocol error: command is too large')
        }
        this.length = length
      }
      if (this.end - this.at < this.length + 2) return false
      args.add(this.at, this.at + this.length)
      this.at += this.length + 2
      this.length = -1
      this.left--
    }
    return true
  }

  /** Reads the number behind a sign, up to CRLF, and goes behind it. Null: not all of it came. */
  private head(from: number, fault: string, max: number): number | null {
    const { bytes, end } = this
    let at = from + 1
    const isNegative = bytes[at] === 45
    if (isNegative) at++
    const first = at
    let value = 0
    while (at < end && bytes[at] !== CR) {
      const digit = bytes[at]! - 48
      if (digit < 0 || digit > 9 || at - first > 18) throw new ReplyError(`ERR Protocol error: ${fault}`)
      value = value * 10 + digit
      at++
    }
    if (at + 1 >= end) {
      if (at - from > this.limits.inlineBytesMax)
        throw new ReplyError('ERR Protocol error: too big count string')
      return null
    }
    if (at === first || bytes[at + 1] !== LF) throw new ReplyError(`ERR Protocol error: ${fault}`)
    if (!isNegative && value > max) {
      const who = this.isStranger
        ? fault.replace('invalid', 'unauthenticated').replace(' length', ' length')
        : fault
      throw new ReplyError(`ERR Protocol error: ${who}`)
    }
    this.at = at + 2
    return isNegative ? -value : value
  }

  /** True: a command; false: an empty line; null: not all of it came. */
  private inline(): boolean | null {
    const { bytes, start, end, limits } = this
    const at = bytes.subarray(start, end).indexOf(LF)
    if (at < 0 || at > limits.inlineBytesMax) {
      if (end - start > limits.inlineBytesMax)
        throw new ReplyError('ERR Protocol error: too big inline request')
      return null
    }
    const words = splitInline(bytes.toString('latin1', start, start + at))
    if (words === null) throw new ReplyError('ERR Protocol error: unbalanced quotes in request')
    this.start += at + 1
    this.at = this.start
    if (words.length === 0) return false
    const made = Args.of(words)
    this.args.bytes = made.bytes
    this.args.count = 0
    for (let i = 0; i < made.count; i++) this.args.add(made.starts[i]!, made.ends[i]!)
    return true
  }

  /** Nothing is left: lets the bytes go. */
  private idle(): boolean {
    this.bytes = EMPTY
    this.args.bytes = EMPTY
    this.args.count = 0
    if (this.args.starts.length > 64) this.args.starts = this.args.ends = []
    if (this.args.starts === this.args.ends) this.args.ends = []
    this.start = this.end = this.at = 0
    this.isOwn = false
    return false
  }

  /** Keeps what is not read in bytes of its own, before the chunk goes back to the socket. */
  keep(): void {
    if (this.isOwn || this.end === this.start) return
    this.room(0)
    this.args.bytes = this.bytes
  }
}

function printable(text: string): string {
  return text >= ' ' && text <= '~' ? text : '?'
}
