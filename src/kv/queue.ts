// Durable queues: a message is given to one receiver at a time and again until one of them acknowledges it (at
// least once). Higher priorities come first, of those the older.
//
// A delivery hides its message for the visibility time. It is noted in the store lazily, since it only helps after
// a start: a delivery on record hides its message for its whole visibility from the start on, one that a power cut
// lost is made again. Who holds a delivery proves it by its token, a version of the store, so that no token ever
// means two deliveries.
//
// Invariants: a message that was sent and synced is there until its acknowledgement or its burial is written; an
// acknowledgement counts if and only if its delivery is the newest and not over; after `attemptsMax` deliveries a
// message goes to the queue `<name>.dead` in one batch, never lost between the two.
// Not here: bytes (queue-record.ts), the order (queue-index.ts), who may ask (faces).
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { VarveError } from '../base/errors.ts'
import { PRIORITY_MAX, QueueIndex, type Waiting } from './queue-index.ts'
import { loadIndex } from './queue-load.ts'
import {
  checkName,
  type Delivery,
  QUEUE_LIMITS,
  type QueueLimits,
  type ReceiveOptions,
  type SendOptions,
  within
} from './queue-options.ts'
import { Receivers } from './queue-receivers.ts'
import {
  decodeMessage,
  deliveryKey,
  encodeDelivery,
  encodeMessage,
  messageKey,
  parseQueueKey,
  QUEUE_NAMESPACE
} from './queue-record.ts'
import type { KvStore } from './store.ts'
import type { Write } from './write.ts'

export type { Delivery, QueueLimits, ReceiveOptions, SendOptions }

interface Queue {
  readonly index: QueueIndex
  readonly receivers: Receivers
}

const ATTEMPTS_MAX = 16
const DELETES_AT_ONCE = 1000

export class Queues {
  private readonly store: KvStore
  private readonly clock: Clock
  private readonly limits: QueueLimits
  private readonly queues = new Map<string, Queue>()

  constructor(store: KvStore, clock: Clock, limits: Partial<QueueLimits> = {}) {
    this.store = store
    this.clock = clock
    this.limits = { ...QUEUE_LIMITS, ...limits }
  }

  /**
   * Adds a message.
   * @returns its id, and the WAL group to wait for before it counts as sent
   * @throws {VarveError} VARVE_QUEUE, VARVE_QUEUE_FULL; as KvStore.put()
   */
  send(name: string, body: Uint8Array, options: SendOptions = {}): { id: number; group: number } {
    const { priority = 5, delayMs = 0, attemptsMax = ATTEMPTS_MAX } = options
    within('priority', priority, PRIORITY_MAX)
    within('delay in ms', delayMs, this.limits.waitMsMax)
    within('number of attempts', attemptsMax, 1_000_000)
    const queue = this.open(name)
    this.checkRoom(name, queue)
    const id = this.store.lastVersion + 1
    const readyUs = delayMs === 0 ? 0 : this.clock.nowUs() + delayMs * 1000
    const value = encodeMessage({ priority, attemptsMax, readyUs, origin: '', body })
    const group = this.store.put(QUEUE_NAMESPACE, messageKey(name, id), value)
    assert(this.store.lastVersion === id, 'the id of a message is the version of its write')
    const readyMs = delayMs === 0 ? 0 : this.clock.monotonicMs() + delayMs
    queue.index.place({ id, priority, attemptsMax, attempts: 0, readyMs, delivery: null })
    queue.receivers.serve()
    return { id, group }
  }

  /** Takes the next messages, none when none is ready. @throws {VarveError} VARVE_QUEUE; as KvStore.put() */
  receive(name: string, options: ReceiveOptions = {}): Delivery[] {
    const { max = 1, visibilityMs = 30_000 } = options
    within('number of messages', max, 1000, 1)
    within('visibility in ms', visibilityMs, this.limits.waitMsMax, 1)
    const queue = this.open(name)
    this.settle(name, queue)
    const deliveries: Delivery[] = []
    while (deliveries.length < max) {
      const next = queue.index.next()
      if (next === null) break
      const delivery = this.deliver(name, queue, next, visibilityMs)
      if (delivery !== null) deliveries.push(delivery)
    }
    return deliveries
  }

