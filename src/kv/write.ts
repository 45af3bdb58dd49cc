// What callers say of a write: its conditions, its expiry, how soon it is wanted, and what a condition that
// does not hold throws. Not here: doing it (store.ts).
import { VarveError } from '../base/errors.ts'
import type { Urgency } from './host.ts'

/** A condition that must hold as the write is made. */
export interface Condition {
  /** The version that is there now; 0: nothing is there. */
  ifVersion?: number
  /** Nothing is there. */
  ifAbsent?: boolean
}

export interface PutOptions extends Condition {
  /** Microseconds since the Unix epoch from which on it is not there; 0 or left out: never. */
  expiresUs?: number
  /** How soon the sync is wanted; default 1. */
  urgency?: Urgency
}

/** One write of a batch. */
export type Write =
  | ({ op: 'put'; ns: string; key: string | Uint8Array; value: Uint8Array; expiresUs?: number } & Condition)
  | ({ op: 'delete'; ns: string; key: string | Uint8Array } & Condition)

/** A conditional write found something else. */
export class ConflictError extends VarveError {
  override readonly name = 'ConflictError'
  /** What is there: its version, 0 for nothing. */
  readonly version: number
  constructor(version: number, wanted: number) {
    super('VARVE_CONFLICT', `Cannot write key: its version is ${version}, ${wanted} was expected`)
    this.version = version
  }
}
