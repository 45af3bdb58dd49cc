// Asks a store over HTTP and says how long it took, on kept connections or on a store that was just started
// with nothing of its files in the page cache.
//
// The page cache is emptied of the files of one directory alone (posix_fadvise through dd, which needs no
// rights), so that other work on the machine is left in peace.
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { join } from 'node:path'

export interface Asked {
  readonly ms: number
  readonly text: string
}

/** A client with connections of its own. */
export class QueryClient {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 6 })
  private readonly httpUrl: string

  constructor(httpUrl: string) {
    this.httpUrl = httpUrl
  }

  /** From sending to the last byte of the answer. @throws with the answer when it is not 200 */
  ask(path: string): Promise<Asked> {
    const began = performance.now()
    return new Promise((resolve, reject) => {
      const sent = get(`${this.httpUrl}${path}`, { agent: this.agent }, reply => {
        const pieces: Buffer[] = []
        reply.on('data', piece => pieces.push(piece))
        reply.on('error', reject)
        reply.on('end', () => {
          const ms = performance.now() - began
          const text = Buffer.concat(pieces).toString()
          if (reply.statusCode === 200) resolve({ ms, text })
          else reject(new Error(`Cannot ask ${path}: ${reply.statusCode} ${text.slice(0, 300)}`))
        })
      })
      sent.on('error', reject)
    })
  }

  /** All at once, as a dashboard does; from the first question to the last answer, ms. */
  async askAll(paths: readonly string[]): Promise<number> {
    const began = performance.now()
    await Promise.all(paths.map(path => this.ask(path)))
    return performance.now() - began
  }

  close(): void {
    this.agent.destroy()
  }
}

/** Takes the files of a directory out of the page cache. */
export function dropPageCache(dir: string): void {
  execFileSync('sync', ['-f', dir])
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const from = join(entry.parentPath, entry.name)
    execFileSync('dd', [`if=${from}`, 'iflag=nocache', 'count=0', 'status=none'])
  }
}
