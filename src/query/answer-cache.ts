// Answers that were given before and would be given again, byte for byte: a dashboard that is opened twice, the
// past that everybody looks at. They are kept where requests arrive, so that no thread is asked.
//
// Why it may be: an answer depends on its request, on segments, names and rollups (the epoch), and on the rows
// up to the last moment that it speaks of. Rows only ever arrive, so it is enough to know the lowest time among
// those that came since (lowUs): an answer that ends before it still holds.
//
// Invariants: an answer is kept only when nothing that it depends on changed while it was made; errors are not
// kept; the bytes held stay within bytesMax, and one answer takes an eighth of them at most.
// Not here: which goes first (base/second-chance.ts), evaluation (evaluate.ts); lists, and what asks for later
// samples than its own time, are never kept.
import { SecondChance } from '../base/second-chance.ts'
import type { QueryRequest } from './request.ts'
import type { QueryRunner } from './runner.ts'

export interface AnswerState {
  /** Equal as long as segments, names, rollups and limits are the same. */
  epoch(): string
  /** The lowest time of the rows that were appended since the last call, us; Infinity for none. */
  takeLowUs(): number
}

/** What an answer takes beside its bytes. */
const ANSWER_BYTES = 400

interface Kept {
  readonly answer: Uint8Array
  /** The last moment it speaks of. */
  readonly untilUs: number
}

interface Making {
  lowUs: number
}

export class AnswerCache implements QueryRunner {
  private readonly inner: QueryRunner
  private readonly state: AnswerState
  private readonly bytesMax: number
  private readonly kept: SecondChance<string, Kept>
  private readonly making = new Set<Making>()
  private epoch = ''
  /** Answers given from here. */
  hits = 0

  /** @param bytesMax  0: nothing is kept */
  constructor(inner: QueryRunner, state: AnswerState, bytesMax: number) {
    this.inner = inner
    this.state = state
    this.bytesMax = bytesMax
    this.kept = new SecondChance(bytesMax, 8)
  }

  /** Memory held, in bytes. */
  get bytes(): number {
    return this.kept.weight
  }

  known(request: QueryRequest): Uint8Array | null {
    if (this.bytesMax === 0 || endOf(request) === null) return null
    this.sweep()
    const known = this.kept.get(JSON.stringify(request))
    if (known === undefined) return null
    this.hits++
    return known.answer
  }

  /** The answer as it is made; where one may be known, ask known() first. */
  run(request: QueryRequest, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const untilUs = this.bytesMax === 0 ? null : endOf(request)
    if (untilUs === null) return this.inner.run(request, signal)
    return this.made(request, signal, JSON.stringify(request), untilUs)
  }

  /** Lets go of what new rows or another epoch have made untrue. */
  private sweep(): void {
    const lowUs = this.state.takeLowUs()
    const epoch = this.state.epoch()
    for (const making of this.making) making.lowUs = Math.min(making.lowUs, lowUs)
    if (epoch !== this.epoch) {
      this.epoch = epoch
      this.kept.clear()
    } else if (lowUs < Number.POSITIVE_INFINITY) {
      this.kept.deleteWhere((_, { untilUs }) => untilUs >= lowUs)
    }
  }

  /** The answer as it is made, kept when it is whole and still true. */
  private async *made(
    request: QueryRequest,
    signal: AbortSignal,
    key: string,
    untilUs: number
  ): AsyncGenerator<Uint8Array> {
    this.sweep()
    const making: Making = { lowUs: Number.POSITIVE_INFINITY }
    const { epoch } = this
    this.making.add(making)
    const pieces: Uint8Array[] = []
    let bytes = ANSWER_BYTES + 2 * key.length
    try {
      for await (const piece of this.inner.run(request, signal)) {
        bytes += piece.length
        if (this.kept.fits(bytes)) pieces.push(piece)
        else pieces.length = 0
        yield piece
      }
      this.sweep()
    } finally {
      this.making.delete(making)
    }
    if (!this.kept.fits(bytes) || epoch !== this.epoch || making.lowUs <= untilUs) return
    this.kept.put(key, { answer: Buffer.concat(pieces), untilUs }, bytes)
  }
}

/** The last moment that an answer speaks of, us; null when it may not be kept. */
function endOf(request: QueryRequest): number | null {
  switch (request.kind) {
    case 'last':
    case 'range':
      return request.toUs
    case 'promql-instant':
      return looksAhead(request.query) ? null : request.timeUs
    case 'promql-range':
      return looksAhead(request.query) ? null : request.endUs
    default:
      return null
  }
}

/** Whether the text may ask for samples after its own time: by an offset below zero, or by @. */
function looksAhead(text: string): boolean {
  return text.includes('@') || /offset/i.test(text)
}
