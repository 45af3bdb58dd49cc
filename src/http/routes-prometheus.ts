// Prometheus' HTTP API as Grafana's data source and promtool call it. Evaluation, and reading the PromQL,
// happens where the runner does its work; here are paths, parameters and the shape of errors.
//
// There are no rules, alerts and exemplars: their paths answer that there are none, since Grafana asks
// before it shows a panel.
// Not here: what parameters there are (query/promql/parameters.ts), the bytes of answers (query/promql/encode.ts).
import type { Clock } from '../base/clock.ts'
import {
  type ApiParameters,
  DEFAULT_PROMQL_OPTIONS,
  decodeLabelName,
  type PromqlOptions,
  readFormatRequest,
  readInstantRequest,
  readListRequest,
  readRangeRequest
} from '../query/promql/parameters.ts'
import type { PromqlRequest } from '../query/request.ts'
import { bodyOf, type QueryRunner } from '../query/runner.ts'
import { type Exchange, jsonReply, type Route } from './exchange.ts'
import { HttpError, prometheusFace } from './problem.ts'
import { readParameters } from './routes-query.ts'

/** The Prometheus whose rules are followed; Grafana asks the newer paths of 2.24 and later. */
const PROMETHEUS_VERSION = '3.0.0'

/** prometheusFace, for paths where a text that cannot be read came in a parameter. */
function faceOf(parameter: string): Route['face'] {
  return problem =>
    prometheusFace(
      ['VARVE_PROMQL', 'VARVE_PROMQL_TYPE'].includes(problem.code)
        ? { ...problem, message: `invalid parameter "${parameter}": ${problem.message}` }
        : problem
    )
}

type Read = (parameters: ApiParameters, nowUs: number, exchange: Exchange) => PromqlRequest

/**
 * @param version  of varve, told beside the version of Prometheus
 */
export function prometheusRoutes(
  runner: QueryRunner,
  clock: Clock,
  version: string,
  options: PromqlOptions = DEFAULT_PROMQL_OPTIONS
): Route[] {
  const asking = (path: string, parameter: string, methods: Route['methods'], read: Read): Route => ({
    methods,
    path: `/api/v1/${path}`,
    roles: ['read'],
    face: faceOf(parameter),
    async handle(exchange) {
      const request = read(await readParameters(exchange), clock.nowUs(), exchange)
      return {
        status: 200,
        headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
        body: bodyOf(runner, request, exchange.signal)
      }
    }
  })
  const both = ['GET', 'POST'] as const
  return [
    asking('query', 'query', both, (given, nowUs) => readInstantRequest(given, nowUs, options)),
    asking('query_range', 'query', both, (given, nowUs) => readRangeRequest(given, nowUs, options)),
    asking('format_query', 'query', both, given => readFormatRequest(given)),
    asking('series', 'match[]', both, (given, nowUs) => readListRequest('promql-series', given, nowUs)),
    asking('labels', 'match[]', both, (given, nowUs) => readListRequest('promql-labels', given, nowUs)),
    asking('label/:name/values', 'match[]', ['GET'], (given, nowUs, exchange) =>
      readListRequest('promql-values', given, nowUs, labelOf(exchange.path))
    ),
    asking('metadata', 'metric', ['GET'], (given, nowUs) => readListRequest('promql-metadata', given, nowUs)),
    fixed('rules', { groups: [] }),
    fixed('alerts', { alerts: [] }),
    fixed('query_exemplars', [], both),
    fixed('status/buildinfo', {
      version: PROMETHEUS_VERSION,
      revision: `varve ${version}`,
      branch: '',
      buildUser: '',
      buildDate: '',
      goVersion: ''
    })
  ]
}

function fixed(path: string, data: unknown, methods: Route['methods'] = ['GET']): Route {
  return {
    methods,
    path: `/api/v1/${path}`,
    roles: ['read'],
    face: prometheusFace,
    handle: () => jsonReply(200, { status: 'success', data })
  }
}

/** @throws {HttpError} VARVE_PARAMETER for a name that cannot be decoded */
function labelOf(path: string): string {
  const text = path.split('/').at(-2)!
  try {
    return decodeLabelName(decodeURIComponent(text))
  } catch (error) {
    if (!(error instanceof URIError)) throw error
    throw new HttpError('VARVE_PARAMETER', `invalid label name: ${JSON.stringify(text.slice(0, 80))}`)
  }
}
