// Who evaluates: the faces hand a request to a QueryRunner and get the pieces of its answer back. The daemon
// gives one that runs in worker threads; the one here runs where it is called, for commands and tests.
import { setImmediate as turn } from 'node:timers/promises'
import type { SeriesSource } from '../series/source.ts'
import { answer, type QueryContext } from './evaluate.ts'
import type { QueryRequest } from './request.ts'

export interface QueryRunner {
  /**
   * The pieces of an answer. The next is made when it is asked for; leaving the iteration, or aborting the
   * signal, cancels the query and frees what it holds.
   */
  run(request: QueryRequest, signal: AbortSignal): AsyncIterable<Uint8Array>
  /** The whole answer where it is known already, so that it can be sent at once; else null. */
  known?(request: QueryRequest): Uint8Array | null
}

/** The body of a reply: what is known, or pieces as they are made. */
export function bodyOf(
  runner: QueryRunner,
  request: QueryRequest,
  signal: AbortSignal
): Uint8Array | AsyncIterable<Uint8Array> {
  return runner.known?.(request) ?? runner.run(request, signal)
}

/** Evaluates in the calling thread, a piece a turn of the event loop. */
export class InlineRunner implements QueryRunner {
  private readonly open: () => SeriesSource
  private readonly context: Omit<QueryContext, 'isCancelled'>

  /** @param open  a source for one query; closed when the query ends */
  constructor(open: () => SeriesSource, context: Omit<QueryContext, 'isCancelled'>) {
    this.open = open
    this.context = context
  }

  async *run(request: QueryRequest, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const source = this.open()
    try {
      for (const piece of answer(source, request, { ...this.context, isCancelled: () => signal.aborted })) {
        yield piece
        await turn()
      }
    } finally {
      source.close()
    }
  }
}
