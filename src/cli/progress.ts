// How far an export or import is: a bar on standard error where that is a terminal, nothing where it is not.
//
//   [##########..........]  50 %  1,234,000 rows  92 MB  0:12
// Invariant: at most five times a second, so that a terminal over a slow line is not what the work waits for.
import { roughSize } from '../base/units.ts'
import type { Io } from './command.ts'

const STEP_MS = 200
const WIDTH = 20

export class Progress {
  private readonly io: Io
  private readonly beganMs: number
  private shownMs = 0

  constructor(io: Io) {
    this.io = io
    this.beganMs = io.nowMs()
  }

  /** @param done  0 to 1 */
  show(done: number, rows: number, bytes: number): void {
    const nowMs = this.io.nowMs()
    if (!this.io.errIsTerminal || nowMs - this.shownMs < STEP_MS) return
    this.shownMs = nowMs
    const part = Math.min(1, Math.max(0, done))
    const bar = '#'.repeat(Math.round(part * WIDTH)).padEnd(WIDTH, '.')
    const percent = String(Math.floor(part * 100)).padStart(3)
    this.io.err(
      `\r[${bar}] ${percent} %  ${countText(rows)} rows  ${bytesText(bytes)}  ${this.elapsed(nowMs)}\u001b[K`
    )
  }

  /** Takes the bar away and says how it ended. */
  end(text: string): void {
    this.io.err(`${this.shownMs > 0 ? '\r\u001b[K' : ''}${text} in ${this.elapsed(this.io.nowMs())}\n`)
  }

  private elapsed(nowMs: number): string {
    const seconds = Math.floor((nowMs - this.beganMs) / 1000)
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
  }
}

/** Tells every 5 % in a line of its own on standard error. */
export function percentLines(io: Pick<Io, 'err'>, done: string): (bytes: number, of: number) => void {
  let told = 0
  return (bytes, of) => {
    const percent = Math.floor((100 * bytes) / Math.max(1, of))
    if (percent < told + 5) return
    told = percent - (percent % 5)
    io.err(`${done} ${told} % of ${roughSize(of)}\n`)
  }
}

export function countText(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',')
}

export function bytesText(bytes: number): string {
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`
}
