// A server over a fake source and a fake line sink on a free port of the loopback, and raw sockets to it.

import { createHash } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { systemClock } from '../../src/base/clock.ts'
import { VarveError } from '../../src/base/errors.ts'
import { Auth, type Token } from '../../src/http/auth.ts'
import { DatabaseNames, influxQueryRoute } from '../../src/http/influx-query.ts'
import type { LineSink, Precision } from '../../src/http/line-sink.ts'
import { type AdminSource, adminRoutes } from '../../src/http/routes-admin.ts'
import { prometheusRoutes } from '../../src/http/routes-prometheus.ts'
import { queryRoutes } from '../../src/http/routes-query.ts'
import { remoteReadRoute } from '../../src/http/routes-remote-read.ts'
import { type RemoteWriteSink, remoteWriteRoute } from '../../src/http/routes-remote-write.ts'
import { writeRoutes } from '../../src/http/routes-write.ts'
import { type HttpLimits, HttpServer, type RequestFacts } from '../../src/http/server.ts'
import { DEFAULT_QUERY_LIMITS, type QueryLimits } from '../../src/query/limits.ts'
import { InlineRunner } from '../../src/query/runner.ts'
import { makeLabels } from '../../src/series/label.ts'
import { FakeSource } from '../query/fake-source.ts'

export const BODY_BYTES_MAX = 4 * 1024 ** 2

export interface KitOptions {
  rows?: number
  tokens?: readonly Token[]
  limits?: Partial<HttpLimits>
  queryLimits?: Partial<QueryLimits>
  admin?: Partial<AdminSource>
}

/** Keeps whole lines; refuses those that begin with `bad`; a line `full` makes the store refuse. */
export class FakeSink implements LineSink {
  readonly lines: string[] = []
  readonly precisions: Precision[] = []
  readonly events: string[] = []
  bytes = 0
  syncFailure: VarveError | null = null
  waiting: Promise<void> | null = null

  open(precision: Precision) {
    this.precisions.push(precision)
    let carry = ''
    let stored = 0
    let refused = 0
    const take = (line: string) => {
      if (line === 'full') throw new VarveError('VARVE_DISK_FULL', 'Cannot store lines: the medium is full')
      if (line.startsWith('bad')) refused++
      else if (line !== '') {
        this.lines.push(line)
        stored++
      }
    }
    return {
      push: (piece: Uint8Array) => {
        this.bytes += piece.length
        const lines = (carry + Buffer.from(piece).toString('latin1')).split('\n')
        carry = lines.pop()!
        lines.forEach(take)
      },
      end: () => {
        take(carry)
        const partial = stored > 0 ? 'partial write: ' : ''
        const message = refused > 0 ? `${partial}unable to parse 'bad' dropped=${refused}` : null
        return { stored, refused, message }
      }
    }
  }

  async synced() {
    this.events.push('sync')
    await new Promise(resolve => setTimeout(resolve, 5))
    if (this.syncFailure !== null) throw this.syncFailure
    this.events.push('synced')
  }

  ready() {
    return this.waiting
  }
}

/** Keeps bodies; 'bad' is refused in part, 'broken' cannot be read, 'full' makes the store refuse. */
export class FakeRemoteSink implements RemoteWriteSink {
  readonly events: string[] = []
  waiting: Promise<void> | null = null

  store(body: Uint8Array) {
    const text = Buffer.from(body).toString()
    this.events.push(text)
    if (text === 'full') throw new VarveError('VARVE_MEMORY', 'Cannot store sample: full')
    if (text === 'broken') throw new VarveError('VARVE_REMOTE_WRITE', 'Cannot read remote write: at byte 3')
    if (text === 'empty') return { samples: 0, message: null }
    return { samples: 1, message: text === 'bad' ? 'Cannot store 1 samples of the body: series 2' : null }
  }

  async synced() {
    await new Promise(resolve => setTimeout(resolve, 5))
    this.events.push('synced')
  }

  ready() {
    return this.waiting
  }
}

export class Kit {
  readonly sink = new FakeSink()
  readonly remote = new FakeRemoteSink()
  readonly sources: FakeSource[] = []
  readonly facts: RequestFacts[] = []
  readonly databases = new DatabaseNames()
  server!: HttpServer

  static async open(options: KitOptions = {}): Promise<Kit> {
    const kit = new Kit()
    const rows = Array.from({ length: options.rows ?? 5 }, (_, i) => ({ timeUs: i, cells: [i / 8] }))
    const labels = makeLabels([
      ['topic', 'site1/t'],
      ['site', 'ž']
    ])
    const group = { name: '', labels, fields: ['t'], rows }
    const open = () => {
      const source = new FakeSource([group], 1, 5000)
      kit.sources.push(source)
      return source
    }
    const limits = { ...DEFAULT_QUERY_LIMITS, ...options.queryLimits }
    const runner = new InlineRunner(open, { limits, clock: systemClock })
    const admin: AdminSource = {
      health: () => ({ isSound: true, message: 'all is well', parts: { store: 'ok' } }),
      unready: () => null,
      metrics: () => '# TYPE varve_up gauge\nvarve_up 1\n',
      status: () => ({ version: '0' }),
      wear: () => ({ bytes: 1 }),
      deadLetters: limit => Array.from({ length: Math.min(limit, 3) }, (_, i) => ({ topic: `t${i}` })),
      flush: async () => ({ samples: 1 }),
      runJob: async name => ({ name }),
      backup: async (dir, verify) => ({ dir, verify }),
      ...options.admin
    }
    const onDatabase = (name: string) => kit.databases.add(name)
    kit.server = await HttpServer.open({
      host: '127.0.0.1',
      port: 0,
      auth: new Auth(options.tokens ?? []),
      clock: systemClock,
      ...(options.limits === undefined ? {} : { limits: options.limits }),
      onRequest: facts => kit.facts.push(facts),
      routes: [
        ...queryRoutes(runner, systemClock),
        ...prometheusRoutes(runner, systemClock, '0.0.0'),
        ...writeRoutes(kit.sink, { bodyBytesMax: BODY_BYTES_MAX }, onDatabase),
        remoteWriteRoute(kit.remote, BODY_BYTES_MAX),
        remoteReadRoute(runner),
        influxQueryRoute(runner, systemClock, kit.databases),
        ...adminRoutes(admin)
      ]
    })
    return kit
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.server.port}${path}`, init)
  }

  /** A raw connection; everything it says is collected. */
  connect(): { socket: Socket; said: () => string; closed: Promise<void> } {
    const socket = connect(this.server.port, '127.0.0.1')
    let text = ''
    socket.on('data', data => (text += data.toString('latin1')))
    socket.on('error', () => undefined)
    const closed = new Promise<void>(resolve => socket.on('close', () => resolve()))
    return { socket, said: () => text, closed }
  }
}

export function token(name: string, secret: string, roles: Token['roles']): Token {
  return { name, sha256: createHash('sha256').update(secret).digest('hex'), roles }
}

/** Waits until something holds; fails after a time that no busy machine needs. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 6000; i++) {
    if (holds()) return
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  throw new Error(`it never came true that ${what}`)
}
