// The broker's plain counters, read by metrics and by the $SYS topics. Only ever counted up, except the
// gauges, which say so.

export interface BrokerStats {
  /** Gauge: sockets open now. */
  connections: number
  /** Gauge: clients connected now (CONNECT accepted). */
  clients: number
  clientsTotal: number
  clientsMax: number
  connectionsRefused: number
  connectsRefused: number
  protocolErrors: number
  bytesIn: number
  bytesOut: number
  /** PUBLISH packets accepted from clients, by quality of service. */
  publishedQos0: number
  publishedQos1: number
  publishedQos2: number
  publishedBytes: number
  /** Of those, how many took the fast path. */
  fastPath: number
  /** Publishes refused by the store or a limit; by rights. */
  publishesRefused: number
  publishesForbidden: number
  /** PUBLISH packets written to subscribers. */
  delivered: number
  /** Messages not delivered: the subscriber's socket queue was full (QoS 0); its session queue was full. */
  droppedQos0: number
  droppedQueued: number
  subscribersStuck: number
  /** PUBACK and PUBREC written. */
  acked: number
  /** Gauge: publishes that wait for sync. */
  unacked: number
  /** Times all publishers were paused because the store was behind. */
  pausedPending: number
  /** Early syncs asked for. */
  eager: number
}

/** All zero. */
export function newStats(): BrokerStats {
  return {
    connections: 0,
    clients: 0,
    clientsTotal: 0,
    clientsMax: 0,
    connectionsRefused: 0,
    connectsRefused: 0,
    protocolErrors: 0,
    bytesIn: 0,
    bytesOut: 0,
    publishedQos0: 0,
    publishedQos1: 0,
    publishedQos2: 0,
    publishedBytes: 0,
    fastPath: 0,
    publishesRefused: 0,
    publishesForbidden: 0,
    delivered: 0,
    droppedQos0: 0,
    droppedQueued: 0,
    subscribersStuck: 0,
    acked: 0,
    unacked: 0,
    pausedPending: 0,
    eager: 0
  }
}
