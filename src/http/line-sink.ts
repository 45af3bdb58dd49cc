// Where lines go: what the write path needs of ingest and of the WAL, no more. The daemon joins them.

export const PRECISIONS = ['ns', 'us', 'ms', 's', 'm', 'h'] as const
/** The unit of a line's timestamp. */
export type Precision = (typeof PRECISIONS)[number]

/** Reads one body of line protocol. */
export interface LineWriter {
  /**
   * Stores the whole lines of a piece; the rest waits for the next. The piece may be reused afterwards.
   * @throws {VarveError} when the store refuses (failed, full): nothing more of this body is stored
   */
  push(piece: Uint8Array): void
  /** The body ended: stores its last line. @throws as push() */
  end(): WriteOutcome
}

export interface WriteOutcome {
  /** Lines stored, and lines refused because they are not line protocol or break a limit. */
  readonly stored: number
  readonly refused: number
  /** Null when none was refused, else what InfluxDB tells a client: which, why, and how many it dropped. */
  readonly message: string | null
}

export interface LineSink {
  open(precision: Precision): LineWriter
  /** Resolves when all that was stored before the call is on the medium. @throws {VarveError} when it never will be */
  synced(): Promise<void>
  /** Null, or what resolves when the store can take more: back-pressure. */
  ready(): Promise<void> | null
}
