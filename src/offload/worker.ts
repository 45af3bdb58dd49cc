// The worker's half: takes calls one after the other, in the order in which they came, and answers each.
//
// Invariants: one call runs at a time, so a handler needs no locks; a coded error is answered, any other
// is our own bug and ends the worker, which the main thread sees (pool.ts).
// Not here: the handlers (daemon/worker.ts).
import type { MessagePort } from 'node:worker_threads'
import { VarveError } from '../base/errors.ts'
import { type FromWorker, PIECES_IN_FLIGHT_MAX, type ToWorker } from './protocol.ts'

/** What a handler may do while it runs. */
export interface Call {
  /** Sends bytes to the caller; resolves when there is room for more. The bytes' buffer is given away. */
  piece(bytes: Uint8Array): Promise<void>
  /** Whether the caller has gone: stop at the next good moment. Cheap. */
  isCancelled(): boolean
}

export type CallHandler = (payload: never, call: Call) => Promise<unknown>
export type NoticeHandler = (payload: never) => void

/**
 * Serves calls and notices from the port until the thread ends.
 * @param heapBytes  memory of the thread, told with every answer
 */
export function serveCalls(
  port: MessagePort,
  calls: Readonly<Record<string, CallHandler>>,
  notices: Readonly<Record<string, NoticeHandler>>,
  heapBytes: () => number
): void {
  const send = (message: FromWorker, give: ArrayBuffer[] = []) => port.postMessage(message, give)
  let running: Promise<void> = Promise.resolve()
  const credits = new Map<number, { left: number; wake: (() => void) | null }>()

  const run = async (message: Extract<ToWorker, { type: 'call' }>) => {
    const { id, kind, payload, cancelled } = message
    const credit = { left: PIECES_IN_FLIGHT_MAX, wake: null as (() => void) | null }
    credits.set(id, credit)
    const isCancelled = () => Atomics.load(cancelled, 0) !== 0
    const piece = async (bytes: Uint8Array) => {
      // Parts of a larger buffer, and Node's pooled ones, cannot be given away: those are copied.
      const isWhole = bytes.byteLength === bytes.buffer.byteLength && !Buffer.isBuffer(bytes)
      const own = isWhole ? bytes : new Uint8Array(bytes)
      send({ type: 'piece', id, bytes: own }, [own.buffer as ArrayBuffer])
      if (--credit.left > 0) return
      await new Promise<void>(resolve => (credit.wake = resolve))
    }
    try {
      const handler = calls[kind]
      if (handler === undefined) throw new VarveError('VARVE_CALL', `Cannot run ${kind}: no such call`)
      const result = await handler(payload as never, { piece, isCancelled })
      send({ type: 'done', id, heapBytes: heapBytes(), result })
    } catch (error) {
      if (!(error instanceof VarveError)) throw error
      send({ type: 'failed', id, heapBytes: heapBytes(), code: error.code, message: error.message })
    } finally {
      credits.delete(id)
    }
  }

  port.on('message', (message: ToWorker) => {
    if (message.type === 'credit') {
      const credit = credits.get(message.id)
      if (credit === undefined) return
      credit.left++
      credit.wake?.()
      credit.wake = null
    } else if (message.type === 'notice') {
      running = running.then(() => notices[message.kind]?.(message.payload as never))
    } else running = running.then(() => run(message))
  })
}
