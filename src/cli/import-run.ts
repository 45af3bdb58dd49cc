// An import: reads rows of a file, sends them in batches, and goes on when the daemon has each on its medium. A
// batch that the daemon cannot take now is sent again; equal rows are stored once, so nothing is doubled by it.
//
// Going on after an interruption: the file is read from its start, the rows that the daemon has are passed over, and
// their checksum, as they were sent, must be the one noted. So every form goes on exactly, compressed ones too.
// Not here: arguments (commands/import.ts), forms (transfer), the state's file (transfer-state.ts).
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { checksum } from '../base/checksum.ts'
import { reason, VarveError } from '../base/errors.ts'
import { type Form, openFormReader } from '../transfer/form.ts'
import { rowLine } from '../transfer/ndjson.ts'
import type { Refusal, RowSink, TransferRow } from '../transfer/row.ts'
import type { Io } from './command.ts'
import { countText, Progress } from './progress.ts'
import { dropState, type ImportState, saveState } from './transfer-state.ts'

const BATCH_BYTES = 2 * 1024 ** 2
const PIECE_BYTES = 256 * 1024
const TOLD_MAX = 20
/** Codes of what is over soon: the batch is sent again. */
const PASSING = [
  'VARVE_MEMORY',
  'VARVE_WAL_FULL',
  'VARVE_NO_DAEMON',
  'VARVE_ANSWER',
  'VARVE_BUSY',
  'VARVE_CLOSED'
]

export interface ImportTask {
  /** '-' is standard input. */
  readonly file: string
  readonly form: Form
  readonly precision: string
  readonly fromUs: number
  readonly toUs: number
  readonly before: ImportState | null
  readonly url: string
  /** How long a daemon that takes nothing is asked again, ms. */
  readonly retryMs: number
}

/** Sends a body of NDJSON; resolves with the answer of POST /v1/import. */
export type SendRows = (body: Uint8Array) => Promise<unknown>

interface Batch {
  readonly text: string[]
  readonly lines: number[]
  chars: number
}

/** @returns how many lines were refused @throws {VarveError} VARVE_TRANSFER_*, VARVE_IO, what the API answers */
export async function runImport(task: ImportTask, send: SendRows, io: Io): Promise<number> {
  const run = new Run(task, send, io)
  return run.run()
}

class Run implements RowSink {
  private readonly task: ImportTask
  private readonly send: SendRows
  private readonly io: Io
  private readonly progress: Progress
  private readonly state: string | null
  private readonly batches: Batch[] = []
  /** Rows that the daemon has, and the checksum of them as they were sent. */
  private rows = 0
  private crc32 = 0
  private skipping: number
  private refused: number
  private told = 0
  private done = 0
  private bytes = 0

  constructor(task: ImportTask, send: SendRows, io: Io) {
    this.task = task
    this.send = send
    this.io = io
    this.progress = new Progress(io)
    this.state = task.file === '-' ? null : `${task.file}.import.json`
    this.skipping = task.before?.rows ?? 0
    this.refused = task.before?.refused ?? 0
  }

  async run(): Promise<number> {
    const { task } = this
    await (task.form === 'parquet' ? this.readParquet() : this.readText(task.form))
    if (this.skipping > 0) throw this.otherFile(`it has only ${this.rows} of them`)
    await this.sendAll(true)
    if (this.state !== null) dropState(this.state)
    const refused = this.refused === 0 ? '' : `, refused ${countText(this.refused)}`
    this.progress.end(`Imported ${countText(this.rows)} rows${refused}`)
    return this.refused
  }

  // What readers find

  row(row: TransferRow, line: number): void {
    if (row.timeUs < this.task.fromUs || row.timeUs > this.task.toUs) return
    const text = rowLine(row)
    if (this.skipping > 0) {
      this.pass(text)
      return
    }
    let batch = this.batches.at(-1)
    if (batch === undefined || batch.chars >= BATCH_BYTES) {
      batch = { text: [], lines: [], chars: 0 }
      this.batches.push(batch)
    }
    batch.text.push(text)
    batch.lines.push(line)
    batch.chars += text.length
  }

  refuse({ line, reason: why }: Refusal): void {
    // What is passed over was told before.
    if (this.skipping > 0) return
    this.refused++
    if (this.told++ < TOLD_MAX) this.io.err(`Cannot import line ${line}: ${why}\n`)
    else if (this.told === TOLD_MAX + 1) this.io.err('Cannot import more lines, which are only counted\n')
  }

