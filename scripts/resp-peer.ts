// One end of a comparison of two RESP servers: sends commands, many at once, and takes replies apart.
import { once } from 'node:events'
import { connect, type NetConnectOpts, type Socket } from 'node:net'

/** A reply: a word with its sign ("+OK", ":1", "$text", "$-1"), or an array, map, set or push of replies. */
export type Answer = string | { readonly sign: string; readonly items: readonly Answer[] }

export class RespPeer {
  /** Messages that nobody asked for are kept here: those of subscriptions. */
  readonly pushed: string[] = []
  private readonly socket: Socket
  private readonly waiting: ((answer: Answer) => void)[] = []
  private bytes = Buffer.alloc(0)

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', chunk => this.took(chunk as Buffer))
  }

  static async open(to: NetConnectOpts): Promise<RespPeer> {
    const socket = connect(to)
    await once(socket, 'connect')
    return new RespPeer(socket)
  }

  /** Sends commands in one piece. @returns their replies, in order */
  all(calls: readonly (readonly string[])[]): Promise<Answer[]> {
    const replies = calls.map(() => new Promise<Answer>(resolve => this.waiting.push(resolve)))
    this.socket.write(Buffer.concat(calls.map(encoded)))
    return Promise.all(replies)
  }

  async one(...words: string[]): Promise<Answer> {
    return (await this.all([words]))[0]!
  }

  close(): void {
    this.socket.destroy()
  }

  private took(chunk: Buffer): void {
    this.bytes = Buffer.concat([this.bytes, chunk])
    let at = 0
    for (;;) {
      const found = answerAt(this.bytes, at)
      if (found === null) break
      at = found.end
      const { answer } = found
      const isMessage = typeof answer !== 'string' && answer.items[0] === '$pmessage'
      if (isMessage) this.pushed.push(answer.items.slice(2).join(' '))
      else this.waiting.shift()!(answer)
    }
    this.bytes = this.bytes.subarray(at)
  }
}

function encoded(words: readonly string[]): Buffer {
  const parts = words.map(word => `$${word.length}\r\n${word}\r\n`)
  return Buffer.from(`*${words.length}\r\n${parts.join('')}`, 'latin1')
}

/** The reply at a place; null: not all of it came. */
function answerAt(bytes: Buffer, start: number): { answer: Answer; end: number } | null {
  const lineEnd = bytes.indexOf('\r\n', start)
  if (lineEnd < 0) return null
  const sign = String.fromCharCode(bytes[start]!)
  const line = bytes.toString('latin1', start + 1, lineEnd)
  let end = lineEnd + 2
  if (!'$=*%~>'.includes(sign) || line === '-1') return { answer: sign + line, end }
  const n = Number(line)
  if (sign === '$' || sign === '=') {
    if (bytes.length < end + n + 2) return null
    return { answer: sign + bytes.toString('latin1', end, end + n), end: end + n + 2 }
  }
  const items: Answer[] = []
  for (let i = sign === '%' ? n * 2 : n; i > 0; i--) {
    const found = answerAt(bytes, end)
    if (found === null) return null
    items.push(found.answer)
    end = found.end
  }
  return { answer: { sign, items }, end }
}

/** One line of text. */
export function shown(answer: Answer): string {
  if (typeof answer === 'string') return JSON.stringify(answer)
  return `${answer.sign}[${answer.items.map(shown).join(' ')}]`
}
