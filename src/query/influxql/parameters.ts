// Reads the parameters of InfluxDB's /query. Unknown ones are passed over, as there.
//
//   q          statements               epoch    ns, u (or µ, us), ms, s, m, h: times as integers; else RFC 3339
//   params     {"name": value} for $name          pretty, chunked   true           chunk_size   rows of a chunk
// db and rp are accepted and mean nothing: there is one store.
import { VarveError } from '../../base/errors.ts'
import type { Statement } from '../../influxql/ast.ts'
import { parseInfluxql } from '../../influxql/parse.ts'
import type { Binds } from '../../influxql/token-reader.ts'
import type { InfluxqlRequest } from '../request.ts'

const EPOCHS: Readonly<Record<string, NonNullable<InfluxqlRequest['epoch']>>> = {
  n: 'ns',
  ns: 'ns',
  u: 'u',
  us: 'u',
  µ: 'u',
  ms: 'ms',
  s: 's',
  m: 'm',
  h: 'h'
}
const CHUNK_ROWS = { usual: 10_000, max: 1_000_000 } as const

function bad(why: string): VarveError {
  return new VarveError('VARVE_PARAMETER', why)
}

/**
 * @param databases  called when the statements are known, for the names that there are
 * @throws {VarveError} VARVE_PARAMETER; {InfluxqlError} VARVE_INFLUXQL
 */
export function readInfluxqlRequest(
  parameters: ReadonlyMap<string, readonly string[]>,
  nowUs: number,
  databases: (statements: readonly Statement[]) => readonly string[]
): InfluxqlRequest {
  const given = (name: string) => parameters.get(name)?.[0] ?? ''
  const text = parameters.get('q')?.join(';') ?? ''
  if (text.trim() === '') throw bad('missing required parameter "q"')
  const statements = parseInfluxql(text, readBinds(given('params')))
  const epoch = given('epoch')
  const chunkRows = Number(given('chunk_size') || CHUNK_ROWS.usual)
  if (!(chunkRows >= 1)) throw bad('invalid parameter "chunk_size"')
  return {
    kind: 'influxql',
    statements,
    databases: databases(statements),
    epoch: Object.hasOwn(EPOCHS, epoch) ? EPOCHS[epoch]! : null,
    isPretty: given('pretty') === 'true',
    chunkRows: given('chunked') === 'true' ? Math.min(Math.floor(chunkRows), CHUNK_ROWS.max) : 0,
    nowUs
  }
}

function readBinds(text: string): Binds {
  if (text === '') return {}
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw bad('error parsing query parameters: not JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw bad('error parsing query parameters: not an object')
  }
  for (const [name, one] of Object.entries(value)) {
    if (!['string', 'number', 'boolean'].includes(typeof one)) {
      throw bad(`error parsing query parameters: ${name} is neither string, number nor boolean`)
    }
  }
  return value as Binds
}
