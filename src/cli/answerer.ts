// Asks a running daemon over its HTTP API. Where it listens comes from --url, or from run.json in the data
// directory.
// Not here: answering from a directory (the door openDirectory), what answers look like (rows.ts).
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { reason, VarveError } from '../base/errors.ts'
import { localUrl, parseRunFile, RUN_FILE } from '../daemon/run-file.ts'
import type { Answerer, Route } from './doors.ts'

/** Time to the first byte of an answer. */
const answerMaxMs = 120_000

/** The URL of the daemon that runs on a data directory. @throws {VarveError} VARVE_NO_DAEMON */
export function daemonUrl(dir: string): string {
  const file = join(dir, RUN_FILE)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new VarveError(
      'VARVE_NO_DAEMON',
      `Cannot find a running daemon: there is no ${file}; start one with varve serve, name it with --url, or read the directory with --data`,
      { cause }
    )
  }
  return localUrl(parseRunFile(text).http)
}

export class HttpAnswerer implements Answerer {
  readonly url: string
  private readonly token: string | undefined

  /** @param url  of the API, without a path: "http://127.0.0.1:8086" */
  constructor(url: string, token: string | undefined) {
    if (!/^https?:\/\/[^/]/.test(url)) {
      throw new VarveError(
        'VARVE_USAGE',
        `Cannot ask ${JSON.stringify(url)}: it must be like http://127.0.0.1:8086`
      )
    }
    this.url = url.replace(/\/+$/, '')
    this.token = token
  }

  async ask(route: Route, params: URLSearchParams): Promise<AsyncIterable<Uint8Array>> {
    const response = await this.get(`/v1/${route}?${params}`)
    return this.pieces(response)
  }

  /** The parsed body of a GET. @throws {VarveError} as ask() */
  async json(path: string): Promise<unknown> {
    const response = await this.get(path)
    try {
      return await response.json()
    } catch (cause) {
      throw new VarveError('VARVE_ANSWER', `Cannot read the answer of ${this.url}: ${reason(cause)}`, {
        cause
      })
    }
  }

  /** The parsed answer to a body that was posted. @throws {VarveError} as ask() */
  async post(path: string, body: Uint8Array, type: string): Promise<unknown> {
    const response = await this.get(path, { method: 'POST', body: body as BodyInit, type })
    try {
      return await response.json()
    } catch (cause) {
      throw new VarveError('VARVE_ANSWER', `Cannot read the answer of ${this.url}: ${reason(cause)}`, {
        cause
      })
    }
  }

  /** The pieces of an answer that has no end, until the signal. @throws {VarveError} as ask() */
  async *follow(path: string, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    const response = await this.get(path, { signal })
    try {
      if (response.body !== null) yield* response.body
    } catch (cause) {
      if (signal.aborted) return
      throw new VarveError('VARVE_ANSWER', `Cannot read on from ${this.url}: the connection broke`, { cause })
    }
  }

  async close(): Promise<void> {}

  /** The body as it comes; a connection that ends before the answer does is an error of ours. */
  private async *pieces(response: Response): AsyncIterable<Uint8Array> {
    try {
      if (response.body !== null) yield* response.body
    } catch (cause) {
      throw new VarveError('VARVE_ANSWER', `Cannot read the answer of ${this.url}: it ends too early`, {
        cause
      })
    }
  }

  private async get(
    path: string,
    more: { method?: string; body?: BodyInit; type?: string; signal?: AbortSignal } = {}
  ): Promise<Response> {
    let response: Response
    const { type, signal = AbortSignal.timeout(answerMaxMs), ...rest } = more
    const token = this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }
    try {
      response = await fetch(this.url + path, {
        ...rest,
        headers: type === undefined ? token : { ...token, 'content-type': type },
        signal
      })
    } catch (cause) {
      const why = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : reason(cause)
      throw new VarveError('VARVE_NO_DAEMON', `Cannot reach ${this.url}: ${why}`, { cause })
    }
    if (!response.ok) throw await apiError(this.url, response)
    return response
  }
}

/** The API says { code, message }; anything else that answers on the port is told by its status. */
async function apiError(url: string, response: Response): Promise<VarveError> {
  const text = (await response.text()).slice(0, 10_000)
  try {
    const body = JSON.parse(text) as { code?: unknown; message?: unknown; error?: unknown }
    if (typeof body.code === 'string' && typeof body.message === 'string') {
      return new VarveError(body.code, body.message)
    }
  } catch {
    // Not our API: told below by its status.
  }
  if (response.status === 401 || response.status === 403) {
    return new VarveError(
      'VARVE_AUTH',
      `Cannot ask ${url}: status ${response.status}; give a token with --token or VARVE_TOKEN`
    )
  }
  return new VarveError('VARVE_ANSWER', `Cannot ask ${url}: status ${response.status}`)
}
