// A variant: the names and kinds that a message brought once, with the shape they were given. A sensor has
// one, or a few (a number that is "unavailable" at times): the mapper looks for the variant of a row among
// those of its topic and asks the store for a shape only where there is none.
//
// Invariants: a variant holds a shape of all its present fields, or, where the store has no more shapes for
// the group, one shape a field: then its row is written as rows of one field each at one time.
// Not here: which variants a topic has (route.ts).
import type { Labels } from '../series/label.ts'
import { KIND, type Kind } from '../series/sample.ts'
import type { Appender } from './appender.ts'
import { ABSENT, type Draft } from './draft.ts'

export interface Variant {
  readonly names: readonly string[]
  /** One per name; ABSENT for a name without a value. */
  readonly kinds: Uint8Array
  /** How many fields have a value. */
  readonly present: number
  /** The shape of the present fields; -1 when `singles` is used or nothing is present. */
  readonly shape: number
  /** One shape for each present field, else empty. */
  readonly singles: readonly number[]
}

/**
 * The variant of the fields draft[first, first + names.length).
 * @throws {VarveError} VARVE_SERIES_LIMIT, VARVE_LABEL
 */
export function makeVariant(
  appender: Appender,
  group: { readonly name: string; readonly labels: Labels; readonly retentionClass: string },
  names: readonly string[],
  draft: Draft,
  first: number
): Variant {
  const kinds = draft.kinds.slice(first, first + names.length)
  const fields: string[] = []
  const present: Kind[] = []
  for (let i = 0; i < names.length; i++) {
    if (kinds[i] === ABSENT) continue
    fields.push(names[i]!)
    present.push(kinds[i] as Kind)
  }
  const { name, labels, retentionClass } = group
  let shape = -1
  let singles: number[] = []
  if (fields.length > 0) shape = appender.shape(name, labels, fields, present, retentionClass)
  if (fields.length > 0 && shape < 0) {
    singles = fields.map((field, i) => appender.shape(name, labels, [field], [present[i]!], retentionClass))
  }
  return { names, kinds, present: fields.length, shape, singles }
}

/** True when a row of these names, whose fields start at `first`, is one of this variant. */
export function fits(variant: Variant, names: readonly string[], draft: Draft, first: number): boolean {
  const { kinds, names: own } = variant
  const n = kinds.length
  if (names.length !== n) return false
  const found = draft.kinds
  for (let i = 0; i < n; i++) if (kinds[i] !== found[first + i]) return false
  if (own === names) return true
  for (let i = 0; i < n; i++) if (own[i] !== names[i]) return false
  return true
}

/**
 * Appends the row whose fields start at `first`.
 * @param isArrival  the time is the gateway's
 * @param message  what texts with side 0 are ranges of
 * @param side     what texts with side 1 are ranges of
 * @throws {VarveError} what the store refuses with
 */
export function appendRow(
  appender: Appender,
  variant: Variant,
  timeUs: number,
  isArrival: boolean,
  draft: Draft,
  first: number,
  message: Uint8Array,
  side: Uint8Array
): void {
  if (variant.shape < 0) {
    appendSingles(appender, variant, timeUs, isArrival, draft, first, message, side)
    return
  }
  const kinds = variant.kinds
  const n = kinds.length
  appender.begin(variant.shape, timeUs, isArrival)
  const slots = appender.slots
  const at = appender.at
  const numbers = draft.numbers
  let field = 0
  for (let i = 0; i < n; i++) {
    const kind = kinds[i]!
    if (kind === ABSENT) continue
    const j = first + i
    if (kind <= KIND.boolean) slots[at + field] = numbers[j]!
    else appender.text(field, draft.sides[j] === 0 ? message : side, draft.starts[j]!, draft.ends[j]!)
    field++
  }
  appender.end()
}

function appendSingles(
  appender: Appender,
  variant: Variant,
  timeUs: number,
  isArrival: boolean,
  draft: Draft,
  first: number,
  message: Uint8Array,
  side: Uint8Array
): void {
  let field = 0
  for (let i = 0; i < variant.kinds.length; i++) {
    const kind = variant.kinds[i]!
    if (kind === ABSENT) continue
    const j = first + i
    appender.begin(variant.singles[field++]!, timeUs, isArrival)
    if (kind <= KIND.boolean) appender.slots[appender.at] = draft.numbers[j]!
    else appender.text(0, draft.sides[j] === 0 ? message : side, draft.starts[j]!, draft.ends[j]!)
    appender.end()
  }
}
