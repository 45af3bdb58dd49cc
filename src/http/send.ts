// Writes replies to sockets: compressed when the client asks, pieces no faster than the client takes them.
//
// Invariants: nothing is sent before the first piece is there, so an error up to then has its status; an
// error after that breaks the connection off, so that no client takes half an answer for a whole one.
import { once } from 'node:events'
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { createGzip, gzip, constants as zlib } from 'node:zlib'
import type { Reply } from './exchange.ts'

const compress = promisify(gzip)
/** Shorter bodies fit one packet anyway. */
const GZIP_BYTES_MIN = 1400
const GZIP_LEVEL = 3

/** Whether a client that sends these headers takes gzip. */
export function takesGzip(headers: IncomingHttpHeaders): boolean {
  for (const item of String(headers['accept-encoding'] ?? '').split(',')) {
    const [coding, ...parameters] = item.split(';').map(part => part.trim().toLowerCase())
    if (coding !== 'gzip' && coding !== '*') continue
    return !parameters.some(parameter => /^q\s*=\s*0(\.0*)?$/.test(parameter))
  }
  return false
}

/**
 * Sends a reply.
 * @param wantsGzip  the client takes gzip; a reply that is encoded already goes as it is
 * @param isLast  the connection closes after it
 * @throws what the body throws before its first piece, with nothing sent; and when sending breaks off, with
 * the connection destroyed
 */
export async function sendReply(
  response: ServerResponse,
  reply: Reply,
  wantsGzip: boolean,
  isLast: boolean,
  signal: AbortSignal
): Promise<void> {
  const headers: Record<string, string> = { ...reply.headers }
  const isGzip = wantsGzip && headers['content-encoding'] === undefined
  if (isLast) headers.connection = 'close'
  const { body } = reply
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
    await sendWhole(response, reply.status, headers, body, isGzip)
    return
  }
  const pieces = body[Symbol.asyncIterator]()
  const first = await pieces.next()
  headers.vary = 'accept, accept-encoding'
  // Events are due now: a compressor would wait for more.
  const isPacked = isGzip && headers['content-type'] !== 'text/event-stream'
  if (isPacked) headers['content-encoding'] = 'gzip'
  response.writeHead(reply.status, headers)
  const all = rejoined(first, pieces)
  if (isPacked) {
    const level = createGzip({ level: GZIP_LEVEL, flush: zlib.Z_NO_FLUSH })
    await pipeline(all, level, response, { signal })
  } else await pipeline(all, response, { signal })
}

async function sendWhole(
  response: ServerResponse,
  status: number,
  headers: Record<string, string>,
  body: string | Uint8Array | undefined,
  isGzip: boolean
): Promise<void> {
  let bytes = body === undefined ? null : Buffer.from(body as string)
  if (bytes !== null && isGzip && bytes.length >= GZIP_BYTES_MIN) {
    bytes = await compress(bytes, { level: GZIP_LEVEL })
    headers['content-encoding'] = 'gzip'
    headers.vary = 'accept-encoding'
  }
  if (bytes !== null) headers['content-length'] = String(bytes.length)
  response.writeHead(status, headers)
  response.end(bytes ?? undefined)
  if (!response.writableFinished) await Promise.race([once(response, 'finish'), once(response, 'close')])
}

async function* rejoined(
  first: IteratorResult<Uint8Array>,
  rest: AsyncIterator<Uint8Array>
): AsyncGenerator<Uint8Array> {
  try {
    for (let next = first; !next.done; next = await rest.next()) yield next.value
  } finally {
    await rest.return?.()
  }
}
