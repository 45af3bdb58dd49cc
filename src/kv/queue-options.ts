// What callers say to queues and get of them, and the bounds of what they may say. Checked before anything changes.
// Not here: what a queue does (queue.ts).
import { VarveError } from '../base/errors.ts'

export interface QueueLimits {
  /** Messages of one queue. */
  readonly messagesMax: number
  /** Longest delay and longest visibility, ms. */
  readonly waitMsMax: number
  /** Longest name, bytes of UTF-8. */
  readonly nameBytesMax: number
}

export const QUEUE_LIMITS: QueueLimits = {
  messagesMax: 100_000,
  waitMsMax: 30 * 24 * 3600_000,
  nameBytesMax: 200
}

export interface SendOptions {
  /** 0 to 9; higher comes first. */
  readonly priority?: number
  readonly delayMs?: number
  /** Deliveries after which it is a dead letter; 0: never. Default 16. */
  readonly attemptsMax?: number
}

export interface ReceiveOptions {
  /** Messages at once. */
  readonly max?: number
  /** How long they are hidden from others, ms. */
  readonly visibilityMs?: number
}

/** A message in the hands of a receiver. */
export interface Delivery {
  readonly id: number
  /** Proves the delivery to ack(), nack() and extend(). */
  readonly token: number
  readonly priority: number
  /** Deliveries with this one. */
  readonly attempts: number
  /** Of a dead letter: the queue it comes from; else ''. */
  readonly origin: string
  readonly body: Uint8Array
}

/** @throws {VarveError} VARVE_QUEUE */
export function checkName(name: string, { nameBytesMax }: QueueLimits): void {
  const bytes = Buffer.byteLength(name)
  if (bytes === 0 || bytes > nameBytesMax || name.includes('\0')) {
    throw new VarveError(
      'VARVE_QUEUE',
      `Cannot use queue ${JSON.stringify(name.slice(0, 80))}: its name must have 1 to ${nameBytesMax} bytes and no NUL`
    )
  }
}

/** @throws {VarveError} VARVE_QUEUE */
export function within(what: string, value: number, max: number, min = 0): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return
  throw new VarveError(
    'VARVE_QUEUE',
    `Cannot use queue: the ${what} is ${value}, ${min} to ${max} may be asked for`
  )
}
