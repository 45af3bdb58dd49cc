// run.json in the data directory: where a running daemon listens, so that commands find it and a port of 0
// can be learnt. Written when all ports are open, removed at an orderly stop; after a crash it is stale,
// which a reader notices when nothing answers.
// Not here: writing it (compose.ts, through the disk), asking the daemon (cli/answerer.ts).
import { VarveError } from '../base/errors.ts'

export const RUN_FILE = 'run.json'

/** An open port. `host` is null when it listens on every address. */
export interface Listening {
  readonly host: string | null
  readonly port: number
}

export interface RunFacts {
  readonly pid: number
  readonly version: string
  readonly startedUs: number
  readonly mqtt: Listening
  readonly ws: Listening | null
  readonly tls: Listening | null
  readonly http: Listening
  /** Null unless resp.enabled. */
  readonly resp: Listening | null
}

export function printRunFile(facts: RunFacts): string {
  const { startedUs, ...rest } = facts
  return `${JSON.stringify({ ...rest, started_us: startedUs }, null, 2)}\n`
}

/** @throws {VarveError} VARVE_RUN_FILE when the text is not what printRunFile() makes */
export function parseRunFile(text: string): RunFacts {
  let found: Record<string, unknown> | null
  try {
    found = JSON.parse(text)
  } catch (cause) {
    throw new VarveError('VARVE_RUN_FILE', `Cannot read ${RUN_FILE}: not JSON`, { cause })
  }
  const facts = found ?? {}
  const { pid, version, started_us: startedUs } = facts
  if (typeof pid !== 'number' || typeof version !== 'string' || typeof startedUs !== 'number') {
    throw new VarveError('VARVE_RUN_FILE', `Cannot read ${RUN_FILE}: pid, version or started_us is missing`)
  }
  const port = (name: string) => {
    const listening = parseListening(facts[name])
    if (listening === null) throw new VarveError('VARVE_RUN_FILE', `Cannot read ${RUN_FILE}: no ${name} port`)
    return listening
  }
  return {
    pid,
    version,
    startedUs,
    mqtt: port('mqtt'),
    ws: parseListening(facts.ws),
    tls: parseListening(facts.tls),
    http: port('http'),
    resp: parseListening(facts.resp)
  }
}

function parseListening(value: unknown): Listening | null {
  if (typeof value !== 'object' || value === null) return null
  const { host, port } = value as { host?: unknown; port?: unknown }
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) return null
  return { host: typeof host === 'string' ? host : null, port }
}

/** The address of the HTTP API for a client on this machine. */
export function localUrl({ host, port }: Listening): string {
  const name = host === null || host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}
