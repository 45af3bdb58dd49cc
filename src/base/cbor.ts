// CBOR documents to values and back: the owner of cbor-x. The library trusts its input more than we may: it
// recurses as deep as the bytes say, makes arrays as long as they claim, and acts on tags of its own. So
// what comes from outside is checked first, head by head, and only plain documents reach it.
//
// Invariants: decodeCbor() throws nothing but VARVE_CBOR; tags 0 to 3 and 55799 only.
// Not here: payloads of messages, read without objects (ingest/payload-cbor.ts).
import { Decoder, Encoder } from 'cbor-x'
import { CborHead, INDEFINITE, MAJOR } from './cbor-head.ts'
import { reason, VarveError } from './errors.ts'

const encoder = new Encoder({ useRecords: false, tagUint8Array: false, variableMapSize: true })
const decoder = new Decoder({ useRecords: false, mapsAsObjects: true })
const tagsKnown: ReadonlySet<number> = new Set([0, 1, 2, 3, 55799])

export interface CborLimits {
  /** Arrays, maps and tags inside one another. */
  readonly depthMax: number
  /** Items in all. */
  readonly itemsMax: number
}

const limitsDefault: CborLimits = { depthMax: 32, itemsMax: 1_000_000 }

/** The CBOR of a plain value: null, boolean, number, bigint, string, Uint8Array, Date, arrays and objects of them. */
export function encodeCbor(value: unknown): Buffer {
  return encoder.encode(value)
}

/**
 * The value of one CBOR document. Maps become objects; integers beyond 2^53 bigints.
 * @throws {VarveError} VARVE_CBOR when the bytes are not one well-formed document within the limits
 */
export function decodeCbor(bytes: Uint8Array, limits: CborLimits = limitsDefault): unknown {
  const head = new CborHead()
  head.over(bytes, 0, bytes.length)
  check(head, { left: limits.itemsMax }, limits.depthMax)
  if (head.at !== bytes.length) throw bad(head.at, `${bytes.length - head.at} bytes follow the document`)
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    throw new VarveError('VARVE_CBOR', `Cannot read CBOR: ${reason(cause)}`, { cause })
  }
}

function bad(at: number, why: string): VarveError {
  return new VarveError('VARVE_CBOR', `Cannot read CBOR at byte ${at}: ${why}`)
}

/** Goes past one item, or throws. Returns its major type. */
function check(head: CborHead, budget: { left: number }, depthLeft: number): number {
  const from = head.at
  if (depthLeft < 0) throw bad(from, 'nested too deep')
  if (budget.left-- <= 0) throw bad(from, 'too many items')
  if (!head.next()) throw bad(from, 'cut off or malformed')
  const { major, info, value } = head
  if (info === INDEFINITE) {
    if (major === MAJOR.simple) throw bad(from, 'a break outside an item')
    checkIndefinite(head, major, budget, depthLeft)
  } else if (major === MAJOR.bytes || major === MAJOR.text) {
    if (value > head.end - head.at) throw bad(from, `${value} bytes, ${head.end - head.at} are left`)
    head.at += value
  } else if (major === MAJOR.array || major === MAJOR.map) {
    const items = major === MAJOR.map ? value * 2 : value
    if (items > head.end - head.at) throw bad(from, `${items} items in ${head.end - head.at} bytes`)
    for (let i = 0; i < items; i++) check(head, budget, depthLeft - 1)
  } else if (major === MAJOR.tag) {
    if (!tagsKnown.has(value)) throw bad(from, `tag ${value} is not supported`)
    checkTagged(head, from, value, budget, depthLeft)
  } else if (major === MAJOR.simple && info <= 24 && (value < 20 || value > 23)) {
    throw bad(from, `simple value ${value}`)
  }
  return major
}

/** Goes past the content of a tag, which must be of the type that RFC 8949 section 3.4 gives it. */
function checkTagged(
  head: CborHead,
  from: number,
  tag: number,
  budget: { left: number },
  depthLeft: number
): void {
  const major = check(head, budget, depthLeft - 1)
  const numeric = major === MAJOR.unsigned || major === MAJOR.negative || major === MAJOR.simple
  const fits = tag === 0 ? major === MAJOR.text : tag === 1 ? numeric : tag > 3 || major === MAJOR.bytes
  if (!fits) throw bad(from, `tag ${tag} on an item of major type ${major}`)
}

/** Goes past the items and the break of an item of indefinite length. */
function checkIndefinite(head: CborHead, major: number, budget: { left: number }, depthLeft: number): void {
  for (let items = 0; ; items++) {
    if (head.at >= head.end) throw bad(head.at, 'cut off')
    if (head.bytes[head.at] === 0xff) {
      if (major === MAJOR.map && items % 2 === 1) throw bad(head.at, 'a key without a value')
      head.at++
      return
    }
    const lead = head.bytes[head.at]!
    const isString = major === MAJOR.bytes || major === MAJOR.text
    if (isString && (lead >> 5 !== major || (lead & 31) === INDEFINITE)) {
      throw bad(head.at, 'a chunk of another type in a string')
    }
    check(head, budget, depthLeft - 1)
  }
}
