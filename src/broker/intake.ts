// The one gate of every publish, whichever way it came: the fast path, aedes' hook, a will, the daemon.
// Rights, retained bounds, the sink, the retained store and fan-out, in this order, all at once; what remains
// for the caller is to acknowledge when the returned group is synced.
//
// Invariants: a message that is refused is neither stored nor delivered; the store has a message before any
// subscriber does. Not here: duplicates of QoS 2 (door.ts knows the session), acknowledgements (ack-queue.ts).
// A QoS 1 message sent again (DUP) is accepted again: same topic and time make the same sample.
import { VarveError } from '../base/errors.ts'
import type { Rights } from './auth.ts'
import type { FanOut, Publication } from './fan-out.ts'
import { REASON } from './packet.ts'
import { parseRequestProperties } from './properties.ts'
import type { RetainedMessages } from './retained.ts'
import type { TopicService } from './service.ts'
import type { BrokerStats } from './stats.ts'

/** Where accepted messages go. See the daemon: over ingest. */
export interface PublishSink {
  /**
   * Takes a message whose payload is bytes[start, end), valid during the call only.
   * @returns the WAL group to wait for before acknowledging; 0: nothing to wait for
   * @throws {VarveError} only when the store refuses
   */
  publish(
    topic: string,
    bytes: Uint8Array,
    start: number,
    end: number,
    qos: 0 | 1 | 2,
    retain: boolean,
    client: string
  ): number
}

/** When groups are on the medium. */
export interface SyncGate {
  readonly syncedGroup: number
  readonly pendingBytes: number
  onSynced(listener: (group: number) => void): void
  onFailed(listener: (error: Error) => void): void
  /** About `bytes` are pending; urgency 0 lazy, 1 normal, 2 eager. */
  note(bytes: number, urgency: 0 | 1 | 2): void
}

export class Intake {
  private readonly sink: PublishSink
  private readonly retained: RetainedMessages
  private readonly fanOut: FanOut
  private readonly stats: BrokerStats
  private readonly onRefused: (error: VarveError) => void
  /** The group that the last accepted publication waits for; 0: none. */
  group = 0

  constructor(parts: {
    sink: PublishSink
    retained: RetainedMessages
    fanOut: FanOut
    stats: BrokerStats
    onRefused: (error: VarveError) => void
  }) {
    this.sink = parts.sink
    this.retained = parts.retained
    this.fanOut = parts.fanOut
    this.stats = parts.stats
    this.onRefused = parts.onRefused
  }

  /**
   * Accepts a publication (0) or refuses it (an MQTT 5 reason code).
   * @param rights  of the publisher; null: the daemon itself, which may do everything
   */
  accept(publication: Publication, rights: Rights | null): number {
    const { entry, bytes, start, end, qos, retain } = publication
    const { stats } = this
    if (rights !== null && !rights.mayPublish(entry)) {
      stats.publishesForbidden++
      return REASON.notAuthorized
    }
    if (entry.service !== undefined) return this.serve(entry.service, publication, rights)
    if (retain && !this.retained.hasRoom(entry.topic, end - start)) {
      stats.publishesRefused++
      return REASON.quota
    }
    try {
      this.group = this.sink.publish(entry.topic, bytes, start, end, qos, retain, publication.clientId)
      if (retain) this.group = Math.max(this.group, this.retained.set(this.fanOut.keep(publication)))
    } catch (error) {
      if (!(error instanceof VarveError)) throw error
      stats.publishesRefused++
      this.onRefused(error)
      return error.code === 'VARVE_STORE_FAILED' || error.code === 'VARVE_SYNC_FAILED'
        ? REASON.unspecified
        : REASON.quota
    }
    if (qos === 0) stats.publishedQos0++
    else if (qos === 1) stats.publishedQos1++
    else stats.publishedQos2++
    stats.publishedBytes += end - start
    this.fanOut.route(publication)
    return 0
  }

  /** Hands a request to the service of its topic; as accept(). */
  private serve(service: TopicService, publication: Publication, rights: Rights | null): number {
    const { entry, bytes, start, end, qos, retain, properties, from } = publication
    const found = properties === null ? null : parseRequestProperties(properties)
    try {
      this.group = service.request({
        topic: entry.topic,
        payload: new Uint8Array(bytes.subarray(start, end)),
        qos,
        retain,
        responseTopic: found?.responseTopic ?? null,
        correlation: found?.correlation ?? null,
        client: {
          id: publication.clientId,
          rights,
          onGone: callback => from?.onGone(callback)
        }
      })
    } catch (error) {
      if (!(error instanceof VarveError)) throw error
      this.stats.publishesRefused++
      return SERVICE_REASONS[error.code] ?? REASON.quota
    }
    return 0
  }
}

/** What a client is told of a request that a service refuses; all else may be different later. */
const SERVICE_REASONS: Readonly<Record<string, number>> = {
  VARVE_TOPIC: REASON.topicInvalid,
  VARVE_KV_RESERVED: REASON.notAuthorized,
  VARVE_MQTT_RIGHTS: REASON.notAuthorized,
  VARVE_NAMESPACE: REASON.topicInvalid,
  VARVE_KEY: REASON.topicInvalid,
  VARVE_VALUE: REASON.packetTooLarge,
  VARVE_STORE_FAILED: REASON.unspecified
}
