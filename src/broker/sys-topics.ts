// $SYS: the broker's counters as retained messages, under the names that mosquitto's users know, and what is
// varve's own under $SYS/varve.
// Not here: when (sys-announcer.ts), who may read it (auth.ts; nobody may publish there).
import type { BrokerStats } from './stats.ts'

export interface SysGauges {
  version: string
  uptimeSeconds: number
  subscriptions: number
  retained: number
  retainedBytes: number
  sessionsAway: number
  pendingBytes: number
}

/** Every $SYS topic with its value as text. */
export function sysTopics(stats: BrokerStats, gauges: SysGauges): [topic: string, value: string][] {
  const received = stats.publishedQos0 + stats.publishedQos1 + stats.publishedQos2
  const dropped = stats.droppedQos0 + stats.droppedQueued
  const broker: [string, number | string][] = [
    ['version', `varve version ${gauges.version}`],
    ['uptime', `${gauges.uptimeSeconds} seconds`],
    ['clients/total', stats.clients + gauges.sessionsAway],
    ['clients/connected', stats.clients],
    ['clients/active', stats.clients],
    ['clients/disconnected', gauges.sessionsAway],
    ['clients/inactive', gauges.sessionsAway],
    ['clients/maximum', stats.clientsMax],
    ['messages/received', received],
    ['messages/sent', stats.delivered],
    ['publish/messages/received', received],
    ['publish/messages/sent', stats.delivered],
    ['publish/messages/dropped', dropped],
    ['publish/bytes/received', stats.publishedBytes],
    ['bytes/received', stats.bytesIn],
    ['bytes/sent', stats.bytesOut],
    ['subscriptions/count', gauges.subscriptions],
    ['retained messages/count', gauges.retained],
    ['store/messages/count', gauges.retained],
    ['store/messages/bytes', gauges.retainedBytes]
  ]
  const own: [string, number | string][] = [
    ['connections', stats.connections],
    ['connections/refused', stats.connectionsRefused + stats.connectsRefused],
    ['acks/waiting', stats.unacked],
    ['acks/sent', stats.acked],
    ['store/pending_bytes', gauges.pendingBytes],
    ['publish/refused', stats.publishesRefused],
    ['publish/forbidden', stats.publishesForbidden],
    ['fast_path/messages', stats.fastPath],
    ['sync/eager', stats.eager]
  ]
  return [
    ...broker.map(([name, value]): [string, string] => [`$SYS/broker/${name}`, String(value)]),
    ...own.map(([name, value]): [string, string] => [`$SYS/varve/${name}`, String(value)])
  ]
}
