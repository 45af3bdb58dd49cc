// The words of one command: places in the bytes that came, read as what a command needs when it needs it, so
// that a command costs no object a word. Texts are byte strings: one byte in each code unit, as in kv/key.ts.
//
// Invariants: valid until the next command of the connection is read; copy() what must stay longer.
// Not here: finding the words (parser.ts).

export class Args {
  bytes: Buffer
  starts: number[] = []
  ends: number[] = []
  count = 0

  constructor(bytes: Buffer = Buffer.alloc(0)) {
    this.bytes = bytes
  }

  /** The words given as byte strings: for tests, and for commands that are run for another one. */
  static of(words: readonly string[]): Args {
    const args = new Args(Buffer.from(words.join(''), 'latin1'))
    let at = 0
    for (const word of words) args.add(at, (at += word.length))
    return args
  }

  add(start: number, end: number): void {
    this.starts[this.count] = start
    this.ends[this.count++] = end
  }

  /** Word i as a byte string. */
  text(i: number): string {
    return this.bytes.toString('latin1', this.starts[i]!, this.ends[i]!)
  }

  /** Word i in upper case: for the names of options. */
  upper(i: number): string {
    return this.text(i).toUpperCase()
  }

  /** Word i as a view: valid as long as the words are. */
  view(i: number): Buffer {
    return this.bytes.subarray(this.starts[i]!, this.ends[i]!)
  }

  length(i: number): number {
    return this.ends[i]! - this.starts[i]!
  }

  /** All words from i on, as byte strings. */
  texts(i: number): string[] {
    const texts: string[] = []
    for (let at = i; at < this.count; at++) texts.push(this.text(at))
    return texts
  }

  copy(): Args {
    const from = this.count === 0 ? 0 : this.starts[0]!
    const to = this.count === 0 ? 0 : this.ends[this.count - 1]!
    const copy = new Args(Buffer.from(this.bytes.subarray(from, to)))
    for (let i = 0; i < this.count; i++) copy.add(this.starts[i]! - from, this.ends[i]! - from)
    return copy
  }

  /** Bytes that a copy holds. */
  get size(): number {
    return this.count === 0 ? 0 : this.ends[this.count - 1]! - this.starts[0]!
  }
}
