// Opens the faces: the broker with its listeners, and HTTP with its routes. Here the configuration of the
// faces is turned into the plain options that they take.
//
// Not here: what they lead to (compose.ts), what they say of the daemon (status.ts, metrics.ts).
import { readFileSync } from 'node:fs'
import type { Log } from '../base/log.ts'
import { Metrics } from '../base/metrics.ts'
import { versionText } from '../base/version.ts'
import type { PublishSink } from '../broker/intake.ts'
import type { ListenOptions } from '../broker/listeners.ts'
import { Broker } from '../broker/server.ts'
import type { TopicService } from '../broker/service.ts'
import type { Config } from '../config/schema.ts'
import type { Auth } from '../http/auth.ts'
import type { Route } from '../http/exchange.ts'
import { DatabaseNames, influxQueryRoute } from '../http/influx-query.ts'
import { type AdminSource, adminRoutes } from '../http/routes-admin.ts'
import { importRoute } from '../http/routes-import.ts'
import { kvRoutes } from '../http/routes-kv.ts'
import { leaseRoutes } from '../http/routes-lease.ts'
import { prometheusRoutes } from '../http/routes-prometheus.ts'
import { queryRoutes } from '../http/routes-query.ts'
import { queueRoutes } from '../http/routes-queue.ts'
import { remoteReadRoute } from '../http/routes-remote-read.ts'
import { remoteWriteRoute } from '../http/routes-remote-write.ts'
import { tailRoute } from '../http/routes-tail.ts'
import { writeRoutes } from '../http/routes-write.ts'
import { HttpServer } from '../http/server.ts'
import type { DeadLetter } from '../ingest/dead-letter.ts'
import { Leases } from '../kv/lease.ts'
import { Queues } from '../kv/queue.ts'
import type { RespServer } from '../resp/server.ts'
import { backupBody } from './backup.ts'
import type { Gate } from './gate.ts'
import { RetainedEntries } from './kept-entries.ts'
import { LAST, LastValues } from './last-values.ts'
import { addMetrics } from './metrics.ts'
import type { Parts } from './parts.ts'
import * as policy from './policy.ts'
import type { RunFacts } from './run-file.ts'
import { mqttAuth } from './secrets.ts'
import { flushBody, healthOf, jobBody, statusOf, wearBody } from './status.ts'
import type { Storage } from './storage.ts'
import type { Ground } from './upkeep.ts'

/** @throws {VarveError} VARVE_LISTEN when a port cannot be had */
export async function openBroker(
  { config, clock, log }: Ground,
  { kv }: Storage,
  gate: Gate,
  messages: PublishSink,
  services: (broker: Broker) => readonly TopicService[]
): Promise<Broker> {
  const { mqtt } = config
  return Broker.open({
    clock,
    sink: messages,
    gate,
    retained: new RetainedEntries(kv, error => log.error('retained message lost', { error })),
    auth: await mqttAuth(config),
    listen: listeners(config),
    limits: policy.brokerLimitsOf(config),
    sysMs: mqtt.sysInterval,
    version: versionText(),
    services,
    log: {
      info: (fields, message) => log.info(message, { ...fields }),
      warn: (fields, message) => log.warn(message, { ...fields })
    }
  })
}

function listeners(config: Config): ListenOptions[] {
  const { mqtt } = config
  const host = policy.hosts(config).mqtt
  const listen: ListenOptions[] = [{ transport: 'tcp', host, port: mqtt.port }]
  if (mqtt.wsPort !== null) listen.push({ transport: 'websocket', host, port: mqtt.wsPort })
  if (mqtt.tlsCert !== '' && mqtt.tlsKey !== '') {
    const tls = { cert: readFileSync(mqtt.tlsCert), key: readFileSync(mqtt.tlsKey) }
    listen.push({ transport: 'tcp', host, port: mqtt.tlsPort, tls })
  }
  return listen
}

