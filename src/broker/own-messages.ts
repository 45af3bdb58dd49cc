// Messages that come from no packet: what the daemon publishes, and the wills of clients that went.
//
// Invariants: they enter through Intake as any other, so a refused one reaches nobody; the store is told the urgency
// of each.
// Not here: $SYS (sys-announcer.ts), which is not stored; who waits for the sync (sync-watch.ts).
import { VarveError } from '../base/errors.ts'
import type { Door } from './door.ts'
import { type Publication, publicationOf } from './fan-out.ts'
import type { AedesPublish } from './handshakes.ts'
import type { Intake, SyncGate } from './intake.ts'
import { parsePublishProperties } from './properties.ts'
import type { TopicCache } from './topic-cache.ts'
import { LAZY, NORMAL } from './urgency.ts'

export interface OwnOptions {
  readonly qos?: 0 | 1 | 2
  readonly retain?: boolean
}

interface Parts {
  readonly topics: TopicCache
  readonly intake: Intake
  readonly gate: SyncGate
}

export class OwnMessages {
  private readonly parts: Parts

  constructor(parts: Parts) {
    this.parts = parts
  }

  /**
   * Publishes a message of the daemon's own.
   * @returns the WAL group that holds it; 0: none
   * @throws {VarveError} VARVE_TOPIC when the topic is not one; VARVE_MQTT_REFUSED when the store refuses
   */
  publish(topic: string, payload: Uint8Array | string, options: OwnOptions): number {
    const { intake } = this.parts
    const publication = this.publication(topic, payload, options.qos ?? 0, options.retain ?? false)
    if (intake.accept(publication, null) !== 0) {
      throw new VarveError('VARVE_MQTT_REFUSED', `Cannot publish ${topic}: the store refuses it`)
    }
    this.note(publication)
    return intake.group
  }

  /** The will of a client that went without DISCONNECT, by its rights. */
  sendWill(will: AedesPublish, door: Door): void {
    const publication = this.publication(will.topic, will.payload, will.qos, will.retain)
    const properties = door.connect?.will?.properties
    const parsed = properties === undefined ? null : parsePublishProperties(properties, 0, properties.length)
    if (parsed !== null && properties!.length > 0) {
      publication.properties = properties!
      publication.expiryAt = parsed.expiryAt
      publication.expirySeconds = parsed.expirySeconds
    }
    publication.from = door.session
    publication.clientId = door.clientId
    if (this.parts.intake.accept(publication, door.rights) === 0) this.note(publication)
  }

  /** A message that came in no packet. @throws {VarveError} VARVE_TOPIC when the topic is not one */
  publication(topic: string, payload: Uint8Array | string, qos: 0 | 1 | 2, retain: boolean): Publication {
    const entry = this.parts.topics.named(topic)
    if (entry === null) throw new VarveError('VARVE_TOPIC', `Cannot publish ${topic}: not a topic`)
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
    return publicationOf(entry, bytes, qos, retain)
  }

  private note({ end, qos }: Publication): void {
    this.parts.gate.note(end, qos === 0 ? LAZY : NORMAL)
  }
}
