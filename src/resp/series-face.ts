// What the TS commands need of series: appending samples, and asking questions. The daemon fills it.
import type { NativeRequest } from '../query/request.ts'

export interface NewSample {
  readonly name: string
  readonly labels: readonly (readonly [name: string, value: string])[]
  readonly timeUs: number
  readonly value: number
}

export interface SeriesFace {
  /**
   * Appends one sample. @returns the WAL group to wait for
   * @throws {VarveError} when the store takes none now, or the name, a label or the time is not accepted
   */
  append(sample: NewSample): number
  /** The answer, decoded from CBOR. @throws {VarveError} of the query */
  ask(request: NativeRequest): Promise<unknown>
}
