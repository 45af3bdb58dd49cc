// Makes the index of a queue from what the store has of it, when it is first used after a start.
//
// Invariant: a delivery on record hides its message for its whole visibility from now on, whatever the wall clock
// did; a delay is judged by the wall clock, within its bound.
// Not here: what is recorded when (queue.ts).
import type { Clock } from '../base/clock.ts'
import { QueueIndex, type Waiting } from './queue-index.ts'
import { decodeDelivery, decodeMessage, parseQueueKey, QUEUE_NAMESPACE } from './queue-record.ts'
import type { KvStore } from './store.ts'

/**
 * @param waitMsMax  no message waits longer from now on, ms
 * @throws {VarveError} as KvStore.scan(), VARVE_FORMAT_NEWER
 */
export function loadIndex(store: KvStore, clock: Clock, name: string, waitMsMax: number): QueueIndex {
  const index = new QueueIndex()
  const [nowMs, nowUs] = [clock.monotonicMs(), clock.nowUs()]
  // Deliveries sort before messages: each message finds its own.
  const deliveries = new Map<number, { attempts: number; delivery: Waiting['delivery'] }>()
  for (const entry of store.scan(QUEUE_NAMESPACE, { prefix: `${name}\0` })) {
    const { isMessage, id } = parseQueueKey(entry.key)
    if (!isMessage) {
      const { token, attempts, visibilityMs } = decodeDelivery(entry.value)
      deliveries.set(id, { attempts, delivery: { token, deadlineMs: nowMs + visibilityMs } })
      continue
    }
    const { priority, attemptsMax, readyUs } = decodeMessage(entry.value)
    const { attempts, delivery } = deliveries.get(id) ?? { attempts: 0, delivery: null }
    const delayMs = Math.min(Math.max(0, readyUs - nowUs) / 1000, waitMsMax)
    const readyMs = delayMs === 0 ? 0 : nowMs + delayMs
    index.place({ id, priority, attemptsMax, attempts, readyMs, delivery })
  }
  return index
}
