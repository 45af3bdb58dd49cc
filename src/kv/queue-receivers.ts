// Those who wait for messages of one queue: served in the order in which they came, when there is something to take or
// the time of something comes.
//
// Invariants: each of them gets one answer: messages, none when its time is over or it is gone, or the error of the
// store; nobody who came later is served before.
// Not here: what is taken (queue.ts), the order of messages (queue-index.ts).
import type { Clock } from '../base/clock.ts'
import type { Delivery, ReceiveOptions } from './queue-options.ts'

interface Receiver {
  readonly options: ReceiveOptions
  resolve(deliveries: Delivery[]): void
  reject(error: unknown): void
}

export class Receivers {
  private readonly clock: Clock
  private readonly take: (options: ReceiveOptions) => Delivery[]
  private readonly dueMs: () => number
  private readonly waiting: Receiver[] = []

  /**
   * @param take   takes what is ready
   * @param dueMs  when something will be, by the monotonic clock; Infinity: nothing is known of
   */
  constructor(clock: Clock, take: (options: ReceiveOptions) => Delivery[], dueMs: () => number) {
    this.clock = clock
    this.take = take
    this.dueMs = dueMs
  }

  get isEmpty(): boolean {
    return this.waiting.length === 0
  }

  /** Waits for messages. @param signal  aborted when who waits is gone */
  wait(options: ReceiveOptions, waitMs: number, signal?: AbortSignal): Promise<Delivery[]> {
    const { promise, resolve, reject } = Promise.withResolvers<Delivery[]>()
    const receiver = { options, resolve, reject }
    this.waiting.push(receiver)
    const leave = () => {
      const at = this.waiting.indexOf(receiver)
      if (at >= 0) this.waiting.splice(at, 1)
      resolve([])
    }
    const cancel = this.clock.after(waitMs, leave)
    signal?.addEventListener('abort', leave)
    this.lookWhenDue()
    return promise.finally(() => {
      cancel()
      signal?.removeEventListener('abort', leave)
    })
  }

  /** Gives what is ready to who waits. */
  serve(): void {
    while (this.waiting.length > 0) {
      const [receiver] = this.waiting
      try {
        const deliveries = this.take(receiver!.options)
        if (deliveries.length === 0) break
        receiver!.resolve(deliveries)
      } catch (error) {
        receiver!.reject(error)
      }
      this.waiting.shift()
    }
    if (this.waiting.length > 0) this.lookWhenDue()
  }

  private lookWhenDue(): void {
    const dueMs = this.dueMs()
    if (dueMs === Infinity) return
    this.clock.after(Math.max(0, dueMs - this.clock.monotonicMs()), () => this.serve())
  }
}
