// The stream that aedes believes to be the socket. What the door gives is read by aedes; what aedes writes
// is cut into whole packets and handed to the door at once, so that its packets and ours never interleave.
//
// Invariants: a packet that aedes writes is small (it writes no PUBLISH: fan-out and sessions do), so
// collecting it is bounded; give() returning false means: no more before onHungry.
// Not here: what happens to either direction's packets (door.ts).
import { Duplex } from 'node:stream'
import { found, varint } from './packet.ts'

export interface InnerHandlers {
  /** aedes wrote this packet; valid during the call only. */
  onPacket(packet: Uint8Array): void
  /** aedes wants more input. */
  onHungry(): void
  /** aedes ended the connection. */
  onDestroyed(error: Error | null): void
}

export class InnerStream extends Duplex {
  private readonly handlers: InnerHandlers
  private partial = Buffer.allocUnsafe(64)
  private partialLength = 0

  constructor(handlers: InnerHandlers) {
    super({ allowHalfOpen: false })
    this.handlers = handlers
  }

  /** Gives aedes a packet (or a part); false: enough for now. The bytes must not change afterwards. */
  give(bytes: Uint8Array): boolean {
    return this.push(bytes)
  }

  override _read(): void {
    this.handlers.onHungry()
  }

  override write(chunk: unknown, encoding?: unknown): boolean {
    const bytes =
      typeof chunk === 'string'
        ? Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
        : (chunk as Buffer)
    const need = this.partialLength + bytes.length
    if (need > this.partial.length) {
      const grown = Buffer.allocUnsafe(need * 2)
      grown.set(this.partial.subarray(0, this.partialLength))
      this.partial = grown
    }
    this.partial.set(bytes, this.partialLength)
    this.partialLength = need
    this.cut()
    return true
  }

  override cork(): void {}

  override uncork(): void {}

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.handlers.onDestroyed(error)
    callback(error)
  }

  private cut(): void {
    let at = 0
    while (at < this.partialLength && varint(this.partial, at + 1, this.partialLength) === 1) {
      const end = found.next + found.value
      if (end > this.partialLength) break
      this.handlers.onPacket(this.partial.subarray(at, end))
      at = end
    }
    if (at === 0) return
    this.partial.copyWithin(0, at, this.partialLength)
    this.partialLength -= at
  }
}
