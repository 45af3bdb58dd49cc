// Cuts bytes into the cells of CSV (RFC 4180): commas between, quotes where a cell holds one of , " CR LF,
// a quote in it twice; lines end in CRLF or LF.
//
// Invariants: what is held is one line of at most LINE_BYTES_MAX and one piece; lines are counted as an editor
// counts them, and a line of cells is told by the number of its first.
// Not here: what cells mean (csv.ts).
import { LINE_BYTES_MAX } from './text-lines.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const CR = 0x0d
const LF = 0x0a

export class CsvCells {
  private readonly onLine: (cells: readonly string[], line: number) => void
  private readonly onBad: (line: number, why: string) => void
  private readonly utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  private held: Uint8Array = new Uint8Array(0)
  /** How much of what is held was searched for the line's end, and whether a quote is open there. */
  private searched = 0
  private isQuoted = false
  private line = 1

  constructor(
    onLine: (cells: readonly string[], line: number) => void,
    onBad: (line: number, why: string) => void
  ) {
    this.onLine = onLine
    this.onBad = onBad
  }

  push(piece: Uint8Array): void {
    const bytes = this.held.length === 0 ? piece : Buffer.concat([this.held, piece])
    let from = 0
    for (let at = this.searched; at < bytes.length; at++) {
      const byte = bytes[at]!
      if (byte === QUOTE) this.isQuoted = !this.isQuoted
      else if (byte === LF && !this.isQuoted) {
        this.take(bytes.subarray(from, at))
        from = at + 1
      }
    }
    if (bytes.length - from > LINE_BYTES_MAX) {
      this.onBad(this.line, 'it is too long, or a quote is never closed')
      from = bytes.length
      this.isQuoted = false
    }
    this.held = new Uint8Array(bytes.subarray(from))
    this.searched = this.held.length
  }

  end(): void {
    if (this.held.length > 0) this.take(this.held)
    this.held = new Uint8Array(0)
  }

  private take(bytes: Uint8Array): void {
    const line = this.line++
    for (const byte of bytes) if (byte === LF) this.line++
    if (bytes.length === 0 || (bytes.length === 1 && bytes[0] === CR)) return
    let cells: string[] | null
    try {
      cells = cellsOf(this.utf8.decode(bytes))
    } catch {
      this.onBad(line, 'it is not UTF-8')
      return
    }
    if (cells === null) this.onBad(line, 'its quotes are not those of CSV')
    else this.onLine(cells, line)
  }
}

function cellsOf(line: string): string[] | null {
  const end = line.charCodeAt(line.length - 1) === CR ? line.length - 1 : line.length
  const cells: string[] = []
  for (let at = 0; ; at++) {
    if (line.charCodeAt(at) === QUOTE && at < end) {
      let close = at + 1
      for (; close < end; close++) {
        if (line.charCodeAt(close) !== QUOTE) continue
        if (line.charCodeAt(close + 1) !== QUOTE) break
        close++
      }
      if (close >= end) return null
      cells.push(line.slice(at + 1, close).replaceAll('""', '"'))
      at = close + 1
      if (at < end && line.charCodeAt(at) !== COMMA) return null
    } else {
      const comma = line.indexOf(',', at)
      const stop = comma < 0 || comma > end ? end : comma
      cells.push(line.slice(at, stop))
      at = stop
    }
    if (at >= end) return cells
  }
}
