// A statement that was read and cannot be answered: told beside the answers of the others, as InfluxDB does.
import { VarveError } from '../../base/errors.ts'

export function statementError(why: string): VarveError {
  return new VarveError('VARVE_INFLUXQL_EVAL', why)
}
