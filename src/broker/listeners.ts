// The sockets the broker listens on: MQTT over TCP, over TLS, and over WebSocket (also with TLS). Every
// connection becomes a byte stream; nothing above knows which kind it was.
//
// Invariants: a WebSocket speaks the subprotocol 'mqtt' (or 'mqttv3.1') or is refused; messages are bounded.
// Not here: bounds on the number of connections (server.ts), which ports and certificates (daemon).
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createServer as createTlsServer } from 'node:tls'
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws'
import { reason, VarveError } from '../base/errors.ts'
import { LentSocket } from '../base/lent-socket.ts'

/** Certificate and key in PEM; with `ca`, clients must show a certificate of it. */
export interface TlsOptions {
  key: string | Buffer
  cert: string | Buffer
  ca?: string | Buffer
}

export interface ListenOptions {
  transport: 'tcp' | 'websocket'
  host: string
  /** 0: any free one. */
  port: number
  tls?: TlsOptions
}

export interface Listener {
  readonly transport: 'tcp' | 'websocket'
  readonly isTls: boolean
  readonly host: string
  readonly port: number
  /** Accepts no more; open connections stay. */
  close(): void
}

/** A connection silent for so long is probed by TCP. */
const PROBE_AFTER_MS = 120_000

interface ListenContext {
  handshakeMs: number
  connectionsMax: number
  packetBytesMax: number
  onConnection(wire: Duplex, remote: string): void
}

/**
 * Opens a listener.
 * @throws {VarveError} VARVE_LISTEN when the address cannot be had
 */
export async function listen(options: ListenOptions, context: ListenContext): Promise<Listener> {
  const { transport, host, port, tls } = options
  const server = transport === 'tcp' ? tcpServer(tls, context) : webSocketServer(tls, context)
  server.maxConnections = context.connectionsMax
  await new Promise<void>((resolve, reject) => {
    server.once('error', error => {
      reject(
        new VarveError('VARVE_LISTEN', `Cannot listen on ${host}:${port}: ${reason(error)}`, { cause: error })
      )
    })
    server.listen(port, host, resolve)
  })
  return {
    transport,
    isTls: tls !== undefined,
    host,
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close()
    }
  }
}

function tlsSettings(tls: TlsOptions, handshakeMs: number): object {
  const { key, cert, ca } = tls
  const clients = ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }
  return { key, cert, handshakeTimeout: handshakeMs, minVersion: 'TLSv1.2', ...clients }
}

function tcpServer(tls: TlsOptions | undefined, context: ListenContext): Server {
  // A device that vanished and asked for no keep-alive of MQTT would hold its place for ever.
  const options = { noDelay: true, keepAlive: true, keepAliveInitialDelay: PROBE_AFTER_MS }
  if (tls === undefined) {
    return createServer({ ...options, pauseOnConnect: true }, socket => {
      const remote = remoteOf(socket)
      context.onConnection(new LentSocket(socket), remote)
    })
  }
  return createTlsServer({ ...options, ...tlsSettings(tls, context.handshakeMs) }, socket =>
    context.onConnection(socket, remoteOf(socket))
  )
}

function webSocketServer(tls: TlsOptions | undefined, context: ListenContext): HttpServer {
  const { handshakeMs } = context
  const times = { headersTimeout: handshakeMs, requestTimeout: handshakeMs, keepAliveTimeout: 1 }
  const server =
    tls === undefined
      ? createHttpServer(times)
      : (createHttpsServer({ ...times, ...tlsSettings(tls, handshakeMs) }) as unknown as HttpServer)
  server.on('request', (_request, response) => {
    response.writeHead(426, { 'content-type': 'text/plain', connection: 'close' })
    response.end('MQTT over WebSocket, subprotocol mqtt\n')
  })
  const sockets = new WebSocketServer({
    server,
    maxPayload: context.packetBytesMax,
    perMessageDeflate: false,
    handleProtocols: protocols =>
      protocols.has('mqtt') ? 'mqtt' : protocols.has('mqttv3.1') ? 'mqttv3.1' : false
  })
  sockets.on('connection', (socket: WebSocket, request) => {
    if (socket.protocol === '') {
      socket.close(1002, 'subprotocol mqtt is needed')
      return
    }
    request.socket.setNoDelay(true)
    context.onConnection(createWebSocketStream(socket), remoteOf(request.socket))
  })
  return server
}

function remoteOf(socket: Socket): string {
  return `${socket.remoteAddress ?? '?'}:${socket.remotePort ?? 0}`
}
