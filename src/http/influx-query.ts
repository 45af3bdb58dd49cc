// InfluxDB's /query: InfluxQL in a parameter, evaluated where the runner does its work. Reading it is done here,
// since CREATE DATABASE and SHOW DATABASES are about names that clients believe in: there is one store and so
// nothing to create; a name that a client created or wrote to is remembered for this run, since clients refuse
// to go on when the list does not have it.
// Not here: parameters and statements (query/influxql, influxql).
import type { Clock } from '../base/clock.ts'
import { readInfluxqlRequest } from '../query/influxql/parameters.ts'
import type { QueryRunner } from '../query/runner.ts'
import type { Route } from './exchange.ts'
import { INFLUX_VERSION, influx1Face } from './problem.ts'
import { readParameters } from './routes-query.ts'

const DATABASES_MAX = 64
const NAME_LENGTH_MAX = 128

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

export function influxQueryRoute(runner: QueryRunner, clock: Clock, databases: DatabaseNames): Route {
  return {
    methods: ['GET', 'POST'],
    path: '/query',
    // Who may write may read too (http.tokens); Telegraf sends CREATE DATABASE with such a token.
    roles: ['read', 'write'],
    face: influx1Face,
    async handle(exchange) {
      const parameters = await readParameters(exchange)
      const request = readInfluxqlRequest(parameters, clock.nowUs(), statements => {
        for (const statement of statements)
          if (statement.is === 'create database') databases.add(statement.name)
        return databases.list()
      })
      return {
        status: 200,
        headers: {
          'content-type': 'application/json',
          'cache-control': 'no-store',
          'x-influxdb-version': INFLUX_VERSION
        },
        body: runner.run(request, exchange.signal)
      }
    }
  }
}
