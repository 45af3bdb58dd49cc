// Bulk ingest as InfluxDB's clients do it: POST /write (1.x) and POST /api/v2/write (2.x) take line protocol,
// plain or gzip, and answer 204 when it is on the medium.
//
// db, rp, bucket, org and consistency are accepted and mean nothing: there is one database, and it gives no
// label. A body streams into ingest piece by piece, so its size costs no memory; what was stored before an
// error stays stored, as in InfluxDB, and what a 204 or a partial write counts as stored is synced.
// Not here: line protocol (ingest), InfluxQL (influx-query.ts).
import type { Exchange, Reply, Route } from './exchange.ts'
import type { LineSink, Precision, WriteOutcome } from './line-sink.ts'
import { type Face, HttpError, INFLUX_VERSION, influx1Face, influx2Face } from './problem.ts'

export interface WriteOptions {
  /** Limit of a body, decompressed. */
  readonly bodyBytesMax: number
}

const PRECISIONS_1: Readonly<Record<string, Precision>> = {
  n: 'ns',
  ns: 'ns',
  u: 'us',
  us: 'us',
  µ: 'us',
  ms: 'ms',
  s: 's',
  m: 'm',
  h: 'h'
}
const PRECISIONS_2: Readonly<Record<string, Precision>> = { ns: 'ns', us: 'us', ms: 'ms', s: 's' }

export function writeRoutes(
  sink: LineSink,
  options: WriteOptions,
  onDatabase: (name: string) => void
): Route[] {
  const route = (path: string, face: Face, known: Readonly<Record<string, Precision>>): Route => ({
    methods: ['POST'],
    path,
    roles: ['write'],
    face,
    async handle(exchange) {
      const precision = precisionOf(exchange, known)
      const database = exchange.query.get('db')
      if (database !== null) onDatabase(database)
      return written(await store(sink, exchange, precision, options.bodyBytesMax))
    }
  })
  return [
    route('/write', influx1Face, PRECISIONS_1),
    route('/api/v2/write', influx2Face, PRECISIONS_2),
    {
      methods: ['GET', 'HEAD'],
      path: '/ping',
      roles: null,
      face: influx1Face,
      handle: ({ query, method }) => {
        const headers = { 'x-influxdb-version': INFLUX_VERSION, 'x-influxdb-build': 'varve' }
        if (query.get('verbose') !== 'true' || method === 'HEAD') return { status: 204, headers }
        const body = `${JSON.stringify({ version: INFLUX_VERSION })}\n`
        return { status: 200, headers: { ...headers, 'content-type': 'application/json' }, body }
      }
    }
  ]
}

function precisionOf(exchange: Exchange, known: Readonly<Record<string, Precision>>): Precision {
  const text = exchange.query.get('precision') ?? ''
  if (text === '') return 'ns'
  if (!Object.hasOwn(known, text)) {
    throw new HttpError(
      'VARVE_PARAMETER',
      `invalid precision ${JSON.stringify(text.slice(0, 20))} (use ${Object.keys(known).join(', ')})`,
      'precision'
    )
  }
  return known[text]!
}

async function store(
  sink: LineSink,
  exchange: Exchange,
  precision: Precision,
  bodyBytesMax: number
): Promise<WriteOutcome> {
  const writer = sink.open(precision)
  for await (const chunk of exchange.body.chunks(bodyBytesMax)) {
    const waiting = sink.ready()
    if (waiting !== null) await waiting
    writer.push(chunk)
  }
  const outcome = writer.end()
  if (outcome.stored > 0) await sink.synced()
  return outcome
}

/** 204, or an error in InfluxDB's words, which clients look for. */
function written({ message }: WriteOutcome): Reply {
  if (message !== null) throw new HttpError('VARVE_HTTP_BODY', message, 'body')
  return { status: 204, headers: { 'x-influxdb-version': INFLUX_VERSION } }
}
