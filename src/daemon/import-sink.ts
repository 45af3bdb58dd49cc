// Rows of an import: joins their reader to the store and to the WAL that they wait for.
//
// Invariants: nothing is acknowledged here; a row that cannot be stored is told by its line, a store that takes
// nothing ends the body. Not here: the route (http/routes-import.ts), the reader (transfer).
import { reason, VarveError } from '../base/errors.ts'
import type { ImportOutcome, ImportSink, ImportWriter } from '../http/routes-import.ts'
import type { Appender } from '../ingest/appender.ts'
import type { IngestLimits } from '../ingest/limits.ts'
import { NdjsonReader } from '../transfer/ndjson.ts'
import type { Refusal, TransferRow } from '../transfer/row.ts'
import { RowAppender } from '../transfer/row-appender.ts'
import type { WriteWaits } from './http-sinks.ts'

/** WAL bytes of a byte of NDJSON, roughly: only paces the syncs. */
const WAL_PER_BYTE = 0.1
const REFUSALS_MAX = 100
/** What is wrong with one row, and not with the store. */
const OF_A_ROW = ['VARVE_LABEL', 'VARVE_SERIES_LIMIT', 'VARVE_VALUE_SIZE']

export class RowImportSink implements ImportSink {
  rows = 0
  refused = 0
  private readonly appender: RowAppender
  private readonly waits: WriteWaits
  private readonly limits: IngestLimits

  /** @param rows  the store, or what cuts rows on their way there */
  constructor(rows: Appender, waits: WriteWaits, limits: IngestLimits) {
    this.limits = limits
    this.appender = new RowAppender(rows)
    this.waits = waits
  }

  open(): ImportWriter {
    const refusals: Refusal[] = []
    let [rows, samples, refused] = [0, 0, 0]
    const refuse = (refusal: Refusal) => {
      refused++
      if (refusals.length < REFUSALS_MAX) refusals.push(refusal)
    }
    const row = (found: TransferRow, line: number) => {
      const why = wrongWith(found, this.limits) ?? this.append(found)
      if (why !== null) return refuse({ line, reason: why })
      rows++
      samples += found.fields.length
    }
    const reader = new NdjsonReader({ row, refuse })
    return {
      push: piece => {
        reader.push(piece)
        this.waits.note(piece.length * WAL_PER_BYTE)
      },
      end: (): ImportOutcome => {
        reader.end()
        this.rows += rows
        this.refused += refused
        return { rows, samples, refused, refusals }
      }
    }
  }

  /** Null, or why the row cannot be stored. */
  private append(row: TransferRow): string | null {
    try {
      this.appender.append(row)
      return null
    } catch (error) {
      if (!(error instanceof VarveError) || !OF_A_ROW.includes(error.code)) throw error
      return reason(error)
    }
  }

  synced(): Promise<void> {
    return this.waits.synced()
  }

  ready(): Promise<void> | null {
    return this.waits.ready()
  }
}

/** Null, or the limit that a row crosses. */
function wrongWith(
  { fields, values }: TransferRow,
  { fieldsMax, nameBytesMax, valueBytesMax }: IngestLimits
): string | null {
  if (fields.length > fieldsMax) return `it has ${fields.length} fields, the limit is ${fieldsMax}`
  for (let i = 0; i < fields.length; i++) {
    const nameBytes = Buffer.byteLength(fields[i]!)
    if (nameBytes < 1 || nameBytes > nameBytesMax) return `the name of a field has ${nameBytes} bytes`
    const value = values[i]!
    const bytes =
      typeof value === 'string' ? Buffer.byteLength(value) : value instanceof Uint8Array ? value.length : 0
    if (bytes > valueBytesMax) return `a value has ${bytes} bytes, the limit is ${valueBytesMax}`
  }
  return null
}