  /** A row that the daemon has already. */
  private pass(text: string): void {
    this.rows++
    this.crc32 = checksum(Buffer.from(text), 0, undefined, this.crc32)
    if (--this.skipping > 0) return
    if (this.crc32 !== this.task.before!.crc32) throw this.otherFile('their checksum is another')
  }

  private otherFile(why: string): VarveError {
    const { rows } = this.task.before!
    return new VarveError(
      'VARVE_TRANSFER_STATE',
      `Cannot go on with ${this.task.file}: it does not begin with the ${rows} rows that were sent: ${why}; begin anew without --resume`
    )
  }

  // Reading

  private async readText(form: Exclude<Form, 'parquet'>): Promise<void> {
    const reader = openFormReader(form, this, this.task.precision)
    for await (const [piece, size] of this.task.file === '-' ? this.input() : pieces(this.task.file)) {
      reader.push(piece)
      this.bytes += piece.length
      this.done = size === 0 ? 0 : this.bytes / size
      await this.sendAll(false)
    }
    reader.end()
  }

  private async *input(): AsyncGenerator<[Uint8Array, number]> {
    for await (const piece of this.io.input()) yield [piece, 0]
  }

  private async readParquet(): Promise<void> {
    const { readParquet } = await import('../transfer/parquet-read.ts')
    const { file } = this.task
    if (file === '-') {
      throw new VarveError('VARVE_USAGE', 'Cannot read Parquet from standard input: its end is read first')
    }
    const fd = openFile(file)
    try {
      const byteLength = fstatSync(fd).size
      const slice = (start: number, end = byteLength): ArrayBuffer => {
        const bytes = new Uint8Array(end - start)
        const read = readSync(fd, bytes, 0, bytes.length, start)
        this.bytes += read
        this.done = this.bytes / byteLength
        return bytes.buffer.slice(0, read)
      }
      await readParquet({ byteLength, slice }, this, () => this.sendAll(false))
    } finally {
      closeSync(fd)
    }
  }

  // Sending

  private async sendAll(isEnd: boolean): Promise<void> {
    while (this.batches.length > (isEnd ? 0 : 1)) await this.sendOne(this.batches.shift()!)
    const first = this.batches[0]
    if (first !== undefined && first.chars >= BATCH_BYTES) await this.sendOne(this.batches.shift()!)
  }

  private async sendOne(batch: Batch): Promise<void> {
    const body = Buffer.from(batch.text.join(''))
    const { refused, refusals } = readOutcome(await this.sent(body))
    for (const { line, reason: why } of refusals) this.refuse({ line: batch.lines[line - 1]!, reason: why })
    this.refused += refused - refusals.length
    this.rows += batch.lines.length
    this.crc32 = checksum(body, 0, body.length, this.crc32)
    this.progress.show(this.done, this.rows, this.bytes)
    this.note()
  }

  /** Sends until the daemon takes it, or has not for retryMs. */
  private async sent(body: Uint8Array): Promise<unknown> {
    const sinceMs = this.io.nowMs()
    for (let waitMs = 250; ; waitMs = Math.min(waitMs * 2, 5_000)) {
      try {
        return await this.send(body)
      } catch (error) {
        const isPassing = error instanceof VarveError && PASSING.includes(error.code)
        if (!isPassing || this.io.nowMs() - sinceMs + waitMs > this.task.retryMs) throw error
      }
      await this.io.pause(waitMs)
    }
  }

  private note(): void {
    if (this.state === null) return
    const { form, url } = this.task
    saveState(this.state, { form, url, rows: this.rows, crc32: this.crc32, refused: this.refused }, false)
  }
}

function openFile(file: string): number {
  try {
    return openSync(file, 'r')
  } catch (cause) {
    throw new VarveError('VARVE_IO', `Cannot read ${file}: ${reason(cause)}`, { cause })
  }
}

function* pieces(file: string): Generator<[piece: Uint8Array, size: number]> {
  const fd = openFile(file)
  try {
    const { size } = fstatSync(fd)
    for (;;) {
      const room = new Uint8Array(PIECE_BYTES)
      const read = readSync(fd, room)
      if (read === 0) return
      yield [room.subarray(0, read), size]
    }
  } finally {
    closeSync(fd)
  }
}

function readOutcome(found: unknown): { refused: number; refusals: Refusal[] } {
  const { refused, refusals } = (found ?? {}) as { refused?: unknown; refusals?: unknown }
  if (typeof refused !== 'number' || !Array.isArray(refusals)) {
    throw new VarveError('VARVE_ANSWER', 'Cannot import: the answer is not one of /v1/import')
  }
  return { refused, refusals: refusals as Refusal[] }
}
