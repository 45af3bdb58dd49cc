// The way out of one socket: packets written within one turn of the event loop leave as one write, since
// many small writes, not bytes, are what fan-out costs. A packet is either wholly queued or not at all.
//
// What all outlets hold together is bounded: one may hold as much as is left for all, so that a hundred slow
// subscribers share the bound evenly and there is always room for another (a dynamic threshold).
//
// Invariants: bytes leave in the order of calls; what is staged is written at the end of the turn (Outlets) or
// when it reaches stageBytesMax; a stage is used again only when the system has taken its bytes.
// Not here: which packets may be dropped (fan-out.ts), who waits for a slow socket (patience.ts).
import type { Duplex } from 'node:stream'
import type { BrokerStats } from './stats.ts'

const stageBytesMin = 512
const stageBytesMax = 64 * 1024
const shareBytesMin = 16 * 1024
const sparesMax = 1024

/** All outlets: those with staged bytes are flushed together at the end of the turn. */
export class Outlets {
  private dirty: Outlet[] = []
  private scheduled = false
  private total = 0
  private readonly eachBytesMax: number
  private readonly allBytesMax: number
  private readonly spares: Buffer[] = []

  /**
   * @param eachBytesMax  bytes that one outlet may hold
   * @param allBytesMax   bytes that all may hold together; each may hold shareBytesMin whatever the others do
   */
  constructor(eachBytesMax: number, allBytesMax: number) {
    this.eachBytesMax = eachBytesMax
    this.allBytesMax = allBytesMax
  }

  /** Bytes that one outlet may hold now. */
  get shareMax(): number {
    const left = this.allBytesMax - this.total
    return left > this.eachBytesMax ? this.eachBytesMax : Math.max(left, shareBytesMin)
  }

  /** Bytes that sockets have not taken. */
  get totalBytes(): number {
    return this.total
  }

  add(outlet: Outlet): void {
    this.dirty.push(outlet)
    if (this.scheduled) return
    this.scheduled = true
    setImmediate(() => this.flush())
  }

  /** One outlet holds so many bytes more. */
  changed(bytes: number): void {
    this.total += bytes
  }

  /** A small stage. */
  take(): Buffer {
    return this.spares.pop() ?? Buffer.allocUnsafeSlow(stageBytesMin)
  }

  /** A small stage whose bytes the system has. */
  give(stage: Buffer): void {
    if (stage.length === stageBytesMin && this.spares.length < sparesMax) this.spares.push(stage)
  }

  private flush(): void {
    this.scheduled = false
    const dirty = this.dirty
    this.dirty = []
    for (const outlet of dirty) outlet.flush()
  }
}

export class Outlet {
  /** Bytes that the socket had not taken when it was last written to or drained. */
  backlog = 0
  private readonly wire: Duplex
  private readonly list: Outlets
  private readonly stats: BrokerStats
  private stage: Buffer | null = null
  private staged = 0
  private room = stageBytesMin
  private listed = false

  constructor(wire: Duplex, list: Outlets, stats: BrokerStats) {
    this.wire = wire
    this.list = list
    this.stats = stats
  }

  /** Bytes not yet taken by the operating system. */
  get queued(): number {
    return this.backlog + this.staged
  }

  /** Queues a copy of bytes[start, end). */
  copy(bytes: Uint8Array, start: number, end: number): void {
    const n = end - start
    if (n > stageBytesMax) {
      this.flush()
      this.send(Buffer.from(bytes.subarray(start, end)))
      return
    }
    if (this.stage === null || this.staged + n > this.stage.length) this.grow(n)
    const stage = this.stage!
    if (n < 32) for (let i = start, at = this.staged; i < end; i++, at++) stage[at] = bytes[i]!
    else stage.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), this.staged)
    this.staged += n
    if (!this.listed) {
      this.listed = true
      this.list.add(this)
    }
  }

  /** Queues a whole buffer that nobody changes afterwards; a large one is not copied. */
  share(packet: Buffer): void {
    if (packet.length < shareBytesMin) {
      this.copy(packet, 0, packet.length)
      return
    }
    this.flush()
    this.send(packet)
  }

  /** Hands what is staged to the socket. */
  flush(): void {
    this.listed = false
    if (this.staged === 0) return
    const stage = this.stage!
    const n = this.staged
    this.stage = null
    this.staged = 0
    this.room = n * 2 > stageBytesMax ? stageBytesMax : Math.max(stageBytesMin, n * 2)
    this.send(stage.subarray(0, n))
    if (this.backlog === 0) this.list.give(stage)
  }

  /** Counts what the socket holds. */
  account(): void {
    const held = this.wire.writableLength
    this.list.changed(held - this.backlog)
    this.backlog = held
  }

  /** Writes what is staged and counts no more: nothing follows. */
  end(): void {
    this.flush()
    this.list.changed(-this.backlog)
    this.backlog = 0
  }

  private send(bytes: Buffer): void {
    if (this.wire.destroyed || this.wire.writableEnded) return
    this.stats.bytesOut += bytes.length
    this.wire.write(bytes)
    this.account()
  }

  private grow(n: number): void {
    if (this.stage !== null && (this.staged + n > stageBytesMax || this.stage.length >= stageBytesMax)) {
      const listed = this.listed
      this.flush()
      this.listed = listed
    }
    const size = Math.max(
      Math.min(stageBytesMax, Math.max(this.room, 2 * (this.staged + n))),
      this.staged + n
    )
    const grown = size <= stageBytesMin ? this.list.take() : Buffer.allocUnsafe(size)
    if (this.stage !== null) {
      grown.set(this.stage.subarray(0, this.staged))
      this.list.give(this.stage)
    }
    this.stage = grown
  }
}
