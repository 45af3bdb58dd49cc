// The way out of one socket: packets written within one turn of the event loop leave as one write, since
// many small writes, not bytes, are what fan-out costs. A packet is either wholly queued or not at all.
//
// Invariants: bytes leave in the order of calls; what is staged is written at the end of the turn
// (FlushList) or when it reaches stageBytesMax. Not here: which packets may be dropped (fan-out.ts).
import type { Duplex } from 'node:stream'
import type { BrokerStats } from './stats.ts'

const stageBytesMin = 512
const stageBytesMax = 64 * 1024
const shareBytesMin = 16 * 1024

/** Outlets with staged bytes; flushed together at the end of the turn. */
export class FlushList {
  private dirty: Outlet[] = []
  private scheduled = false

  add(outlet: Outlet): void {
    this.dirty.push(outlet)
    if (this.scheduled) return
    this.scheduled = true
    setImmediate(() => this.flush())
  }

  flush(): void {
    this.scheduled = false
    const dirty = this.dirty
    this.dirty = []
    for (const outlet of dirty) outlet.flush()
  }
}

export class Outlet {
  private readonly wire: Duplex
  private readonly list: FlushList
  private readonly stats: BrokerStats
  private stage: Buffer | null = null
  private staged = 0
  private room = stageBytesMin
  private listed = false

  constructor(wire: Duplex, list: FlushList, stats: BrokerStats) {
    this.wire = wire
    this.list = list
    this.stats = stats
  }

  /** Bytes not yet taken by the operating system. */
  get queued(): number {
    return this.wire.writableLength + this.staged
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
  }

  private send(bytes: Buffer): void {
    if (this.wire.destroyed || this.wire.writableEnded) return
    this.stats.bytesOut += bytes.length
    this.wire.write(bytes)
  }

  private grow(n: number): void {
    if (this.stage !== null && (this.staged + n > stageBytesMax || this.stage.length >= stageBytesMax)) {
      const listed = this.listed
      this.flush()
      this.listed = listed
    }
    const size = Math.min(stageBytesMax, Math.max(this.room, 2 * (this.staged + n)))
    const grown = Buffer.allocUnsafe(Math.max(size, this.staged + n))
    if (this.stage !== null) grown.set(this.stage.subarray(0, this.staged))
    this.stage = grown
  }
}
