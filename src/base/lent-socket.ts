// A TCP socket whose bytes are read into one buffer that all of them share: what a device or a client sends at a
// time is small, and a buffer of its own for each read costs more than handling what is in it (500 connections
// that send one message at a time: 1.4 to 3.2 us a message of user time instead of 3.7 to 4.0, and less garbage).
//
// Invariants: the bytes are lent for the call only, and the next read of any socket overwrites them; the
// listener is there before the first read, which is in a later turn.
// Node offers such reads (`onread`) only for sockets that connect, so an accepted one is taken over by its
// handle (`_handle`, which node:net keeps for clusters; a test would tell if it went). TLS and WebSocket have
// buffers of their own. Not here: what is cut from the bytes (broker/packet-reader.ts, resp/parser.ts).
import { Socket } from 'node:net'

/** What libuv reads at most at a time. */
const LENT_BYTES = 64 * 1024
const lent = Buffer.allocUnsafeSlow(LENT_BYTES)

export class LentSocket extends Socket {
  /** Takes lent[0, length). */
  onLent: (lent: Buffer, length: number) => void = () => {}

  /** Takes over an accepted socket that was not read yet (`pauseOnConnect`); that one is of no use any more. */
  constructor(accepted: Socket) {
    const shell = accepted as unknown as { _handle: object | null }
    const options = {
      handle: shell._handle,
      onread: {
        buffer: lent,
        callback: (length: number): boolean => {
          this.onLent(lent, length)
          return true
        }
      }
    }
    super(options as object)
    shell._handle = null
    accepted.destroy()
  }
}
