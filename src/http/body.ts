// The body of a request as a bounded stream: decompressed where it says so, and cut off with an error at
// its limit, which counts decompressed bytes: a gzip bomb costs no more than a plain body of that size.
//
// Invariants: the socket stays alive when reading stops early, so that the client can be told why; what it
// still sends is read and thrown away up to a bound, since closing on unread data loses the reply.
import type { IncomingMessage } from 'node:http'
import { createGunzip, type Gunzip } from 'node:zlib'
import { reason } from '../base/errors.ts'
import { HttpError } from './problem.ts'

const DRAIN_BYTES_MAX = 16 * 1024 ** 2
const CHUNK_BYTES = 65_536

export class RequestBody {
  private readonly message: IncomingMessage
  private isBegun = false

  constructor(message: IncomingMessage) {
    this.message = message
  }

  /**
   * The bytes as they arrive; take the next only when you can hold it.
   * @param bytesMax  limit of the decompressed body
   * @param own       the encoding that the caller undoes, in place of gzip
   * @throws {HttpError} VARVE_HTTP_TOO_LARGE, VARVE_HTTP_ENCODING for another encoding than gzip,
   * VARVE_HTTP_BODY when it is not gzip or ends too early
   */
  async *chunks(bytesMax: number, own: string | null = null): AsyncGenerator<Uint8Array, void, void> {
    this.isBegun = true
    const { message } = this
    const encoding = (message.headers['content-encoding'] ?? own ?? 'identity').trim().toLowerCase()
    const taken = own === null ? ['identity', 'gzip', 'x-gzip', ''] : [own]
    if (!taken.includes(encoding)) {
      throw new HttpError(
        'VARVE_HTTP_ENCODING',
        `Cannot read body: content encoding ${encoding.slice(0, 40)} is not ${own ?? 'gzip'}`,
        'content-encoding'
      )
    }
    // InfluxDB's client in Python says gzip of requests without a body too.
    const isPlain = own !== null || encoding === 'identity' || encoding === '' || hasNone(message)
    if (isPlain && Number(message.headers['content-length'] ?? 0) > bytesMax) throw tooLarge(bytesMax)
    const stream = isPlain ? message : gunzipOf(message)
    let bytes = 0
    try {
      for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        bytes += chunk.length
        if (bytes > bytesMax) throw tooLarge(bytesMax)
        yield chunk
      }
    } catch (error) {
      if (error instanceof HttpError) throw error
      throw new HttpError('VARVE_HTTP_BODY', `Cannot read body: ${reason(error)}`)
    } finally {
      if (stream !== message) {
        message.unpipe(stream as Gunzip)
        stream.destroy()
      }
    }
  }

  /** The whole body. @throws as chunks() */
  async bytes(bytesMax: number, own: string | null = null): Promise<Buffer> {
    const chunks: Uint8Array[] = []
    for await (const chunk of this.chunks(bytesMax, own)) chunks.push(chunk)
    return Buffer.concat(chunks)
  }

  /**
   * Reads the rest and throws it away, so that a reply can be given on a connection in good order.
   * @returns whether the connection may serve another request
   */
  async drain(): Promise<boolean> {
    const { message } = this
    if (message.readableEnded || message.complete) {
      message.resume()
      return true
    }
    if (message.destroyed) return false
    if (!this.isBegun && hasNone(message)) return true
    return new Promise(resolve => {
      let bytes = 0
      const done = (whole: boolean) => {
        message.off('data', count).off('end', ended).off('close', closed)
        message.pause()
        resolve(whole)
      }
      const count = (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > DRAIN_BYTES_MAX) done(false)
      }
      const ended = () => done(true)
      const closed = () => done(false)
      message.on('data', count).on('end', ended).on('close', closed)
      message.resume()
    })
  }
}

function hasNone({ headers }: IncomingMessage): boolean {
  return (headers['content-length'] ?? '0') === '0' && headers['transfer-encoding'] === undefined
}

function tooLarge(bytesMax: number): HttpError {
  return new HttpError('VARVE_HTTP_TOO_LARGE', `Cannot read body: it is longer than ${bytesMax} bytes`)
}

function gunzipOf(message: IncomingMessage): Gunzip {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES })
  message.once('close', () => {
    if (!message.complete) gunzip.destroy(new Error('the client went away'))
  })
  message.on('error', error => gunzip.destroy(error))
  return message.pipe(gunzip)
}
