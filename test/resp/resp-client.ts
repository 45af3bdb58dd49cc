// A client of RESP for tests: sends what it is told, also what no library sends, and shows replies as one line
// of text each: +OK -ERR text :1 "text" nil [..] {..} ~[..] >[..] ,1.5 #t
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Test } from 'tap'

interface Shown {
  readonly text: string
  /** Where the reply ends. */
  readonly end: number
}

/** The reply at a place of the bytes; null when not all of it came. Throws on what is no reply. */
export function showReply(bytes: Buffer, start: number): Shown | null {
  const lineEnd = bytes.indexOf('\r\n', start)
  if (lineEnd < 0) return null
  const sign = String.fromCharCode(bytes[start]!)
  const line = bytes.toString('latin1', start + 1, lineEnd)
  const end = lineEnd + 2
  if ('+-:,#'.includes(sign)) return { text: sign + line, end }
  if (sign === '_' || line === '-1') return { text: 'nil', end }
  const n = Number(line)
  if (sign === '$' || sign === '=') {
    if (bytes.length < end + n + 2) return null
    if (bytes.toString('latin1', end + n, end + n + 2) !== '\r\n') throw new Error('a text does not end')
    return { text: JSON.stringify(bytes.toString('latin1', end, end + n)), end: end + n + 2 }
  }
  if (!'*%~>'.includes(sign)) throw new Error(`no reply begins with ${sign}`)
  const parts: string[] = []
  let at = end
  for (let i = 0; i < (sign === '%' ? n * 2 : n); i++) {
    const part = showReply(bytes, at)
    if (part === null) return null
    parts.push(part.text)
    at = part.end
  }
  const text = parts.join(' ')
  return { text: sign === '%' ? `{${text}}` : `${sign === '*' ? '' : sign}[${text}]`, end: at }
}

export function encode(words: readonly string[]): Buffer {
  const parts = words.map(word => `$${word.length}\r\n${word}\r\n`)
  return Buffer.from(`*${words.length}\r\n${parts.join('')}`, 'latin1')
}

export class RespClient {
  readonly socket: Socket
  isClosed = false
  private bytes = Buffer.alloc(0)
  private readonly waiting: ((text: string) => void)[] = []
  private readonly shown: string[] = []

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => this.took(chunk))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.isClosed = true
      for (const tell of this.waiting.splice(0)) tell('closed')
    })
  }

  static async open(t: Test, port: number): Promise<RespClient> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    t.teardown(() => socket.destroy())
    return new RespClient(socket)
  }

  /** Sends a command given as words between blanks; "" stands for a word of no bytes. */
  run(command: string): Promise<string> {
    this.socket.write(encode(command.split(' ').map(word => (word === '""' ? '' : word))))
    return this.next()
  }

  /** The next reply. */
  next(): Promise<string> {
    const shown = this.shown.shift()
    if (shown !== undefined) return Promise.resolve(shown)
    if (this.isClosed) return Promise.resolve('closed')
    return new Promise(resolve => this.waiting.push(resolve))
  }

  /** Replies that have come and were not asked for. */
  get unread(): number {
    return this.shown.length
  }

  private took(chunk: Buffer): void {
    this.bytes = Buffer.concat([this.bytes, chunk])
    let at = 0
    for (
      let reply = showReply(this.bytes, at);
      reply !== null;
      reply = at < this.bytes.length ? showReply(this.bytes, at) : null
    ) {
      at = reply.end
      const waiter = this.waiting.shift()
      if (waiter === undefined) this.shown.push(reply.text)
      else waiter(reply.text)
    }
    this.bytes = this.bytes.subarray(at)
  }
}
