// What is wrong with a statement, and where: in InfluxDB's own words, which clients and people look for.
import { VarveError } from '../base/errors.ts'

/** A text that cannot be read. The message is "error parsing query: why at line l, char c", both from 1. */
export class InfluxqlError extends VarveError {
  override readonly name = 'InfluxqlError'
  /** Offset of the character where it goes wrong, from 0. */
  readonly position: number
  constructor(text: string, position: number, why: string) {
    const before = text.slice(0, position)
    const line = before.split('\n').length
    const char = position - before.lastIndexOf('\n')
    super('VARVE_INFLUXQL', `error parsing query: ${why} at line ${line}, char ${char}`)
    this.position = position
  }
}
