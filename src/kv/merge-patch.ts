// Changes of structured values in part: RFC 7396 merge patches over values that are JSON or CBOR. A patch is a value
// of the same kind: its members replace those of the target, null removes one, objects are merged in depth.
//
// Example (RFC 7396): {"a":"b","c":{"d":"e","f":"g"}} patched with {"a":"z","c":{"f":null}} = {"a":"z","c":{"d":"e"}}
//
// Invariants: the target is not changed; depth is bounded, so that no patch exhausts the stack; a member named
// __proto__ is a member like any other.
// Not here: reading and writing an entry as one step (store.ts), notations over HTTP (http/routes-kv.ts).
import { decodeCbor, encodeCbor } from '../base/cbor.ts'
import { reason, VarveError } from '../base/errors.ts'

/** How a structured value is written in bytes. */
export type Notation = 'json' | 'cbor'

const DEPTH_MAX = 100
const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * The value after the patch.
 * @param value  what is there; undefined: nothing, which is patched as an empty object
 * @throws {VarveError} VARVE_PATCH when the value or the patch is not of that notation, or is too deep
 */
export function patched(value: Uint8Array | undefined, patch: Uint8Array, notation: Notation): Uint8Array {
  const change = read(patch, notation, 'patch')
  const target = value === undefined ? undefined : read(value, notation, 'value')
  return write(mergePatch(target, change), notation)
}

/** The same for values in memory. @throws {VarveError} VARVE_PATCH when it is nested too deep */
export function mergePatch(target: unknown, patch: unknown, depthLeft = DEPTH_MAX): unknown {
  if (depthLeft === 0) throw new VarveError('VARVE_PATCH', `Cannot patch value: more than ${DEPTH_MAX} deep`)
  if (!isObject(patch)) return patch
  const merged: Record<string, unknown> = Object.create(null)
  if (isObject(target)) for (const [name, member] of Object.entries(target)) merged[name] = member
  for (const [name, change] of Object.entries(patch)) {
    if (change === null) delete merged[name]
    else merged[name] = mergePatch(merged[name], change, depthLeft - 1)
  }
  return merged
}

function isObject(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !ArrayBuffer.isView(value) &&
    !(value instanceof Date)
  )
}

function read(bytes: Uint8Array, notation: Notation, what: string): unknown {
  try {
    return notation === 'json' ? JSON.parse(utf8.decode(bytes)) : decodeCbor(bytes)
  } catch (cause) {
    throw new VarveError(
      'VARVE_PATCH',
      `Cannot patch value: the ${what} is not ${notation}: ${reason(cause)}`,
      {
        cause
      }
    )
  }
}

function write(value: unknown, notation: Notation): Uint8Array {
  return notation === 'json' ? Buffer.from(JSON.stringify(value)) : encodeCbor(value)
}
