// The stores and brokers that varve is measured beside, from Debian's packages, each on a directory of its
// own with its defaults (durability included), and what any running server costs: CPU, memory, bytes.
// A peer that is not installed is left out, and that is printed.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Program, startVarve } from './varve-process.ts'

/** Something that takes line protocol over HTTP. */
export interface Store {
  readonly name: string
  readonly pid: number
  readonly httpUrl: string
  /** Path and query that lines are posted to, times in ms. */
  readonly writePath: string
  /** A query that asks for the newest value of one series. */
  readonly lastPath: string
  stop(signal?: NodeJS.Signals): Promise<unknown>
}

export type StoreName = 'varve' | 'influxdb' | 'victoria-metrics'
export const binaries = {
  influxdb: '/usr/bin/influxd',
  'victoria-metrics': '/usr/bin/victoria-metrics',
  mosquitto: '/usr/sbin/mosquitto'
} as const

/** The asked stores that can run here; says which cannot. */
export function installed<T extends string>(names: readonly T[]): T[] {
  return names.filter(name => {
    const binary = Object.hasOwn(binaries, name) ? binaries[name as keyof typeof binaries] : null
    if (binary === null || existsSync(binary)) return true
    console.log(`${name} is not installed (${binary}): left out`)
    return false
  })
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

function start(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] })
  process.prependListener('exit', () => child.kill('SIGKILL'))
  let said = ''
  child.stderr.on('data', piece => {
    said = `${said}${piece}`.slice(-4000)
  })
  return { child, said: () => said }
}

/** Waits until a URL answers. @throws with what the process said when it ends before, or after 30 s */
async function answering(url: string, { child, said }: ReturnType<typeof start>): Promise<void> {
  for (let tries = 0; tries < 3000; tries++) {
    if (child.exitCode !== null) throw new Error(`Cannot start ${child.spawnfile}: it said\n${said()}`)
    try {
      if ((await fetch(url)).status < 500) return
    } catch {
      await sleep(10)
    }
  }
  throw new Error(`Cannot start ${child.spawnfile}: no answer from ${url}`)
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill(signal)
  await once(child, 'exit')
}

async function startInflux(dir: string): Promise<Store> {
  const [http, rpc] = [await freePort(), await freePort()]
  const env = {
    INFLUXDB_META_DIR: join(dir, 'meta'),
    INFLUXDB_DATA_DIR: join(dir, 'data'),
    INFLUXDB_DATA_WAL_DIR: join(dir, 'wal'),
    INFLUXDB_DATA_QUERY_LOG_ENABLED: 'false',
    INFLUXDB_BIND_ADDRESS: `127.0.0.1:${rpc}`,
    INFLUXDB_HTTP_BIND_ADDRESS: `127.0.0.1:${http}`,
    INFLUXDB_HTTP_LOG_ENABLED: 'false',
    INFLUXDB_REPORTING_DISABLED: 'true',
    // Its own statistics would be written to the same disk.
    INFLUXDB_MONITOR_STORE_ENABLED: 'false'
  }
  const config = join(dir, 'influxdb.conf')
  writeFileSync(config, '')
  const running = start(binaries.influxdb, ['-config', config], env)
  const httpUrl = `http://127.0.0.1:${http}`
  await answering(`${httpUrl}/ping`, running)
  await fetch(`${httpUrl}/query?q=${encodeURIComponent('CREATE DATABASE bench')}`, { method: 'POST' })
  const newest = "SELECT last(temperature) FROM telemetry WHERE device='dev0000'"
  return {
    name: 'influxdb',
    pid: running.child.pid!,
    httpUrl,
    writePath: '/write?db=bench&precision=ms',
    lastPath: `/query?db=bench&q=${encodeURIComponent(newest)}`,
    stop: (signal = 'SIGTERM') => end(running.child, signal)
  }
}

async function startVictoria(dir: string): Promise<Store> {
  const http = await freePort()
  const running = start(binaries['victoria-metrics'], [
    `-storageDataPath=${dir}`,
    `-httpListenAddr=127.0.0.1:${http}`,
    '-retentionPeriod=100y',
    '-loggerLevel=ERROR'
  ])
  const httpUrl = `http://127.0.0.1:${http}`
  await answering(`${httpUrl}/health`, running)
  const newest = 'last_over_time(telemetry_temperature{device="dev0000"}[30d])'
  return {
    name: 'victoria-metrics',
    pid: running.child.pid!,
    httpUrl,
    writePath: '/write?precision=ms',
    lastPath: `/api/v1/query?query=${encodeURIComponent(newest)}`,
    stop: (signal = 'SIGINT') => end(running.child, signal)
  }
}

