// A durable queue as a program uses it: send, and a loop that handles messages.
//
//   for await (const message of jobs.messages()) {
//     await handle(message.body)
//     await message.ack()               without it the message comes again when its visibility is over
//   }
// Not here: what a queue promises (kv/queue.ts).
import type { Delivery, Queues, ReceiveOptions, SendOptions } from '../kv/queue.ts'
import type { Codec } from './codec.ts'

/** How long one look for messages waits before it looks again, ms. */
const WAIT_MS = 30_000

export class Queue<T> {
  readonly name: string
  private readonly queues: Queues
  private readonly synced: (group: number) => Promise<void>
  private readonly codec: Codec<T>

  constructor(queues: Queues, synced: (group: number) => Promise<void>, name: string, codec: Codec<T>) {
    this.queues = queues
    this.synced = synced
    this.name = name
    this.codec = codec
  }

  /** Adds a message; it is there for certain when this resolves. @returns its id */
  async send(body: T, options: SendOptions = {}): Promise<number> {
    const { id, group } = this.queues.send(this.name, this.codec.encode(body), options)
    await this.synced(group)
    return id
  }

  /** Takes the next messages, waiting up to waitMs for a first one. */
  async receive(options: ReceiveOptions & { readonly waitMs?: number; readonly signal?: AbortSignal } = {}) {
    const { waitMs = 0, signal, ...rest } = options
    const deliveries = await this.queues.receiveWithin(this.name, rest, waitMs, signal)
    return deliveries.map(delivery => this.message(delivery))
  }

  /** Every message as it comes, one at a time, until the loop is left or the signal is aborted. */
  async *messages(
    options: Omit<ReceiveOptions, 'max'> & { readonly signal?: AbortSignal } = {}
  ): AsyncGenerator<Message<T>, void, undefined> {
    while (options.signal?.aborted !== true)
      yield* await this.receive({ ...options, max: 1, waitMs: WAIT_MS })
  }

  /** How many messages are ready, delayed and with receivers. */
  async states(): Promise<ReturnType<Queues['states']>> {
    return this.queues.states(this.name)
  }

  /** Where messages go that nobody could handle. */
  get dead(): Queue<T> {
    return new Queue(this.queues, this.synced, `${this.name}.dead`, this.codec)
  }

  /** Removes every message. */
  async clear(): Promise<void> {
    await this.synced(this.queues.clear(this.name))
  }

  private message(delivery: Delivery): Message<T> {
    return new Message(this.queues, this.synced, this.name, delivery, this.codec.decode(delivery.body))
  }
}

/** A message in the hands of a receiver. */
export class Message<T> {
  readonly id: number
  readonly body: T
  readonly priority: number
  /** Deliveries with this one. */
  readonly attempts: number
  /** Of a dead letter: the queue it comes from; else ''. */
  readonly origin: string
  private readonly queues: Queues
  private readonly synced: (group: number) => Promise<void>
  private readonly queue: string
  private readonly token: number

  constructor(
    queues: Queues,
    synced: (group: number) => Promise<void>,
    queue: string,
    delivery: Delivery,
    body: T
  ) {
    this.queues = queues
    this.synced = synced
    this.queue = queue
    this.body = body
    this.id = delivery.id
    this.priority = delivery.priority
    this.attempts = delivery.attempts
    this.origin = delivery.origin
    this.token = delivery.token
  }

  /** It is done with. @throws {VarveError} VARVE_QUEUE_TOKEN when the delivery is over */
  async ack(): Promise<void> {
    await this.synced(this.queues.ack(this.queue, this.id, this.token))
  }

  /** Gives it back, to be delivered again after delayMs. @throws as ack() */
  async nack(delayMs = 0): Promise<void> {
    await this.synced(this.queues.nack(this.queue, this.id, this.token, delayMs))
  }

  /** Hides it from others for another visibilityMs. @throws as ack() */
  async extend(visibilityMs: number): Promise<void> {
    await this.synced(this.queues.extend(this.queue, this.id, this.token, visibilityMs))
  }
}