  /**
   * The same, waiting up to waitMs for a first message; receivers are served in turn.
   * @param signal  aborted when who waits is gone
   */
  receiveWithin(
    name: string,
    options: ReceiveOptions,
    waitMs: number,
    signal?: AbortSignal
  ): Promise<Delivery[]> {
    const { receivers } = this.open(name)
    const now = receivers.isEmpty ? this.receive(name, options) : []
    if (now.length > 0 || waitMs <= 0) return Promise.resolve(now)
    return receivers.wait(options, waitMs, signal)
  }

  /**
   * The message is done with.
   * @returns the WAL group to wait for: before it is synced the message may come again after a power cut
   * @throws {VarveError} VARVE_QUEUE_TOKEN when the delivery is over or another is newer; as KvStore.put()
   */
  ack(name: string, id: number, token: number): number {
    const queue = this.open(name)
    this.held(name, queue, id, token)
    const group = this.store.batch(removal(name, id))
    queue.index.remove(id)
    return group
  }

  /** Gives a message back, to be delivered again after delayMs. @returns and throws as ack() */
  nack(name: string, id: number, token: number, delayMs = 0): number {
    within('delay in ms', delayMs, this.limits.waitMsMax)
    const queue = this.open(name)
    const held = this.held(name, queue, id, token)
    if (this.isSpent(held)) return this.bury(name, queue, held)
    const given = encodeDelivery({ token: 0, attempts: held.attempts, visibilityMs: delayMs })
    const group = this.store.put(QUEUE_NAMESPACE, deliveryKey(name, id), given)
    const readyMs = delayMs === 0 ? 0 : this.clock.monotonicMs() + delayMs
    queue.index.place({ ...held, readyMs, delivery: null })
    queue.receivers.serve()
    return group
  }

  /** Hides a message for another visibilityMs from now. @returns and throws as ack() */
  extend(name: string, id: number, token: number, visibilityMs: number): number {
    within('visibility in ms', visibilityMs, this.limits.waitMsMax, 1)
    const queue = this.open(name)
    const held = this.held(name, queue, id, token)
    const record = encodeDelivery({ token, attempts: held.attempts, visibilityMs })
    const group = this.store.put(QUEUE_NAMESPACE, deliveryKey(name, id), record, { urgency: 0 })
    const deadlineMs = this.clock.monotonicMs() + visibilityMs
    queue.index.place({ ...held, delivery: { token, deadlineMs } })
    return group
  }

  /** How many messages of a queue are ready, delayed and with receivers. */
  states(name: string): { readonly ready: number; readonly delayed: number; readonly delivered: number } {
    const queue = this.open(name)
    this.settle(name, queue)
    return queue.index.states
  }

  /** The names of queues that hold messages, in order. */
  *names(): Generator<string> {
    let from = new Uint8Array(0)
    for (;;) {
      const [entry] = this.store.scan(QUEUE_NAMESPACE, { from, limit: 1 })
      if (entry === undefined) return
      const { queue } = parseQueueKey(entry.key)
      yield queue
      from = Uint8Array.from([...Buffer.from(queue, 'utf8'), 1])
    }
  }

  /** Removes every message of a queue. @returns the WAL group @throws as ack() */
  clear(name: string): number {
    checkName(name, this.limits)
    let group = this.store.lastGroup
    let writes: Write[] = []
    const write = () => {
      group = this.store.batch(writes)
      writes = []
    }
    for (const entry of this.store.scan(QUEUE_NAMESPACE, { prefix: `${name}\0` })) {
      writes.push({ op: 'delete', ns: QUEUE_NAMESPACE, key: entry.key })
      if (writes.length === DELETES_AT_ONCE) write()
    }
    if (writes.length > 0) write()
    const queue = this.queues.get(name)
    if (queue !== undefined) this.queues.set(name, { ...queue, index: new QueueIndex() })
    return group
  }

