// Opens RESP, and joins it to what it must not know: the broker, whose topics are its channels; the series, which
// its TS commands write and ask; the tokens of HTTP.
//
// Not here: commands (resp), what messages become (ingest-sink.ts).
import { decodeCbor } from '../base/cbor.ts'
import { VarveError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { PublishSink } from '../broker/intake.ts'
import type { Broker } from '../broker/server.ts'
import type { Config } from '../config/schema.ts'
import type { Auth } from '../http/auth.ts'
import type { NativeRequest } from '../query/request.ts'
import type { Topics } from '../resp/pub-sub.ts'
import type { NewSample, SeriesFace } from '../resp/series-face.ts'
import { RespServer } from '../resp/server.ts'
import { makeLabels } from '../series/label.ts'
import { KIND } from '../series/sample.ts'
import type { SeriesStore } from '../series/store.ts'
import type { Gate } from './gate.ts'
import { LAST, LastValues } from './last-values.ts'
import type { Parts } from './parts.ts'
import * as policy from './policy.ts'
import type { Workers } from './workers.ts'

/** The sink of messages, with somebody who hears what it has taken. */
export class MessageTap implements PublishSink {
  /** Set while somebody hears; bytes[start, end) are valid during the call. */
  listener: ((topic: string, payload: Uint8Array) => void) | null = null
  isWanted: () => boolean = () => false
  private readonly sink: PublishSink

  constructor(sink: PublishSink) {
    this.sink = sink
  }

  publish(...message: Parameters<PublishSink['publish']>): number {
    const group = this.sink.publish(...message)
    if (this.listener !== null && this.isWanted()) {
      const [topic, bytes, start, end] = message
      this.listener(topic, bytes.subarray(start, end))
    }
    return group
  }
}

/** Channels as topics. */
class BrokerTopics implements Topics {
  private readonly broker: Broker
  private readonly tap: MessageTap

  constructor(broker: Broker, tap: MessageTap) {
    this.broker = broker
    this.tap = tap
  }

  publish(topic: string, payload: Uint8Array): number {
    if (this.broker.topics.named(topic) === null) return 0
    const { isWanted } = this.tap
    // Who hears channels has been told already.
    this.tap.isWanted = () => false
    try {
      return this.broker.publishNow(topic, payload, { qos: 1 })
    } finally {
      this.tap.isWanted = isWanted
    }
  }

  onMessage(wanted: () => boolean, listener: (topic: string, payload: Uint8Array) => void): void {
    this.tap.isWanted = wanted
    this.tap.listener = listener
  }
}

const FIELDS = ['value']
const KINDS = [KIND.number]
/** WAL bytes of a sample, roughly: only paces the syncs. */
const WAL_PER_SAMPLE = 5

/** Samples one by one, as groups of one field, which are called as in remote write. */
class StoreSeries implements SeriesFace {
  private readonly series: SeriesStore
  private readonly gate: Gate
  private readonly workers: Workers

  constructor(series: SeriesStore, gate: Gate, workers: Workers) {
    this.series = series
    this.gate = gate
    this.workers = workers
  }

  append({ name, labels, timeUs, value }: NewSample): number {
    const { series } = this
    const shape = series.shape(name, makeLabels(labels), FIELDS, KINDS)
    series.begin(shape, timeUs, false)
    series.slots[series.at] = value
    series.end()
    this.gate.note(WAL_PER_SAMPLE, 1)
    return series.pendingGroup
  }

  async ask(request: NativeRequest): Promise<unknown> {
    const pieces: Uint8Array[] = []
    for await (const piece of this.workers.run(request, new AbortController().signal)) pieces.push(piece)
    return decodeCbor(Buffer.concat(pieces))
  }
}

export interface RespNeeds {
  readonly config: Config
  readonly log: Log
  readonly auth: Auth
  readonly gate: Gate
  readonly tap: MessageTap
}

/** @returns null unless resp.enabled @throws {VarveError} VARVE_LISTEN when the port cannot be had */
export async function openResp(parts: Parts, needs: RespNeeds): Promise<RespServer | null> {
  const { config, log, auth, gate, tap } = needs
  if (!config.resp.enabled) return null
  const { clock, storage, workers, broker, version } = parts
  return RespServer.open({
    host: policy.hosts(config).resp,
    port: config.resp.port,
    store: storage.kv,
    gate,
    clock,
    limits: policy.respLimits(config),
    gatekeeper: {
      get isNeeded() {
        return !auth.isOpen
      },
      roles: (name, token) => auth.roles(name, token)
    },
    topics: new BrokerTopics(broker, tap),
    series: new StoreSeries(storage.series, gate, workers),
    foreign: new Map([[LAST, new LastValues(workers, clock)]]),
    version,
    notify: config.resp.notifyKeyspaceEvents,
    onError: error => {
      if (error instanceof VarveError) log.warn('resp: upkeep has to wait', { error })
      else log.error('resp: upkeep failed', { error })
    }
  })
}
