// The main thread's half: lanes of one worker each, and a pool of lanes that gives a call to the one with
// the least to do. Owns node:worker_threads.
//
// A lane that had nothing to do for a while lets its thread end, and with it its heap and replicas; the next
// call starts another, which costs about 50 ms of CPU.
//
// Invariants: a lane's waiting calls are bounded and past the bound refused (VARVE_BUSY), never queued
// without end; a worker that dies fails its calls with VARVE_WORKER_FAILED, is reported, and is started
// anew with its state (onStart).
// Not here: what is called (daemon), the messages (protocol.ts), the worker's half (worker.ts).
import { Worker } from 'node:worker_threads'
import type { Clock } from '../base/clock.ts'
import { reason, VarveError } from '../base/errors.ts'
import type { FromWorker, ToWorker } from './protocol.ts'

/** What workers allocate is short-lived and large: a small young generation costs little and bounds memory. */
const YOUNG_MIB_MAX = 4

/** How a lane is made. */
export interface LaneOptions {
  readonly name: string
  readonly clock: Clock
  /** A thread without calls ends after this long. */
  readonly idleMs: number
  /** Where the worker's code is: a file, or the source text in the packed binary. */
  readonly code: URL | string
  readonly data: unknown
  /** Calls that may wait or run at once; one more is refused. */
  readonly callsMax: number
  /** Heap of the worker's old generation, in MiB. */
  readonly heapMiBMax: number
  /** Called at every start, before any call: bring the worker's replicas up to date. */
  onStart(lane: Lane): void
  onNotice(kind: string, payload: unknown): void
  onDeath(error: Error): void
}

interface OpenCall {
  readonly cancelled: Int32Array
  piece(bytes: Uint8Array): void
  done(result: unknown): void
  failed(error: Error): void
}

/** One worker and its calls. */
export class Lane {
  private readonly options: LaneOptions
  /** Null while there is nothing to do. */
  private worker: Worker | null = null
  private cancelRest: () => void = () => {}
  private lastHeapBytes = 0
  private readonly calls = new Map<number, OpenCall>()
  private nextId = 1
  private isClosed = false

  constructor(options: LaneOptions) {
    this.options = options
  }

  /** Calls that wait or run. */
  get load(): number {
    return this.calls.size
  }

  /** Memory of the thread in bytes, as it told with its last answer; 0 while there is none. */
  get heapBytes(): number {
    return this.worker === null ? 0 : this.lastHeapBytes
  }

  /** Starts the thread where there is none: before its replicas are brought up to date. */
  wake(): void {
    if (this.worker === null && !this.isClosed) this.start()
  }

  /** Tells the worker something, in order with the calls. */
  notify(kind: string, payload: unknown): void {
    this.send({ type: 'notice', kind, payload })
  }