/** Where the faces listen, as run.json tells it. */
export function listening(
  broker: Broker,
  { host, port }: HttpServer,
  resp: RespServer | null
): Pick<RunFacts, 'mqtt' | 'ws' | 'tls' | 'http' | 'resp'> {
  const at = (transport: 'tcp' | 'websocket', isTls: boolean) => {
    const found = broker.listeners.find(one => one.transport === transport && one.isTls === isTls)
    return found === undefined ? null : { host: found.host, port: found.port }
  }
  return {
    mqtt: at('tcp', false)!,
    ws: at('websocket', false),
    tls: at('tcp', true),
    http: { host, port },
    resp: resp === null ? null : { host: resp.host, port: resp.port }
  }
}

/** What HTTP needs beside the parts. */
export interface HttpNeeds {
  readonly config: Config
  readonly log: Log
  readonly auth: Auth
  isReady(): boolean
}

/** @throws {VarveError} VARVE_LISTEN when the port cannot be had */
export async function openHttp(parts: Parts, needs: HttpNeeds): Promise<HttpServer> {
  const { config, log, auth } = needs
  const { http } = config
  const databases = new DatabaseNames()
  return HttpServer.open({
    host: policy.hosts(config).http,
    port: http.port,
    clock: parts.clock,
    auth,
    limits: {
      connectionsMax: http.connectionsMax,
      requestMs: http.requestTimeout,
      keepAliveMs: http.idleTimeout
    },
    routes: [
      ...queryRoutes(parts.answers, parts.clock),
      ...prometheusRoutes(parts.answers, parts.clock, versionText(), policy.promqlOptions(config)),
      ...writeRoutes(parts.lines, { bodyBytesMax: http.inflatedMax }, name => databases.add(name)),
      remoteWriteRoute(parts.remote, http.bodyMax),
      remoteReadRoute(parts.answers),
      importRoute(parts.imports, http.inflatedMax),
      tailRoute(parts.tail),
      influxQueryRoute(parts.answers, parts.clock, databases),
      ...entryRoutes(parts),
      ...adminRoutes(adminSource(parts, needs))
    ],
    onRequest: ({ id, method, path, status, error, isOurs }) => {
      parts.http.requests++
      if (status >= 500) parts.http.failures++
      if (isOurs) log.error('request failed', { request: id, method, path, status, error })
    }
  })
}

/** The key-value store, and what is built on it. */
function entryRoutes({ clock, storage, workers }: Parts): Route[] {
  const { kv: store, engine } = storage
  const synced = (group: number) => engine.wal.synced(group)
  return [
    ...kvRoutes({ store, clock, synced, foreign: new Map([[LAST, new LastValues(workers, clock)]]) }),
    ...leaseRoutes({ leases: new Leases(store, clock), synced }),
    ...queueRoutes({ queues: new Queues(store, clock), synced })
  ]
}

function adminSource(parts: Parts, { log, isReady }: HttpNeeds): AdminSource {
  const metrics = new Metrics((name, error) => log.error('metric cannot be read', { name, error }))
  addMetrics(metrics, parts)
  return {
    health: () => healthOf(parts),
    unready: () => (isReady() ? null : 'starting'),
    metrics: () => metrics.print(),
    status: () => statusOf(parts),
    wear: () => wearBody(parts),
    flush: async () => {
      const { series, kv } = parts.storage
      const [report, entries] = await Promise.all([series.flush(), kv.flush('segment')])
      return flushBody(report, entries)
    },
    backup: async (dir, verify, onProgress) => {
      const { kv, engine } = parts.storage
      // What a compaction replaces meanwhile stays until the backup has it.
      const entries = kv.snapshot()
      try {
        await engine.wal.synced(engine.wal.pendingGroup)
        return backupBody(await parts.workers.backup({ dir, verify }, onProgress))
      } finally {
        entries.close()
      }
    },
    runJob: async name => jobBody(await parts.jobs.runNow(name)),
    deadLetters: limit => parts.deadLetters.newest().slice(0, limit).map(letterBody)
  }
}

function letterBody({ topic, timeUs, code, reason, payload, payloadBytes }: DeadLetter): object {
  const bytes = Buffer.from(payload)
  return {
    topic,
    time_us: timeUs,
    code,
    reason,
    payload_bytes: payloadBytes,
    payload_base64: bytes.toString('base64'),
    payload_text: bytes.toString('utf8')
  }
}
