// Every bound of the broker, with its default. Each is a plain option; the daemon fills them from its
// configuration. The sum of the memory bounds is what a flood of clients can cost.
import type { TopicLimits } from './topic.ts'

export interface BrokerLimits extends TopicLimits {
  /** Open sockets; one more is closed at once. */
  connectionsMax: number
  /** Sockets that have not finished CONNECT: for one more the one that has sent nothing of it for longest is closed. */
  connectingMax: number
  /** Time for a socket to send its whole CONNECT and be accepted, ms. */
  connectTimeoutMs: number
  /** Largest packet, header included; a larger one is refused at its header, before it is buffered. */
  packetBytesMax: number
  clientIdBytesMax: number
  /** Subscriptions of one client; more are refused in SUBACK. */
  subscriptionsMax: number
  /** QoS 1 and 2 messages of one client that wait for sync; beyond it its socket is not read. */
  unackedMax: number
  /** Payload bytes of the same. */
  unackedBytesMax: number
  /** QoS 2 messages of one client between PUBREC and PUBREL; beyond it the client is closed. */
  incomingMax: number
  /** Bytes that wait for sync in the store; beyond it no publisher is read until half is synced. */
  pendingBytesMax: number
  /** Bytes queued for one subscriber's socket; QoS 0 messages beyond it are dropped and counted. */
  subscriberBytesMax: number
  /**
   * The same for all subscribers together: one may queue as much as is left of it, so N slow ones hold a share
   * of 1/(N+1) each. Beside it 16 KiB for each subscriber.
   */
  subscribersBytesMax: number
  /** A subscriber whose queue stayed full this long is disconnected, ms; 0: never. */
  subscriberStuckMs: number
  /** QoS 1 and 2 messages sent to a subscriber and not acknowledged by it. */
  windowMax: number
  /** QoS 1 and 2 messages queued for one session, on-line or not; more are dropped and counted. */
  queueMax: number
  queueBytesMax: number
  /** Persistent sessions without a connection; the one longest away is forgotten first. */
  sessionsMax: number
  retainedMax: number
  retainedBytesMax: number
  /** Topics whose parsed form is kept. */
  topicCacheMax: number
}

export const brokerLimits: Readonly<BrokerLimits> = {
  topicBytesMax: 1024,
  levelsMax: 64,
  connectionsMax: 10_000,
  connectingMax: 1_000,
  connectTimeoutMs: 10_000,
  packetBytesMax: 1024 * 1024,
  clientIdBytesMax: 256,
  subscriptionsMax: 1_000,
  unackedMax: 10_000,
  unackedBytesMax: 4 * 1024 * 1024,
  incomingMax: 1_000,
  pendingBytesMax: 32 * 1024 * 1024,
  subscriberBytesMax: 4 * 1024 * 1024,
  subscribersBytesMax: 32 * 1024 * 1024,
  subscriberStuckMs: 60_000,
  windowMax: 100,
  queueMax: 1_000,
  queueBytesMax: 4 * 1024 * 1024,
  sessionsMax: 10_000,
  retainedMax: 100_000,
  retainedBytesMax: 32 * 1024 * 1024,
  topicCacheMax: 50_000
}