  /**
   * Runs a call that answers with one value.
   * @param onPiece  told of pieces on the way there; without it there may be none
   * @throws {VarveError} what the handler threw; VARVE_BUSY
   */
  call(kind: string, payload: unknown, onPiece?: (bytes: Uint8Array) => void): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const { id } = this.open(kind, payload, {
        piece: bytes => {
          if (onPiece === undefined) {
            reject(new VarveError('VARVE_CALL', `Cannot run ${kind}: it answers with a stream`))
            return
          }
          this.send({ type: 'credit', id })
          onPiece(bytes)
        },
        done: resolve,
        failed: reject
      })
    })
  }

  /**
   * Runs a call that answers with pieces of bytes. Leaving the loop, or the signal, cancels it.
   * @throws {VarveError} what the handler threw; VARVE_BUSY; VARVE_CANCELLED
   */
  async *stream(kind: string, payload: unknown, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const pieces: Uint8Array[] = []
    let ended = false
    let failure: Error | null = null
    let wake: () => void = () => {}
    const call = this.open(kind, payload, {
      piece: bytes => {
        pieces.push(bytes)
        wake()
      },
      done: () => {
        ended = true
        wake()
      },
      failed: error => {
        failure = error
        ended = true
        wake()
      }
    })
    const cancel = () => {
      Atomics.store(call.cancelled, 0, 1)
      failure ??= new VarveError('VARVE_CANCELLED', `Cannot finish ${kind}: the caller has gone`)
      wake()
    }
    signal.addEventListener('abort', cancel, { once: true })
    if (signal.aborted) cancel()
    try {
      for (;;) {
        const piece = pieces.shift()
        if (piece !== undefined) {
          this.send({ type: 'credit', id: call.id })
          yield piece
        } else if (failure !== null) throw failure
        else if (ended) return
        else await new Promise<void>(resolve => (wake = resolve))
      }
    } finally {
      signal.removeEventListener('abort', cancel)
      Atomics.store(call.cancelled, 0, 1)
      // A worker that waits for credit must wake to see that nobody listens.
      if (!ended) this.send({ type: 'credit', id: call.id })
    }
  }

  async close(): Promise<void> {
    this.isClosed = true
    this.cancelRest()
    await this.worker?.terminate()
    this.failAll(new VarveError('VARVE_CLOSED', 'Cannot run call: the worker was closed'))
  }

  private open(
    kind: string,
    payload: unknown,
    ends: Omit<OpenCall, 'cancelled'>
  ): { id: number; cancelled: Int32Array } {
    if (this.isClosed) throw new VarveError('VARVE_CLOSED', `Cannot run ${kind}: the worker was closed`)
    if (this.calls.size >= this.options.callsMax) {
      throw new VarveError(
        'VARVE_BUSY',
        `Cannot run ${kind}: ${this.calls.size} calls are waiting, the limit is ${this.options.callsMax}`
      )
    }
    this.cancelRest()
    const id = this.nextId++
    const cancelled = new Int32Array(new SharedArrayBuffer(4))
    this.calls.set(id, { cancelled, ...ends })
    this.send({ type: 'call', id, kind, payload, cancelled })
    return { id, cancelled }
  }

  private send(message: ToWorker): void {
    this.wake()
    this.worker?.postMessage(message)
  }

  private start(): void {
    const { code, data, name, heapMiBMax } = this.options
    const worker = new Worker(code, {
      eval: typeof code === 'string',
      // Else node compiles a text twice, to see what it is.
      ...(typeof code === 'string' ? { execArgv: ['--input-type=commonjs'] } : {}),
      workerData: data,
      name,
      resourceLimits: { maxOldGenerationSizeMb: heapMiBMax, maxYoungGenerationSizeMb: YOUNG_MIB_MAX }
    })
    worker.on('message', (message: FromWorker) => this.receive(message))
    worker.on('error', error => this.died(error instanceof Error ? error : new Error(reason(error))))
    this.worker = worker
    this.options.onStart(this)
    this.restLater()
  }

  private restLater(): void {
    this.cancelRest()
    this.cancelRest = this.options.clock.after(this.options.idleMs, () => {
      const { worker } = this
      this.worker = null
      worker?.removeAllListeners('message')
      worker?.terminate().catch(error => this.options.onDeath(error))
    })
  }

  private receive(message: FromWorker): void {
    if (message.type === 'notice') {
      this.options.onNotice(message.kind, message.payload)
      return
    }
    const call = this.calls.get(message.id)
    if (call === undefined) return
    if (message.type === 'piece') call.piece(message.bytes)
    else {
      this.calls.delete(message.id)
      this.lastHeapBytes = message.heapBytes
      if (this.calls.size === 0) this.restLater()
      if (message.type === 'done') call.done(message.result)
      else call.failed(new VarveError(message.code, message.message))
    }
  }

  private died(error: Error): void {
    this.failAll(
      new VarveError(
        'VARVE_WORKER_FAILED',
        `Cannot finish call: worker ${this.options.name} died: ${error.message}`,
        {
          cause: error
        }
      )
    )
    this.options.onDeath(error)
    // The next call starts another.
    this.worker = null
  }

  private failAll(error: VarveError): void {
    const calls = [...this.calls.values()]
    this.calls.clear()
    for (const call of calls) call.failed(error)
  }
}

/** The lane of a pool that has the least to do. */
export function leastLoaded(lanes: readonly Lane[]): Lane {
  return lanes.reduce((best, lane) => (lane.load < best.load ? lane : best))
}
