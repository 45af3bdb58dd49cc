// Runs the real program, from its sources or its executable, for smoke tests and benches: starts it on a
// data directory, waits until it is ready, tells its ports, ends it.
//
// run.json of an earlier life may lie in the directory after a kill; it counts only with the pid of the
// process that was started here.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const root = join(import.meta.dirname, '..')

/** The ways to run varve: `source` needs nothing built. */
export const programs = {
  source: [process.execPath, join(root, 'src/main.ts')],
  binary: [join(root, 'dist/varve-linux-x64')],
  arm64: ['qemu-aarch64-static', '-cpu', 'cortex-a53', join(root, 'dist/varve-linux-arm64')]
} as const
export type Program = keyof typeof programs

export interface Varve {
  readonly pid: number
  readonly mqttPort: number
  readonly httpUrl: string
  /** From the start of the process to the first answer of /ready, ms. */
  readonly readyMs: number
  readonly process: ChildProcess
  /** What it said so far, on both outputs. */
  said(): string
  /** Ends it and waits; returns its exit code, or the signal that ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | string>
}

export interface VarveOptions {
  readonly program?: Program
  /** Sources to run instead of ours: the main file of a copy. */
  readonly main?: string
  readonly dataDir: string
  /** Further flags, such as ['--ack.delay_max', '1s']. */
  readonly flags?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly readyMsMax?: number
}

/** The environment that the systemd unit sets: figures are those of the installed daemon. */
export function unitEnvironment(): Record<string, string> {
  const unit = readFileSync(join(root, 'systemd/varve.service'), 'utf8')
  const pairs = [...unit.matchAll(/^Environment=(.*)$/gm)].flatMap(([, line]) => line!.split(' '))
  return Object.fromEntries(
    pairs.map(pair => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)])
  )
}

/** A port as run.json tells it: a number, or an object that holds one. */
function portOf(value: unknown): number {
  const port = typeof value === 'object' && value !== null ? (value as { port?: unknown }).port : value
  if (typeof port !== 'number') throw new Error(`Cannot read run.json: ${JSON.stringify(value)} is no port`)
  return port
}

/** The facts of run.json when this process wrote them. */
function runFacts(file: string, pid: number): { mqtt: unknown; http: unknown } | null {
  if (!existsSync(file)) return null
  try {
    const facts = JSON.parse(readFileSync(file, 'utf8'))
    return facts.pid === undefined || facts.pid === pid ? facts : null
  } catch {
    // Being written at this moment: asked again soon.
    return null
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/ready`, { signal: AbortSignal.timeout(2000) })).ok
  } catch {
    return false
  }
}

/** Starts `varve serve` on free ports. @throws with what it said, when it ends or is not ready in time */
export async function startVarve(options: VarveOptions): Promise<Varve> {
  const { program = 'source', dataDir, flags = [], env = {}, readyMsMax = 60_000 } = options
  const [command, ...before] = options.main ? [process.execPath, options.main] : programs[program]
  const ports = ['mqtt.port', 'mqtt.ws_port', 'http.port'].flatMap(key => [`--${key}`, '0'])
  const started = performance.now()
  const child = spawn(command, [...before, 'serve', '--data', dataDir, ...ports, ...flags], {
    // A machine that runs tests knows its time, however short ago it booted.
    env: { ...process.env, VARVE_CLOCK__SOURCE: 'trusted', ...unitEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  // Whoever started it may end by an error: it must not stay behind.
  const endWithUs = () => void child.kill('SIGKILL')
  process.prependListener('exit', endWithUs)
  child.once('exit', () => process.removeListener('exit', endWithUs))
  const pieces: string[] = []
  for (const output of [child.stdout, child.stderr]) output.on('data', piece => pieces.push(String(piece)))
  const said = () => pieces.join('')
  let ended: number | string | null = null
  const end = once(child, 'exit').then(([code, signal]) => (ended = code ?? signal))
  child.on('error', error => pieces.push(`${error}\n`))

  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    if (ended === null) child.kill(signal)
    return (await end) as number | string
  }
  while (performance.now() - started < readyMsMax) {
    if (ended !== null || child.pid === undefined) {
      throw new Error(`Cannot start varve: it ended with ${ended}; it said\n${said()}`)
    }
    const facts = runFacts(join(dataDir, 'run.json'), child.pid)
    if (facts !== null) {
      const httpUrl = `http://127.0.0.1:${portOf(facts.http)}`
      if (await isReady(httpUrl)) {
        const readyMs = performance.now() - started
        return { pid: child.pid, mqttPort: portOf(facts.mqtt), httpUrl, readyMs, process: child, said, stop }
      }
    }
    await sleep(5)
  }
  await stop('SIGKILL')
  throw new Error(`Cannot start varve: not ready after ${readyMsMax} ms; it said\n${said()}`)
}

/** Asks a path of the native API; @throws with status and body when it is not 2xx */
export async function ask<T>(varve: Pick<Varve, 'httpUrl'>, path: string): Promise<T> {
  const reply = await fetch(`${varve.httpUrl}${path}`)
  const text = await reply.text()
  if (!reply.ok) throw new Error(`Cannot ask ${path}: ${reply.status} ${text}`)
  return JSON.parse(text)
}

/** An answer of /v1/last. */
export interface LastAnswer {
  readonly series: readonly {
    readonly name: string
    readonly labels: Readonly<Record<string, string>>
    readonly time_us: number
    readonly value: unknown
  }[]
}

/** What a bench needs of /v1/status. */
export interface StatusAnswer {
  readonly store: {
    /** Samples in segments, and those that are only in memory and WAL so far. */
    readonly samples_stored: number
    readonly samples_in_memory: number
    readonly segment_bytes: number
  }
  readonly event_loop: { readonly delay_ms_p99: number; readonly delay_ms_max: number }
}

/** How many samples are stored, by a query that reads them all (or their headers). */
export async function countSamples(varve: Pick<Varve, 'httpUrl'>, selector = ''): Promise<number> {
  const match = selector === '' ? '' : `&match=${encodeURIComponent(selector)}`
  const answer = await ask<{ series: { rows: [number, number][] }[] }>(
    varve,
    `/v1/range?step=1000d&fn=count&by=${match}`
  )
  return answer.series.flatMap(({ rows }) => rows).reduce((sum, [, count]) => sum + count, 0)
}

/** A value of /metrics by name and, where it has some, a label. @throws when it is not there */
export function metric(text: string, name: string, label = ''): number {
  for (const line of text.split('\n')) {
    const found = /^([a-z0-9_]+)(?:\{(.*)\})? (\S+)$/.exec(line)
    if (found?.[1] === name && (found[2] ?? '').includes(label)) return Number(found[3])
  }
  throw new Error(`Cannot find ${name}${label === '' ? '' : `{${label}}`} in /metrics`)
}
