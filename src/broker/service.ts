// Topics that the daemon serves itself: everything below a first level such as `$kv`. A publish there is a request: it
// is neither stored as samples nor delivered as it is; what subscribers get is what the service sends.
//
// Invariants: a service is asked after the client's rights; its first level begins with '$', so no filter that begins
// with a wildcard reaches it. Not here: what services there are (daemon/topic-services.ts).
import type { Rights } from './auth.ts'
import type { Message } from './session.ts'

/** Who asks, as long as it is connected. */
export interface ServiceClient {
  readonly id: string
  /** Null: the daemon itself. */
  readonly rights: Rights | null
  /** Calls back once when the connection ends. */
  onGone(callback: () => void): void
}

/** A publish below the service's first level; its bytes are the service's own. */
export interface ServiceRequest {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
  /** Of MQTT 5; null: none. */
  readonly responseTopic: string | null
  readonly correlation: Uint8Array | null
  readonly client: ServiceClient
}

/** What a service sends to one subscription, as fast as its connection takes it. Ended by close(). */
export interface Feed {
  /** The next message; null: none now, and the feed's `wake` is called when there may be one. */
  next(): FeedMessage | null
  close(): void
}

export interface FeedMessage {
  readonly message: Message
  /** It is what was there when the subscription began. */
  readonly retain: boolean
}

export interface TopicService {
  /** The first level of its topics. */
  readonly root: string
  /**
   * Takes a request.
   * @returns the WAL group to wait for before it is acknowledged; 0: none
   * @throws {VarveError} when it is refused: intake.ts says which reason a client is given
   */
  request(request: ServiceRequest): number
  /** Somebody is about to subscribe to a filter below it. */
  subscribing(filter: string): void
  /** What a new subscription to the filter gets as retained messages, read as the iterator advances. */
  retained(filter: string): Iterable<Message>
  /**
   * Opens a feed for one subscription to the filter, in place of retained messages.
   * @param wantsRetained  false: only what comes from now on
   * @param wake  to be called, never from within next(), when next() may have a message again
   * @returns null: retained messages and what is relayed to all are what this filter gets
   */
  feed?(filter: string, wantsRetained: boolean, wake: () => void): Feed | null
}

/** The service of a topic or filter; undefined: it is an ordinary one. */
export function serviceOf(services: readonly TopicService[], topic: string): TopicService | undefined {
  if (topic.charCodeAt(0) !== 0x24) return undefined
  const end = topic.indexOf('/')
  const root = end < 0 ? topic : topic.slice(0, end)
  return services.find(service => service.root === root)
}
