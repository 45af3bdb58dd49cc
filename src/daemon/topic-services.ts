// Joins the topics that the daemon serves itself to the store and to the workers.
//
// Not here: what they do (kv-topics.ts, last-topics.ts, query-topics.ts).
import type { Broker } from '../broker/server.ts'
import type { TopicService } from '../broker/service.ts'
import { KvTopics } from './kv-topics.ts'
import { LastTopics } from './last-topics.ts'
import { LastValues } from './last-values.ts'
import * as policy from './policy.ts'
import { QueryTopics, type QuestionCounts } from './query-topics.ts'
import type { Storage } from './storage.ts'
import type { Ground } from './upkeep.ts'
import type { Workers } from './workers.ts'

/** Room for topic and properties beside an answer. */
const HEAD_BYTES = 2048

export function topicServices(
  ground: Ground,
  { kv, engine, series }: Storage,
  workers: Workers,
  counts: QuestionCounts
): (broker: Broker) => readonly TopicService[] {
  const { config, clock } = ground
  return broker => {
    const onError = (error: unknown) => ground.background('entries over MQTT', error)
    const last = new LastTopics({
      series,
      wal: engine.wal,
      values: new LastValues(workers, clock),
      clock,
      limits: broker.limits,
      onError
    })
    const entries = new KvTopics(kv, broker, last, onError)
    engine.wal.onSynced(() => entries.synced())
    const questions = new QueryTopics({
      runner: workers,
      clock,
      promql: policy.promqlOptions(config),
      answerBytesMax: config.mqtt.packetMax - HEAD_BYTES,
      relay: (topic, payload, qos, properties) => broker.relay(topic, payload, qos, properties),
      onError: error => ground.background('question over MQTT', error),
      counts
    })
    return [entries, questions]
  }
}
