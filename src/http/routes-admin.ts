// What the operator and the monitoring ask: is it alive, can it work, what does it do. The daemon gives the
// answers; here they get their paths. /health and /ready are open, since probes carry no token.
import { type Exchange, jsonReply, type Reply, type Route } from './exchange.ts'
import { HttpError, varveFace } from './problem.ts'
import { workEvents } from './work-events.ts'

export interface Health {
  /** False when the store refuses writes or something else needs the operator. */
  readonly isSound: boolean
  /** One sentence. */
  readonly message: string
  /** Part -> what is wrong with it, or 'ok'. */
  readonly parts: Readonly<Record<string, string>>
}

/** Bytes of segments that were read, and that are to be so far. */
export interface BackupProgress {
  readonly bytes: number
  readonly of: number
}

/** Answers of the daemon. What they throw becomes an error reply. */
export interface AdminSource {
  health(): Health
  /** Null when requests can be served, else why they cannot yet. */
  unready(): string | null
  /** Metrics in the text format of Prometheus. */
  metrics(): string | Promise<string>
  /** State of scheduled work, store and faces, as plain data. */
  status(): unknown
  /** Bytes written by cause and the projected life of the medium, as plain data. */
  wear(): unknown
  /** The newest messages that could not be stored, at most `limit`, newest first, as plain data. */
  deadLetters(limit: number): readonly unknown[]
  /** Writes everything in memory to segments; resolves with what was written, as plain data. */
  flush(): Promise<unknown>
  /**
   * Makes or brings up to date the backup in a directory of this machine; resolves with what was done, as plain
   * data. It goes on when nobody waits for it any more. @throws VARVE_BACKUP and others
   */
  backup(dir: string, verify: boolean, onProgress: (progress: BackupProgress) => void): Promise<unknown>
  /** Runs a scheduled job now, or joins the run under way; resolves with its status. @throws VARVE_JOB */
  runJob(name: string): Promise<unknown>
}

const DEAD_LETTERS = { usual: 100, max: 10_000 } as const
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export function adminRoutes(source: AdminSource): Route[] {
  const get = (path: string, roles: Route['roles'], handle: Route['handle']): Route => ({
    methods: ['GET'],
    path,
    roles,
    face: varveFace,
    handle
  })
  return [
    { ...get('/health', null, () => healthReply(source.health())), methods: ['GET', 'HEAD'] },
    { ...get('/ready', null, () => readyReply(source.unready())), methods: ['GET', 'HEAD'] },
    get('/metrics', ['read'], async () => ({
      status: 200,
      headers: { 'content-type': METRICS_TYPE, 'cache-control': 'no-store' },
      body: await source.metrics()
    })),
    { ...get('/v1/flush', ['admin'], async () => jsonReply(200, await source.flush())), methods: ['POST'] },
    {
      ...get('/v1/run-job', ['admin'], async ({ query }) =>
        jsonReply(200, await source.runJob(query.get('name') ?? ''))
      ),
      methods: ['POST']
    },
    {
      ...get('/v1/backup', ['admin'], exchange => backUp(source, exchange)),
      methods: ['POST']
    },
    get('/v1/status', ['read'], () => jsonReply(200, source.status())),
    get('/v1/wear', ['read'], () => jsonReply(200, source.wear())),
    get('/v1/dead-letter', ['read'], exchange =>
      jsonReply(200, { messages: source.deadLetters(limitOf(exchange)) })
    )
  ]
}

/** `status` pass or fail, as InfluxDB's clients look for it. */
function healthReply({ isSound, message, parts }: Health) {
  return jsonReply(isSound ? 200 : 503, { name: 'varve', status: isSound ? 'pass' : 'fail', message, parts })
}

function readyReply(why: string | null) {
  return why === null
    ? jsonReply(200, { status: 'ready' })
    : jsonReply(503, { status: 'starting', message: why }, { 'retry-after': '1' })
}

/** One answer at the end, or for who accepts server-sent events the way there too. */
async function backUp(source: AdminSource, { query, headers }: Exchange): Promise<Reply> {
  const dir = directoryOf(query)
  const verify = query.get('verify') === '1'
  if (!/\btext\/event-stream\b/.test(headers.accept ?? ''))
    return jsonReply(200, await source.backup(dir, verify, () => {}))
  return {
    status: 200,
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' },
    body: workEvents<BackupProgress>(onProgress => source.backup(dir, verify, onProgress))
  }
}

/** The target of a backup: the daemon's working directory is nothing that a client knows. */
function directoryOf(query: URLSearchParams): string {
  const dir = query.get('dir') ?? ''
  if (!dir.startsWith('/') || dir.includes('\0'))
    throw new HttpError('VARVE_PARAMETER', 'Cannot read parameter dir: it is an absolute path', 'dir')
  return dir
}

function limitOf(exchange: Exchange): number {
  const text = exchange.query.get('limit')
  if (text === null) return DEAD_LETTERS.usual
  const limit = Number(text)
  if (!/^\d{1,9}$/.test(text) || limit < 1 || limit > DEAD_LETTERS.max) {
    throw new HttpError(
      'VARVE_PARAMETER',
      `Cannot read parameter limit: it is a whole number from 1 to ${DEAD_LETTERS.max}`,
      'limit'
    )
  }
  return limit
}
