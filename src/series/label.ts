// Labels: the name = value pairs that, with its name, are a series' identity. One canonical order (by
// name, in UTF-16 code units, as JavaScript sorts) makes equal sets equal bytes.
//
//   labels := varint pairs | (text name, text value)*          names ascending, none twice
// Example: {site="a", topic="a/t"} = 02 04 73 69 74 65 01 61 05 74 6f 70 69 63 03 61 2f 74
//
// Invariants: a value is never empty (an empty value is an absent label, as in Prometheus).
import type { ByteReader, ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'

/** Sorted by name; no name twice; no empty value. Made by makeLabels() or decodeLabels(). */
export type Labels = readonly (readonly [name: string, value: string])[]

/** Limits that keep a label set from filling memory; the ends of the names are their units. */
export const LABEL_LIMITS = { pairsMax: 64, nameBytesMax: 256, valueBytesMax: 4096 } as const

/**
 * The canonical label set of some pairs. A pair with an empty value is left out.
 * @throws {VarveError} VARVE_LABEL for a name given twice, or a limit crossed
 */
export function makeLabels(pairs: Iterable<readonly [string, string]>): Labels {
  const labels = [...pairs]
    .filter(([, value]) => value !== '')
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    // Of just its length: an array that grew by push keeps room for 17, and topics are many.
    .slice()
  if (labels.length > LABEL_LIMITS.pairsMax) {
    throw new VarveError(
      'VARVE_LABEL',
      `Cannot label series: ${labels.length} labels, the limit is ${LABEL_LIMITS.pairsMax}`
    )
  }
  let before: string | undefined
  for (const [name, value] of labels) {
    if (name === before)
      throw new VarveError('VARVE_LABEL', `Cannot label series: label ${name} is given twice`)
    if (name === '' || Buffer.byteLength(name) > LABEL_LIMITS.nameBytesMax) {
      throw new VarveError(
        'VARVE_LABEL',
        `Cannot label series: label name of ${Buffer.byteLength(name)} bytes, 1 to ${LABEL_LIMITS.nameBytesMax} are allowed`
      )
    }
    if (Buffer.byteLength(value) > LABEL_LIMITS.valueBytesMax) {
      throw new VarveError(
        'VARVE_LABEL',
        `Cannot label series: value of ${name} has ${Buffer.byteLength(value)} bytes, the limit is ${LABEL_LIMITS.valueBytesMax}`
      )
    }
    before = name
  }
  return labels
}

/** The value of a label, or '' when the set has none of that name. */
export function labelValue(labels: Labels, name: string): string {
  for (const pair of labels) if (pair[0] === name) return pair[1]
  return ''
}

export function encodeLabels(labels: Labels, out: ByteWriter): void {
  out.varint(labels.length)
  for (const [name, value] of labels) {
    out.text(name)
    out.text(value)
  }
}

/** @throws {VarveError} VARVE_LABEL, VARVE_TRUNCATED or VARVE_UTF8 when the bytes are not a label set */
export function decodeLabels(from: ByteReader): Labels {
  const pairs: [string, string][] = []
  for (let left = from.varint(); left > 0; left--) pairs.push([from.text(), from.text()])
  const labels = makeLabels(pairs)
  if (labels.length !== pairs.length || labels.some((pair, i) => pair !== pairs[i])) {
    throw new VarveError('VARVE_LABEL', 'Cannot read labels: not in canonical order')
  }
  return labels
}
