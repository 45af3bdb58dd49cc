// Says in the answer itself what could not be read for it: samples are missing there, and an answer that looks whole
// would be a wrong one. JSON documents end with a member more: `damage` in the native API, `infos` in that of
// Prometheus, whose clients show it beside the result; a document without damage is as it was.
//
// Not there: CSV, lines of JSON, CBOR, remote read, which have no place for it (/v1/status and the log tell).
// Not here: what is damaged (series/reader.ts).
import { assert } from '../base/assert.ts'
import type { CorruptionError } from '../base/errors.ts'
import type { QueryRequest } from './request.ts'

const BRACE = 0x7d
const NEWLINE = 0x0a

/** The member that a document of this kind has for it; null where there is no place. */
export function damageMember(request: QueryRequest): 'damage' | 'infos' | null {
  if (request.kind === 'remote-read') return null
  if (request.kind.startsWith('promql-')) return 'infos'
  if (request.kind === 'influxql') return null
  return 'format' in request && request.format === 'json' ? 'damage' : null
}

/**
 * The pieces of a JSON object, and in the last of them what was damaged.
 * @param damage  asked when all was read
 */
export function* withDamage(
  pieces: Iterable<Uint8Array>,
  member: 'damage' | 'infos',
  damage: () => readonly CorruptionError[]
): Generator<Uint8Array> {
  let last: Uint8Array | null = null
  for (const piece of pieces) {
    if (piece.length === 0) continue
    if (last !== null) yield last
    last = piece
  }
  if (last === null) return
  const told = damage()
  if (told.length === 0) {
    yield last
    return
  }
  let end = last.length
  while (last[end - 1] === NEWLINE) end--
  assert(last[end - 1] === BRACE, 'a JSON object ends with a brace')
  const note =
    member === 'damage'
      ? told.map(({ file, offset, why }) => ({ file, offset, why }))
      : told.map(error => `samples are missing: ${error.message}`)
  const text = Buffer.from(`,"${member}":${JSON.stringify(note)}`)
  yield new Uint8Array(Buffer.concat([last.subarray(0, end - 1), text, last.subarray(end - 1)]))
}
