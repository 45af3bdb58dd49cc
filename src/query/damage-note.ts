// Says in the answer itself what could not be read for it, or is gone: an answer that looks whole would be a wrong one.
// JSON documents end with members more: in the native API `damage`, which says of each place whether anything is
// missing for it (a damaged tier is not, where samples tell the same), and `notes`; in that of Prometheus `infos`,
// which its clients show beside the result. A document with nothing to say is as it was.
//
// Not there: CSV, lines of JSON, CBOR, remote read, which have no place for it (/v1/status and the log tell).
// Not here: what is damaged (series/reader.ts), what is gone (notes.ts), InfluxQL's messages (influxql/encode.ts).
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

/** What an answer has to say of itself. */
export interface Told {
  /** All that was damaged. */
  readonly damage: readonly CorruptionError[]
  /** Those of which something is missing in the answer. */
  readonly missing: readonly CorruptionError[]
  readonly notes: readonly string[]
}

/** As texts. */
export function toldTexts({ missing, notes }: Pick<Told, 'missing' | 'notes'>): string[] {
  return [...missing.map(error => `samples are missing: ${error.message}`), ...notes]
}

/**
 * The pieces of a JSON object, and in the last of them what it has to say of itself.
 * @param told  asked when all was read
 */
export function* withDamage(
  pieces: Iterable<Uint8Array>,
  member: 'damage' | 'infos',
  told: () => Told
): Generator<Uint8Array> {
  let last: Uint8Array | null = null
  for (const piece of pieces) {
    if (piece.length === 0) continue
    if (last !== null) yield last
    last = piece
  }
  if (last === null) return
  const members = membersOf(told(), member)
  if (members === '') {
    yield last
    return
  }
  let end = last.length
  while (last[end - 1] === NEWLINE) end--
  assert(last[end - 1] === BRACE, 'a JSON object ends with a brace')
  yield new Uint8Array(
    Buffer.concat([last.subarray(0, end - 1), Buffer.from(members), last.subarray(end - 1)])
  )
}

/** Members of a JSON object, each with a comma before it. */
function membersOf(told: Told, member: 'damage' | 'infos'): string {
  if (member === 'infos') {
    const texts = toldTexts(told)
    return texts.length === 0 ? '' : `,"infos":${JSON.stringify(texts)}`
  }
  const places = told.damage.map(error => {
    const { file, offset, why } = error
    return { file, offset, why, missing: told.missing.includes(error) }
  })
  const damage = places.length === 0 ? '' : `,"damage":${JSON.stringify(places)}`
  return told.notes.length === 0 ? damage : `${damage},"notes":${JSON.stringify(told.notes)}`
}
