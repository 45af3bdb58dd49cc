// Cuts the bytes of one socket into MQTT packets without copying them: a packet that lies whole in a chunk is
// handed over in place; only one that is split over chunks is collected. The cut does not depend on how the
// bytes were split.
//
// Invariants: a length above packetBytesMax is refused when its header is complete, before anything is
// collected for it; what is collected grows by doubling, never ahead of what came; after the handler says
// stop, nothing more is handed over until proceed(), and at most the rest of one chunk is held.
// Not here: what packets mean (door.ts).
import { found, REASON, varint } from './packet.ts'

export interface PacketHandler {
  /** One whole packet: bytes[start, end), its body from `body`. If they were lent, so are they here. */
  onPacket(bytes: Uint8Array, start: number, body: number, end: number): void
  /** False: hand over no more until proceed(). */
  mayRead(): boolean
  /** What comes cannot be MQTT; the MQTT 5 reason says how. */
  onBroken(reason: number): void
}

const partialBytesMin = 256

export class PacketReader {
  private readonly handler: PacketHandler
  private readonly packetBytesMax: number
  private partial: Uint8Array = new Uint8Array(0)
  private partialLength = 0
  private held: Uint8Array | null = null
  private broken = false

  constructor(handler: PacketHandler, packetBytesMax: number) {
    this.handler = handler
    this.packetBytesMax = packetBytesMax
  }

  /** True while bytes wait for proceed(). */
  get isHolding(): boolean {
    return this.held !== null
  }

  /**
   * Takes chunk[0, length); false when reading stopped: take no more from the socket before proceed() is true.
   * @param isLent  the bytes are valid during the call only
   */
  read(chunk: Uint8Array, length: number, isLent: boolean): boolean {
    if (this.held !== null) {
      this.held = Buffer.concat([this.held, chunk.subarray(0, length)])
      return false
    }
    let at = 0
    while (!this.broken) {
      if (!this.handler.mayRead()) {
        const rest = chunk.subarray(at, length)
        this.held = isLent ? Buffer.from(rest) : rest
        return false
      }
      if (at >= length) return true
      at = this.partialLength > 0 ? this.complete(chunk, at, length) : this.next(chunk, at, length)
    }
    return true
  }

  /** Goes on with what was held; true when all of it is handed over. */
  proceed(): boolean {
    const held = this.held
    if (held === null || !this.handler.mayRead()) return held === null
    this.held = null
    return this.read(held, held.length, false)
  }

  /** Forgets everything; nothing more is handed over. */
  stop(): void {
    this.broken = true
    this.held = null
    this.partial = new Uint8Array(0)
    this.partialLength = 0
  }

  private next(chunk: Uint8Array, at: number, length: number): number {
    const state = varint(chunk, at + 1, length)
    if (state < 0) return this.fail(REASON.malformed)
    if (state === 1) {
      const body = found.next
      const end = body + found.value
      if (end - at > this.packetBytesMax) return this.fail(REASON.packetTooLarge)
      if (end <= length) {
        this.handler.onPacket(chunk, at, body, end)
        return end
      }
    }
    this.collect(chunk, at, length, length - at)
    return length
  }

  /** Goes on collecting the split packet; returns the index after what was taken. */
  private complete(chunk: Uint8Array, at: number, length: number): number {
    let state = varint(this.partial, 1, this.partialLength)
    while (state === 0 && at < length) {
      this.collect(chunk, at, at + 1, 1)
      at++
      state = varint(this.partial, 1, this.partialLength)
    }
    if (state < 0) return this.fail(REASON.malformed)
    if (state === 0) return at
    const body = found.next
    const total = body + found.value
    if (total > this.packetBytesMax) return this.fail(REASON.packetTooLarge)
    const take = Math.min(total - this.partialLength, length - at)
    this.collect(chunk, at, at + take, total - this.partialLength)
    if (this.partialLength === total) {
      const packet = this.partial
      this.partial = new Uint8Array(0)
      this.partialLength = 0
      this.handler.onPacket(packet, 0, body, total)
    }
    return at + take
  }

  private collect(chunk: Uint8Array, start: number, end: number, expected: number): void {
    const need = this.partialLength + end - start
    if (need > this.partial.length) {
      const doubled = Math.max(partialBytesMin, need, this.partial.length * 2)
      const grown = Buffer.allocUnsafe(Math.max(need, Math.min(doubled, this.partialLength + expected + 256)))
      grown.set(this.partial.subarray(0, this.partialLength))
      this.partial = grown
    }
    this.partial.set(chunk.subarray(start, end), this.partialLength)
    this.partialLength = need
  }

  private fail(reason: number): number {
    this.stop()
    this.handler.onBroken(reason)
    return Number.MAX_SAFE_INTEGER
  }
}
