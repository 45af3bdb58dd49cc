// The bounds of the face, each with its unit. The daemon fills them from the configuration.

export interface RespLimits {
  readonly connectionsMax: number
  readonly inlineBytesMax: number
  /** One word of a command: a key, a value. */
  readonly wordBytesMax: number
  readonly wordsMax: number
  readonly commandBytesMax: number
  /** Bytes that all connections together keep of commands not complete, and of queues of MULTI. */
  readonly inputBytesMax: number
  /** Bytes that wait to be sent to one client: its commands are not run beyond. */
  readonly outputBytesMax: number
  /** The reply to one command. */
  readonly replyBytesMax: number
  /** A connection that is silent for longer is closed, ms; 0: never. */
  readonly idleMs: number
}

export const RESP_LIMITS: RespLimits = {
  connectionsMax: 10_000,
  inlineBytesMax: 64 * 1024,
  wordBytesMax: 16 * 2 ** 20,
  wordsMax: 1024 * 1024,
  commandBytesMax: 32 * 2 ** 20,
  inputBytesMax: 64 * 2 ** 20,
  outputBytesMax: 8 * 2 ** 20,
  replyBytesMax: 64 * 2 ** 20,
  idleMs: 0
}
