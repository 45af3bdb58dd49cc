// The floor that node:net sets under every RESP server in Node: reads as varve's sockets do, answers each command
// with as many bytes as a GET of 100 has, and knows nothing. For bench-resp.ts; prints its port.
import { type AddressInfo, createServer } from 'node:net'
import { LentSocket } from '../src/base/lent-socket.ts'

const STAR = 42
const REPLY = `$100\r\n${'x'.repeat(100)}\r\n`

const server = createServer({ noDelay: true, pauseOnConnect: true }, accepted => {
  const socket = new LentSocket(accepted)
  socket.onLent = (lent, length) => {
    let commands = 0
    for (let i = 0; i < length; i++) if (lent[i] === STAR) commands++
    socket.write(REPLY.repeat(commands), 'latin1')
  }
  socket.on('error', () => {})
})
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
