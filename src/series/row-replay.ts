// The rows that a restart finds in the WAL go back to the head they came from. Limits do not apply: these rows
// were acknowledged.
//
// Invariants: a payload that cannot be read is told and costs itself, and those behind it that refer to it; no row
// of it is in the head that was not whole.
// Not here: the bytes (wal-rows-read.ts), which groups of the WAL are sound (engine/wal-reader.ts).
import { type CorruptionError, VarveError } from '../base/errors.ts'
import type { Catalog } from './catalog.ts'
import type { Heads } from './heads.ts'
import type { Shapes } from './shape.ts'
import { RowDecoder, type RowSink } from './wal-rows-read.ts'

export interface ReplayParts {
  readonly catalog: Catalog
  readonly shapes: Shapes
  readonly heads: Heads
  onCorruption(error: CorruptionError | VarveError): void
}

export class RowReplay {
  /** Boots that the rows bear, corrected or not. */
  readonly boots = new Set<number>()
  private readonly parts: ReplayParts
  private readonly decoder = new RowDecoder()
  private readonly sink: RowSink

  constructor(parts: ReplayParts) {
    this.parts = parts
    const { catalog, shapes, heads } = parts
    this.sink = {
      define: from => catalog.replay(from),
      shape: (group, boot, fields, kinds) => {
        catalog.standIn(group, Math.max(...fields) + 1)
        if (boot !== 0) this.boots.add(boot)
        return shapes.intern(group, fields, kinds, Number.POSITIVE_INFINITY, boot)
      },
      begin: (shape, timeUs) => heads.open.head.begin(shape, shapes.all[shape]!, timeUs),
      number: (i, value) => {
        const { head } = heads.open
        head.slots[head.at + i] = value
      },
      text: (i, source, start, end) => heads.open.head.text(i, source, start, end),
      end: () => heads.open.head.end()
    }
  }

  /** One payload of the WAL, in the order in which they were written. */
  replay(payload: Uint8Array): void {
    try {
      this.decoder.decode(payload, this.sink)
    } catch (error) {
      if (!(error instanceof VarveError)) throw error
      this.lost(error)
    }
  }

  /** A payload is damaged or not there: what follows may refer to it. */
  lost(error: CorruptionError | VarveError): void {
    this.decoder.lost()
    this.parts.onCorruption(error)
  }
}
