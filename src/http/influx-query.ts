// The little InfluxQL that clients send before they write: CREATE DATABASE (Telegraf) and SHOW DATABASES
// (Home Assistant). There is one store and so nothing to create; a name that a client created or wrote to is
// remembered for this run, since clients refuse to go on when the list does not have it.
//
//   query     := statement (';' statement)* ';'?
//   statement := 'CREATE' 'DATABASE' name rest? | 'SHOW' 'DATABASES'        name := word | '"' ... '"'
import { type Exchange, jsonReply, type Reply, type Route } from './exchange.ts'
import { HttpError, INFLUX_VERSION, influx1Face } from './problem.ts'
import { readParameters } from './routes-query.ts'

const DATABASES_MAX = 64
const NAME_LENGTH_MAX = 128
const STATEMENTS_MAX = 32

/** The names of databases that clients believe in. */
export class DatabaseNames {
  private readonly names = new Set(['varve'])

  /** Remembers a name; beyond the limit, the oldest but the first goes. */
  add(name: string): void {
    if (name === '' || name.length > NAME_LENGTH_MAX || this.names.has(name)) return
    if (this.names.size >= DATABASES_MAX) {
      const [, oldest] = this.names
      this.names.delete(oldest!)
    }
    this.names.add(name)
  }

  list(): string[] {
    return [...this.names]
  }
}

export function influxQueryRoute(databases: DatabaseNames): Route {
  return {
    methods: ['GET', 'POST'],
    path: '/query',
    roles: ['read', 'write'],
    face: influx1Face,
    handle: exchange => answer(exchange, databases)
  }
}

async function answer(exchange: Exchange, databases: DatabaseNames): Promise<Reply> {
  const parameters = await readParameters(exchange)
  const text = parameters.get('q')?.join(';') ?? ''
  const statements = text
    .split(';')
    .map(statement => statement.trim())
    .filter(statement => statement !== '')
  if (statements.length === 0) {
    throw new HttpError('VARVE_PARAMETER', 'missing required parameter "q"', 'q')
  }
  if (statements.length > STATEMENTS_MAX) {
    throw new HttpError('VARVE_PARAMETER', `more than ${STATEMENTS_MAX} statements`, 'q')
  }
  const results = statements.map((statement, id) => ({
    statement_id: id,
    ...evaluateStatement(statement, databases)
  }))
  return jsonReply(200, { results }, { 'x-influxdb-version': INFLUX_VERSION })
}

function evaluateStatement(statement: string, databases: DatabaseNames): object {
  const create = /^create\s+database\s+(?:"((?:[^"\\]|\\.)+)"|(\w+))(?:\s+with\s.*)?$/is.exec(statement)
  if (create !== null) {
    databases.add(create[1]?.replace(/\\(.)/g, '$1') ?? create[2]!)
    return {}
  }
  if (/^show\s+databases$/i.test(statement)) {
    const values = databases.list().map(name => [name])
    return { series: [{ name: 'databases', columns: ['name'], values }] }
  }
  throw new HttpError(
    'VARVE_PARAMETER',
    `error parsing query: ${JSON.stringify(statement.slice(0, 60))} is neither CREATE DATABASE nor SHOW DATABASES`,
    'q'
  )
}
