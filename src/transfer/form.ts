// The forms of a file of rows, behind one face each for writing and reading.
//
// Invariant of FormWriter: after checkpoint(), everything added is in what take() gave or gives next, and a writer that
// is opened with state() goes on behind it: the bytes of both are those that one writer would have made, but for
// where row groups of Parquet end.
// Not here: files, and what is asked of whom (cli/export-run.ts, cli/import-run.ts).
import { VarveError } from '../base/errors.ts'
import { CsvReader, csvHead, csvLines } from './csv.ts'
import { LineReader, lineOf } from './line.ts'
import { NdjsonReader, rowLine } from './ndjson.ts'
import type { ParquetRows } from './parquet-write.ts'
import type { RowReader, RowSink, TransferRow } from './row.ts'

export const FORMS = ['csv', 'ndjson', 'line', 'parquet'] as const
export type Form = (typeof FORMS)[number]

const ENDINGS: Readonly<Record<string, Form>> = {
  csv: 'csv',
  ndjson: 'ndjson',
  jsonl: 'ndjson',
  line: 'line',
  lp: 'line',
  parquet: 'parquet'
}

/** The form of a file by its name; null when the name does not say. */
export function formOf(file: string): Form | null {
  const ending = file.slice(file.lastIndexOf('.') + 1).toLowerCase()
  return Object.hasOwn(ENDINGS, ending) ? ENDINGS[ending]! : null
}

export interface FormWriter {
  /** @throws {VarveError} VARVE_TRANSFER_LABEL when the form cannot hold its labels */
  add(row: TransferRow): void
  checkpoint(): void
  /** What a later writer needs to go on after the last checkpoint. */
  state(): string
  /** Ends the file: take() gives its end. */
  finish(): void
  /** The bytes since the last call. */
  take(): Uint8Array
  /** How many bytes take() would give, about. */
  readonly held: number
}

/**
 * @param labelNames  all labels that rows may have
 * @param state       of the writer that began the file; null: it begins here
 */
export async function openFormWriter(
  form: Form,
  labelNames: readonly string[],
  state: string | null
): Promise<FormWriter> {
  const columns = new Map(labelNames.map((name, i) => [name, i]))
  const check = ({ labels }: TransferRow) => {
    for (const [name] of labels) {
      if (columns.has(name)) continue
      throw new VarveError(
        'VARVE_TRANSFER_LABEL',
        `Cannot write label ${name}: it is new since the export began, and its columns stand; begin anew`
      )
    }
  }
  switch (form) {
    case 'csv': {
      const lines = (row: TransferRow) => {
        check(row)
        return csvLines(row, columns)
      }
      return new TextWriter(state === null ? csvHead(labelNames) : '', lines)
    }
    case 'ndjson':
      return new TextWriter('', rowLine)
    case 'line':
      return new TextWriter('', row => lineOf(row.timeUs, row.name, row.labels, row.fields, row.values))
    case 'parquet': {
      const { ParquetRows } = await import('./parquet-write.ts')
      return new ParquetWriter(new ParquetRows(labelNames, state ?? undefined), check)
    }
  }
}

/** A reader of a form that is text. @param precision  unit of the times of line protocol */
export function openFormReader(form: Exclude<Form, 'parquet'>, sink: RowSink, precision: string): RowReader {
  if (form === 'csv') return new CsvReader(sink)
  return form === 'ndjson' ? new NdjsonReader(sink) : new LineReader(sink, precision)
}

class TextWriter implements FormWriter {
  private text: string
  private readonly lines: (row: TransferRow) => string

  constructor(head: string, lines: (row: TransferRow) => string) {
    this.text = head
    this.lines = lines
  }

  add(row: TransferRow): void {
    this.text += this.lines(row)
  }

  checkpoint(): void {}

  state(): string {
    return ''
  }

  finish(): void {}

  take(): Uint8Array {
    const bytes = Buffer.from(this.text)
    this.text = ''
    return bytes
  }

  get held(): number {
    return this.text.length
  }
}

class ParquetWriter implements FormWriter {
  private readonly rows: ParquetRows
  private readonly check: (row: TransferRow) => void

  constructor(rows: ParquetRows, check: (row: TransferRow) => void) {
    this.rows = rows
    this.check = check
  }

  add(row: TransferRow): void {
    this.check(row)
    this.rows.add(row)
  }

  checkpoint(): void {
    this.rows.close()
  }

  state(): string {
    return this.rows.state()
  }

  finish(): void {
    this.rows.finish()
  }

  take(): Uint8Array {
    return this.rows.take()
  }

  get held(): number {
    return this.rows.bytes
  }
}
