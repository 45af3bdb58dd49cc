// Bounds the connections of a server so that those that do nothing shut nobody out: where there is no room, the one
// that has been without a request for longest makes it; where all are at work, the new one is told 503 and closed.
//
// Invariant: no more than connectionsMax are open, but for those that are being told.
// Not here: time-outs (server.ts).
import type { Server } from 'node:http'
import type { Socket } from 'node:net'

const FULL =
  'HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'

export function keepRoom(server: Server, connectionsMax: number): void {
  const open = new Set<Socket>()
  /** Those without a request, the one that is so for longest first. */
  const idle = new Set<Socket>()
  /** Requests of each that are not answered: a client may send some ahead. */
  const asked = new Map<Socket, number>()
  server.prependListener('connection', (socket: Socket) => {
    socket.once('close', () => {
      open.delete(socket)
      idle.delete(socket)
      asked.delete(socket)
    })
    if (open.size >= connectionsMax) {
      const [longest] = idle
      if (longest === undefined) {
        socket.on('error', () => {})
        socket.end(FULL)
        socket.destroySoon()
        return
      }
      idle.delete(longest)
      open.delete(longest)
      longest.destroy()
    }
    open.add(socket)
    idle.add(socket)
  })
  server.on('request', ({ socket }, response) => {
    idle.delete(socket)
    asked.set(socket, (asked.get(socket) ?? 0) + 1)
    response.once('close', () => {
      const left = (asked.get(socket) ?? 1) - 1
      if (left > 0) asked.set(socket, left)
      else asked.delete(socket)
      if (left === 0 && open.has(socket)) idle.add(socket)
    })
  })
}
