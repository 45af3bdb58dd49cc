// An export: asks for rows page after page, writes them in the form that is wanted, and notes after each page how far
// it is, so that it goes on exactly there.
//
// Why pages: an answer is one snapshot and one query with its limits; a page is small enough for both, and the place of
// its last row is where the next begins (query/export.ts).
// Not here: arguments (commands/export.ts), forms (transfer), the state's file (transfer-state.ts).
import { renameSync } from 'node:fs'
import { VarveError } from '../base/errors.ts'
import { type FormWriter, openFormWriter } from '../transfer/form.ts'
import { rowOf } from '../transfer/ndjson.ts'
import type { TransferRow } from '../transfer/row.ts'
import type { Io } from './command.ts'
import type { Answerer } from './doors.ts'
import { bytesText, countText, Progress } from './progress.ts'
import { readRows } from './rows.ts'
import { dropState, type ExportState, PartFile, saveState } from './transfer-state.ts'

/** Rows of a page. */
const PAGE_ROWS = 50_000
const WRITE_BYTES = 1024 ** 2

/** What is asked for, and how far an earlier run came. */
export type ExportTask = Pick<ExportState, 'match' | 'topic' | 'from_us' | 'to_us' | 'form'> & {
  /** '-' is standard output. */
  readonly file: string
  readonly before: ExportState | null
  readonly pageRows?: number
}

/** Where bytes go. */
interface Output {
  readonly bytes: number
  append(bytes: Uint8Array): void | Promise<void>
  /** The bytes so far are safe with the state that speaks of them. */
  checkpoint(state: Omit<ExportState, 'bytes' | 'crc32'>): void
  end(): void
  close(): void
}

/** @throws {VarveError} VARVE_TRANSFER_*, VARVE_IO, what the API answers */
export async function runExport(task: ExportTask, answerer: Answerer, io: Io): Promise<void> {
  const output = task.file === '-' ? stdout(io) : partOf(task.file, task.before)
  try {
    await new Run(task, answerer, output, io).run()
  } finally {
    output.close()
  }
}

class Run {
  private readonly task: ExportTask
  private readonly answerer: Answerer
  private readonly output: Output
  private readonly progress: Progress
  private writer: FormWriter | null = null
  private labelNames: readonly string[] = []
  private rows: number
  private samples: number
  private after: string | null
  private groups = 1
  private group = 0
  private groupKey = ''
  private last: TransferRow | null = null

  constructor(task: ExportTask, answerer: Answerer, output: Output, io: Io) {
    this.task = task
    this.answerer = answerer
    this.output = output
    this.progress = new Progress(io)
    this.rows = task.before?.rows ?? 0
    this.samples = task.before?.samples ?? 0
    this.after = task.before?.after ?? null
  }

  async run(): Promise<void> {
    while (await this.page()) {
      const { match, topic, from_us, to_us, form } = this.task
      this.output.checkpoint({
        ...{ match, topic, from_us, to_us, form },
        label_names: this.labelNames,
        ...{ rows: this.rows, samples: this.samples, after: this.after },
        writer: this.writer!.state()
      })
    }
    this.writer!.finish()
    await this.output.append(this.writer!.take())
    this.output.end()
    const { bytes } = this.output
    this.progress.end(
      `Exported ${countText(this.rows)} rows, ${countText(this.samples)} samples, ${bytesText(bytes)}`
    )
  }

  /** Writes one page; returns whether another follows. */
  private async page(): Promise<boolean> {
    const body = await this.answerer.ask('export', this.params())
    let more: boolean | null = null
    for await (const found of readRows(body)) {
      if (found.export !== undefined) await this.head(found)
      else if (found.end === true) more = found.more === true
      else await this.add(rowOf(found))
    }
    if (more === null) throw new VarveError('VARVE_ANSWER', 'Cannot export: the answer ends too early')
    this.writer!.checkpoint()
    await this.output.append(this.writer!.take())
    if (this.last !== null) this.after = placeText(this.last)
    return more
  }

  private params(): URLSearchParams {
    const { match, topic, from_us: fromUs, to_us: toUs, pageRows = PAGE_ROWS } = this.task
    const params = new URLSearchParams({ limit: String(pageRows) })
    for (const one of match) params.append('match', one)
    if (topic !== null) params.set('topic', topic)
    if (fromUs !== null) params.set('from', String(fromUs))
    if (toUs !== null) params.set('to', String(toUs))
    if (this.after !== null) params.set('after', this.after)
    return params
  }

  private async head(found: Readonly<Record<string, unknown>>): Promise<void> {
    this.groups = Math.max(1, Number(found.groups))
    this.group = Number(found.group)
    this.groupKey = ''
    if (this.writer !== null) return
    const { before, form } = this.task
    this.labelNames = before?.label_names ?? (found.label_names as string[])
    this.writer = await openFormWriter(form, this.labelNames, before?.writer ?? null)
  }

  private async add(row: TransferRow): Promise<void> {
    const { writer, output } = this
    writer!.add(row)
    this.rows++
    this.samples += row.fields.length
    this.last = row
    if (writer!.held >= WRITE_BYTES) await output.append(writer!.take())
    if (this.rows % 1000 !== 0) return
    const key = placeText({ ...row, timeUs: 0 })
    if (key !== this.groupKey && this.groupKey !== '') this.group++
    this.groupKey = key
    this.progress.show(this.group / this.groups, this.rows, output.bytes)
  }
}

function placeText({ name, labels, timeUs }: TransferRow): string {
  return JSON.stringify({ name, labels: Object.fromEntries(labels), time_us: timeUs })
}

function partOf(file: string, before: ExportState | null): Output {
  const part = new PartFile(`${file}.part`, before)
  const state = `${file}.part.json`
  return {
    get bytes() {
      return part.bytes
    },
    append: bytes => part.append(bytes),
    checkpoint: facts => {
      part.sync()
      saveState(state, { ...facts, bytes: part.bytes, crc32: part.crc32 }, true)
    },
    end: () => {
      part.sync()
      renameSync(`${file}.part`, file)
      dropState(state)
    },
    close: () => part.close()
  }
}

function stdout(io: Io): Output {
  let written = 0
  return {
    get bytes() {
      return written
    },
    append: bytes => {
      written += bytes.length
      return io.out(bytes)
    },
    checkpoint: () => {},
    end: () => {},
    close: () => {}
  }
}
