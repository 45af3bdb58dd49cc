// Cuts pieces of bytes into lines of text, as they come off a file or the network.
//
// Invariants: what is held is one line of at most lineBytesMax and one piece; a line is told with its number,
// from 1; one that is too long or no UTF-8 is told as null and the next goes on.

/** A row of 256 fields of 64 KiB in base64 fits. */
export const LINE_BYTES_MAX = 32 * 1024 ** 2

export class TextLines {
  private readonly onLine: (text: string | null, line: number) => void
  private readonly utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  private readonly held: Uint8Array[] = []
  private heldBytes = 0
  private isTooLong = false
  private line = 0

  /** @param onLine  a line without its end; null: too long, or not UTF-8 */
  constructor(onLine: (text: string | null, line: number) => void) {
    this.onLine = onLine
  }

  push(piece: Uint8Array): void {
    let from = 0
    for (;;) {
      const newline = piece.indexOf(10, from)
      if (newline < 0) break
      this.keep(piece.subarray(from, newline))
      this.tell()
      from = newline + 1
    }
    if (from < piece.length) this.keep(piece.subarray(from))
  }

  end(): void {
    if (this.heldBytes > 0 || this.isTooLong) this.tell()
  }

  private keep(bytes: Uint8Array): void {
    if (this.isTooLong || this.heldBytes + bytes.length > LINE_BYTES_MAX) {
      this.isTooLong = true
      this.held.length = 0
      return
    }
    // The piece may be used again by whoever gave it.
    this.held.push(new Uint8Array(bytes))
    this.heldBytes += bytes.length
  }

  private tell(): void {
    this.line++
    const bytes = this.held.length === 1 ? this.held[0]! : Buffer.concat(this.held)
    const text = this.isTooLong ? null : this.decoded(bytes)
    this.held.length = 0
    this.heldBytes = 0
    this.isTooLong = false
    this.onLine(text?.endsWith('\r') ? text.slice(0, -1) : text, this.line)
  }

  private decoded(bytes: Uint8Array): string | null {
    try {
      return this.utf8.decode(bytes)
    } catch {
      return null
    }
  }
}
