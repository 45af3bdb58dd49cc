// From an InfluxQL request to the bytes of its answer: each statement in turn. A statement that fails says so
// in its place, and the others are answered.
import { VarveError } from '../../base/errors.ts'
import type { Statement } from '../../influxql/ast.ts'
import type { SeriesSource } from '../../series/source.ts'
import { toldTexts } from '../damage-note.ts'
import type { Budget } from '../limits.ts'
import type { InfluxqlRequest } from '../request.ts'
import { encodeAnswers, type StatementAnswer } from './encode.ts'
import { RegexTests } from './regex-tests.ts'
import { type Context, type OutputSeries, selectSeries } from './select.ts'
import { listSeries, showSeries } from './show.ts'
import { statementError } from './statement-error.ts'

/** @throws {VarveError} VARVE_QUERY_CANCELLED, and what a limit throws after a part of the answer was given */
export function answerInfluxql(
  source: SeriesSource,
  request: InfluxqlRequest,
  budget: Budget
): Iterable<Uint8Array> {
  const context: Context = { source, budget, nowUs: request.nowUs, regexes: new RegexTests() }
  const answers = function* (): Generator<StatementAnswer> {
    const told = new Set<string>()
    // What was said of a statement is not said again of those behind it.
    const messages = () => {
      const texts = toldTexts({ missing: budget.notes.missing(source), notes: budget.notes.texts })
      const news = texts.filter(text => !told.has(text))
      for (const text of news) told.add(text)
      return news
    }
    for (const [id, statement] of request.statements.entries()) {
      const zone = statement.is === 'select' ? statement.zone : ''
      yield { id, zone, series: seriesOf(context, statement, request), messages }
    }
  }
  return encodeAnswers(answers(), request, failure)
}

function failure(error: unknown): string | null {
  if (!(error instanceof VarveError) || error.code === 'VARVE_QUERY_CANCELLED') return null
  return error.message
}

function* seriesOf(
  context: Context,
  statement: Statement,
  request: InfluxqlRequest
): Generator<OutputSeries> {
  switch (statement.is) {
    case 'select':
      yield* selectSeries(context, statement)
      return
    case 'show':
      yield* showSeries(context, statement)
      return
    case 'show databases':
      yield listSeries(
        'databases',
        ['name'],
        request.databases.map(name => [name])
      )
      return
    case 'show retention policies':
      yield listSeries(
        '',
        ['name', 'duration', 'shardGroupDuration', 'replicaN', 'default'],
        [['autogen', '0s', '168h0m0s', 1, true]]
      )
      return
    case 'create database':
      return
    case 'refused':
      throw statementError(
        statement.words.startsWith('SHOW')
          ? `${statement.words} is not there`
          : `${statement.words} is not there: data go by retention (retention.* in varve.toml), users are configured`
      )
  }
}