  private deliver(name: string, queue: Queue, next: Waiting, visibilityMs: number): Delivery | null {
    const { id, priority } = next
    const found = this.store.get(QUEUE_NAMESPACE, messageKey(name, id))
    if (found === undefined) {
      // The segment that held it is damaged, which was told at open.
      queue.index.remove(id)
      return null
    }
    const { origin, body } = decodeMessage(found.value)
    const attempts = next.attempts + 1
    const token = this.store.lastVersion + 1
    const record = encodeDelivery({ token, attempts, visibilityMs })
    this.store.put(QUEUE_NAMESPACE, deliveryKey(name, id), record, { urgency: 0 })
    assert(this.store.lastVersion === token, 'the token of a delivery is the version of its write')
    const deadlineMs = this.clock.monotonicMs() + visibilityMs
    queue.index.place({ ...next, attempts, readyMs: 0, delivery: { token, deadlineMs } })
    return { id, token, priority, attempts, origin, body: new Uint8Array(body) }
  }

  /** Sees to delays and visibilities that are over. */
  private settle(name: string, queue: Queue): void {
    const nowMs = this.clock.monotonicMs()
    for (;;) {
      const due = queue.index.due(nowMs)
      if (due === null) return
      if (due.delivery !== null && this.isSpent(due)) this.bury(name, queue, due)
      else queue.index.place({ ...due, readyMs: 0, delivery: null })
    }
  }

  /** Moves a message to the dead letters of its queue. */
  private bury(name: string, queue: Queue, message: Waiting): number {
    const { id, priority } = message
    const found = this.store.get(QUEUE_NAMESPACE, messageKey(name, id))
    queue.index.remove(id)
    if (found === undefined) return this.store.lastGroup
    const deadName = deadLetters(name)
    const dead = this.open(deadName)
    const deadId = this.store.lastVersion + 1
    const { body } = decodeMessage(found.value)
    const value = encodeMessage({ priority, attemptsMax: 0, readyUs: 0, origin: name, body })
    const key = messageKey(deadName, deadId)
    const group = this.store.batch([{ op: 'put', ns: QUEUE_NAMESPACE, key, value }, ...removal(name, id)])
    dead.index.place({ id: deadId, priority, attemptsMax: 0, attempts: 0, readyMs: 0, delivery: null })
    dead.receivers.serve()
    return group
  }

  private isSpent({ attempts, attemptsMax }: Waiting): boolean {
    return attemptsMax > 0 && attempts >= attemptsMax
  }

  private held(name: string, queue: Queue, id: number, token: number): Waiting {
    this.settle(name, queue)
    const message = queue.index.get(id)
    if (message?.delivery?.token !== token || token === 0) {
      throw new VarveError(
        'VARVE_QUEUE_TOKEN',
        `Cannot use message ${id} of ${name}: its delivery ${token} is over`
      )
    }
    return message
  }

  /** A queue with what the store has of it. */
  private open(name: string): Queue {
    const known = this.queues.get(name)
    if (known !== undefined) return known
    checkName(name, this.limits)
    const index = loadIndex(this.store, this.clock, name, this.limits.waitMsMax)
    const receivers = new Receivers(
      this.clock,
      options => this.receive(name, options),
      () => this.queues.get(name)!.index.dueMs
    )
    const queue = { index, receivers }
    this.queues.set(name, queue)
    return queue
  }

  private checkRoom(name: string, { index }: Queue): void {
    if (index.size >= this.limits.messagesMax) {
      throw new VarveError('VARVE_QUEUE_FULL', `Cannot send to ${name}: it holds ${index.size} messages`)
    }
  }
}

/** Where messages of a queue go that nobody could handle: their own queue for dead letters too. */
function deadLetters(name: string): string {
  return `${name}.dead`
}

function removal(name: string, id: number): Write[] {
  return [messageKey(name, id), deliveryKey(name, id)].map(key => ({
    op: 'delete',
    ns: QUEUE_NAMESPACE,
    key
  }))
}
