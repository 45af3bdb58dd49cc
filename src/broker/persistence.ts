// What aedes believes to be its store. Nearly all it would keep is kept by our own sessions and retained
// messages, which are bounded and durable; aedes asks here for the two things its handshakes need: the
// subscriptions of a session to restore, and whether a QoS 2 id is known.
//
// Invariants: no call of aedes stores or routes a message (handshakes.ts does, in its hooks), so a message can
// not take two ways; every method is async because aedes awaits it.
// Not here: sessions (session.ts), retained messages (retained.ts).
import { Readable } from 'node:stream'
import { VarveError } from '../base/errors.ts'
import type { Session, SessionStore } from './session.ts'

interface AedesClient {
  id: string
}

interface AedesPacket {
  messageId: number
}

export class AedesPersistence {
  private readonly sessions: SessionStore
  private readonly sessionOf: (client: AedesClient) => Session | null

  constructor(sessions: SessionStore, sessionOf: (client: AedesClient) => Session | null) {
    this.sessions = sessions
    this.sessionOf = sessionOf
  }

  async setup(): Promise<void> {}

  async destroy(): Promise<void> {}

  // Sessions and their subscriptions: kept at aedes' events.
  async subscriptionsByClient(client: AedesClient): Promise<object[]> {
    const stored = this.sessions.get(client.id)?.subscriptions ?? []
    return [...stored].map(([topic, { qos }]) => ({ topic, qos }))
  }

  async addSubscriptions(): Promise<void> {}

  async removeSubscriptions(): Promise<void> {}

  async cleanSubscriptions(): Promise<void> {}

  async subscriptionsByTopic(): Promise<object[]> {
    return []
  }

  async countOffline(): Promise<{ subsCount: number; clientsCount: number }> {
    return { subsCount: 0, clientsCount: this.sessions.size }
  }

  getClientList(): Readable {
    return Readable.from([])
  }

  // QoS 2 from clients: the hook has already noted the id.
  async incomingGetPacket(client: AedesClient, packet: AedesPacket): Promise<object> {
    if (this.sessionOf(client)?.incoming.has(packet.messageId) === true) return packet
    throw new VarveError('VARVE_MQTT_ID', `Cannot find QoS 2 message ${packet.messageId}: not in flight`)
  }

  async incomingStorePacket(): Promise<void> {}

  async incomingDelPacket(client: AedesClient, packet: AedesPacket): Promise<void> {
    this.sessionOf(client)?.incoming.delete(packet.messageId)
  }

  async cleanIncoming(): Promise<void> {}

  // Deliveries and retained messages: sent by our sessions.
  async outgoingEnqueue(): Promise<void> {}

  async outgoingEnqueueCombi(): Promise<void> {}

  async outgoingUpdate(): Promise<void> {}

  async outgoingClearMessageId(): Promise<void> {}

  outgoingStream(): Readable {
    return Readable.from([])
  }

  async storeRetained(): Promise<void> {}

  createRetainedStream(): Readable {
    return Readable.from([])
  }

  createRetainedStreamCombi(): Readable {
    return Readable.from([])
  }

  // Wills: aedes keeps them with the client; there are no other brokers to send them for.
  async putWill(): Promise<void> {}

  async getWill(): Promise<undefined> {
    return undefined
  }

  async delWill(): Promise<void> {}

  streamWill(): Readable {
    return Readable.from([])
  }
}

/** What aedes believes to be its emitter: subscriptions and deliveries are ours, so nothing is emitted. */
export const silentEmitter = {
  on(_topic: string, _notify: unknown, done?: () => void): void {
    if (done !== undefined) setImmediate(done)
  },
  removeListener(_topic: string, _notify: unknown, done?: () => void): void {
    if (done !== undefined) setImmediate(done)
  },
  // Not at once: aedes parses on in `done`, and its parser must have returned before.
  emit(_packet: unknown, done?: () => void): void {
    if (done !== undefined) queueMicrotask(done)
  },
  close(done?: () => void): void {
    if (done !== undefined) setImmediate(done)
  }
}
