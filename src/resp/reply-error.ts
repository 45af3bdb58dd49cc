// What a command answers instead of its result, in Redis' own words: clients and tests compare them.
// The text begins with the code in capitals, as it goes out behind "-".
import { VarveError } from '../base/errors.ts'

/** An error that goes to the client as it is. */
export class ReplyError extends VarveError {
  override readonly name = 'ReplyError'
  constructor(text: string) {
    super('VARVE_RESP', text)
  }
}

export const SYNTAX = 'ERR syntax error'
export const NOT_INTEGER = 'ERR value is not an integer or out of range'
export const NOT_FLOAT = 'ERR value is not a valid float'
export const WRONG_TYPE = 'WRONGTYPE Operation against a key holding the wrong kind of value'
export const NO_KEY = 'ERR no such key'
export const OUT_OF_RANGE = 'ERR index out of range'

export function fail(text: string): never {
  throw new ReplyError(text)
}

/** The words of Redis for what the store refuses; its own text where Redis has none. */
export function replyText(error: VarveError): string {
  if (error instanceof ReplyError) return error.message
  switch (error.code) {
    case 'VARVE_MEMORY':
    case 'VARVE_BUSY':
    case 'VARVE_WAL_FULL':
      return `OOM command not allowed now: ${error.message}`
    case 'VARVE_STORE_FAILED':
    case 'VARVE_SYNC_FAILED':
    case 'VARVE_CLOSED':
      return `MISCONF ${error.message}`
    default:
      return `ERR ${error.message}`
  }
}