/** Starts a store on an empty or used directory. */
export async function startStore(
  name: StoreName,
  dir: string,
  varve: { readonly program?: Program; readonly flags?: readonly string[] } = {}
): Promise<Store> {
  mkdirSync(dir, { recursive: true })
  if (name === 'influxdb') return startInflux(dir)
  if (name === 'victoria-metrics') return startVictoria(dir)
  const { pid, httpUrl, stop } = await startVarve({ ...varve, dataDir: dir })
  const newest = '{__name__="telemetry_temperature",device="dev0000"}'
  return {
    name,
    pid,
    httpUrl,
    writePath: '/write?db=bench&precision=ms',
    lastPath: `/v1/last?match=${encodeURIComponent(newest)}`,
    stop
  }
}

/** mosquitto with its defaults but anonymous clients and no limit on what is queued. */
export async function startMosquitto(
  dir: string
): Promise<{ pid: number; port: number; stop(): Promise<void> }> {
  const port = await freePort()
  const config = join(dir, 'mosquitto.conf')
  mkdirSync(dir, { recursive: true })
  writeFileSync(
    config,
    `listener ${port} 127.0.0.1\nallow_anonymous true\nlog_type error\nmax_queued_messages 0\nmax_inflight_messages 0\n`
  )
  const running = start(binaries.mosquitto, ['-c', config])
  await sleep(300)
  if (running.child.exitCode !== null) throw new Error(`Cannot start mosquitto: it said\n${running.said()}`)
  return { pid: running.child.pid!, port, stop: () => end(running.child, 'SIGTERM') }
}

/** Posts to a store over kept connections; @throws with its answer when that is not 2xx. */
export class Poster {
  private readonly agent: Agent
  private readonly store: Store

  constructor(store: Store, connections: number) {
    this.store = store
    this.agent = new Agent({ keepAlive: true, maxSockets: connections })
  }

  post(body: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      const { store, agent } = this
      const headers = { 'content-type': 'text/plain', 'content-length': body.length }
      const sent = request(
        `${store.httpUrl}${store.writePath}`,
        { method: 'POST', agent, headers },
        reply => {
          let text = ''
          reply.on('data', piece => (text += piece))
          reply.on('end', () => {
            if (reply.statusCode! < 300) resolve()
            else reject(new Error(`${store.name} answers ${reply.statusCode}: ${text.slice(0, 500)}`))
          })
          reply.on('error', reject)
        }
      )
      sent.on('error', reject)
      sent.end(body)
    })
  }

  /** Posts all bodies, `parallel` at a time; returns how long each waited for its answer, ms. */
  async postAll(bodies: Iterable<{ readonly bytes: Buffer }>, parallel: number): Promise<number[]> {
    const waits: number[] = []
    const iterator = bodies[Symbol.iterator]()
    const worker = async () => {
      for (let next = iterator.next(); !next.done; next = iterator.next()) {
        const started = performance.now()
        await this.post(next.value.bytes)
        waits.push(performance.now() - started)
      }
    }
    await Promise.all(Array.from({ length: parallel }, worker))
    return waits
  }

  close(): void {
    this.agent.destroy()
  }
}

export interface Usage {
  readonly cpuS: number
  /** Those outside the kernel. */
  readonly userS: number
  readonly rssMb: number
  readonly rssPeakMb: number
}

const ticksPerS = 100

/** What a process used since it started. */
export function usage(pid: number): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const mb = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1000
  return {
    cpuS: (Number(fields[11]) + Number(fields[12])) / ticksPerS,
    userS: Number(fields[11]) / ticksPerS,
    rssMb: mb('VmRSS'),
    rssPeakMb: mb('VmHWM')
  }
}

/** What a store keeps beside its data, at a fixed or passing cost: varve's recycled WAL files, VictoriaMetrics' caches. */
const asides: Readonly<Record<string, string>> = { varve: 'wal', 'victoria-metrics': 'cache' }

export interface DirectoryBytes {
  /** Blocks that the file system has given to the files (sparse files count for what they hold). */
  readonly data: number
  /** The same below the store's aside. */
  readonly aside: number
}

/** What a store's directory takes on the medium. */
export function directoryBytes(store: string, dir: string): DirectoryBytes {
  const aside = asides[store]
  const found = { data: 0, aside: 0 }
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    // A store may remove a file while we look.
    const bytes = (statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * 512
    found[aside !== undefined && path.startsWith(`${join(dir, aside)}/`) ? 'aside' : 'data'] += bytes
  }
  return found
}
