// The subscribing side of one connection: what may be written to its socket now, and what is dropped.
//
// Invariants: a QoS 0 packet is queued whole or not at all, and only within the bounds of outlet.ts; QoS 1 and 2
// wait in the session instead. Not here: whom a message is for (fan-out.ts), the session's window (session.ts).
import type { ConnectPacket } from './connect-packet.ts'
import type { DoorHost } from './door-host.ts'
import type { Outlet } from './outlet.ts'
import { catchUpBytes } from './patience.ts'
import { propertyIds } from './properties.ts'
import type { SessionLink } from './session.ts'

export class Subscriber implements SessionLink {
  version = 4
  windowMax: number
  packetBytesMax = 0xfffffff
  /** Monotonic ms since when its socket takes nothing more; 0: it does. */
  stuckSinceMs = 0
  private readonly outlet: Outlet
  private readonly host: DoorHost

  constructor(outlet: Outlet, host: DoorHost) {
    this.outlet = outlet
    this.host = host
    this.windowMax = host.limits.windowMax
  }

  /** What the client said in CONNECT of what it takes. */
  agree({ version, properties }: ConnectPacket): void {
    this.version = version
    this.windowMax = Math.min(this.windowMax, properties.get(propertyIds.receiveMaximum) ?? 65535)
    this.packetBytesMax = properties.get(propertyIds.packetSizeMaximum) ?? this.packetBytesMax
  }

  hasRoom(): boolean {
    return this.outlet.queued < this.host.outlets.shareMax
  }

  write(packet: Buffer): void {
    this.outlet.share(packet)
  }

  offer(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start > this.packetBytesMax) return false
    const { outlet, host } = this
    const share = host.outlets.shareMax
    // The system may take what is staged: only what it does not take counts.
    if (outlet.queued + (end - start) > share) outlet.flush()
    if (outlet.backlog > catchUpBytes || outlet.backlog > share / 2) host.patience.ask(this)
    if (outlet.queued + (end - start) > share) {
      if (this.stuckSinceMs === 0) this.stuckSinceMs = host.clock.monotonicMs()
      return false
    }
    outlet.copy(bytes, start, end)
    return true
  }

  /** Its socket has taken everything. */
  drained(): void {
    this.stuckSinceMs = 0
    this.outlet.account()
    this.host.patience.drained(this)
  }

  /** Its connection is gone; what is staged leaves. */
  end(): void {
    this.outlet.end()
    this.host.patience.drained(this)
  }
}
