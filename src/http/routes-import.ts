// POST /v1/import: rows as NDJSON (transfer/ndjson.ts), plain or gzip, as /v1/export answers them; answered when they
// are on the medium. What is no row is told by its line, and the rows around it are stored:
//
//   {"rows":R,"samples":S,"refused":F,"refusals":[{"line":L,"reason":"..."}, ...]}       the first 100 refusals
//
// A body streams into the store piece by piece, no faster than the store takes it. What was stored before an error
// stays; the same rows may be sent again, since equal group and time make the same samples.
// Not here: reading (transfer), the store (daemon).
import { type Exchange, jsonReply, type Reply, type Route } from './exchange.ts'
import { onlyKnown } from './parameters.ts'
import { varveFace } from './problem.ts'

export interface ImportOutcome {
  readonly rows: number
  readonly samples: number
  readonly refused: number
  readonly refusals: readonly { readonly line: number; readonly reason: string }[]
}

/** Reads one body of rows. */
export interface ImportWriter {
  /** Stores the whole rows of a piece. @throws {VarveError} when the store refuses: nothing more is stored */
  push(piece: Uint8Array): void
  /** @throws as push() */
  end(): ImportOutcome
}

export interface ImportSink {
  open(): ImportWriter
  /** Resolves when all that was stored before the call is on the medium. @throws {VarveError} when it never will be */
  synced(): Promise<void>
  /** Null, or what resolves when the store can take more: back-pressure. */
  ready(): Promise<void> | null
}

/** @param bodyBytesMax  limit of a body, decompressed */
export function importRoute(sink: ImportSink, bodyBytesMax: number): Route {
  return {
    methods: ['POST'],
    path: '/v1/import',
    roles: ['write'],
    face: varveFace,
    handle: exchange => take(sink, exchange, bodyBytesMax)
  }
}

async function take(sink: ImportSink, { query, body }: Exchange, bodyBytesMax: number): Promise<Reply> {
  onlyKnown(query, [])
  const writer = sink.open()
  for await (const chunk of body.chunks(bodyBytesMax)) {
    const waiting = sink.ready()
    if (waiting !== null) await waiting
    writer.push(chunk)
  }
  const outcome = writer.end()
  if (outcome.rows > 0) await sink.synced()
  return jsonReply(200, outcome)
}
