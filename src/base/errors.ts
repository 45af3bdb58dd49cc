// The errors of the world: bad input, a failing disk, a limit reached. Each carries a stable code that
// clients and scripts may rely on; the message reads "Cannot <act> <thing>: <state, limit>" and has no
// full stop. An AssertionError (assert.ts) is our own bug and is not one of these.
//
// Not here: what an HTTP, MQTT or RESP face answers for a code; each face keeps one table of its own.

/** The base of every coded error. `code` is stable, `message` is for people. */
export class VarveError extends Error {
  override readonly name: string = 'VarveError'
  readonly code: string
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Synced bytes are not what we wrote. Never raised for a torn tail, which is an ordinary crash. */
export class CorruptionError extends VarveError {
  override readonly name = 'CorruptionError'
  readonly file: string
  readonly offset: number
  readonly why: string
  constructor(file: string, offset: number, why: string) {
    super('VARVE_CORRUPTION', `Cannot read ${file} at byte ${offset}: ${why}`)
    this.file = file
    this.offset = offset
    this.why = why
  }
}

/** A file of a newer varve. Refused, never guessed at. */
export class FormatError extends VarveError {
  override readonly name = 'FormatError'
  constructor(file: string, found: number, known: number) {
    super(
      'VARVE_FORMAT_NEWER',
      `Cannot open ${file}: format version ${found}, this varve knows up to ${known}; use a newer varve`
    )
  }
}

/** Says what went wrong in any thrown value, for log lines and wrapped errors. */
export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
