// Finds out how a column follows from its siblings: the other fields of the same message. Energy is the sum of
// power, current is power by another scale, vapour pressure bends with temperature. What is looked for is a
// short sum of slope * feature that predicts how the column changes from row to row; a sample of its changes
// is enough to find it.
//
// Features of a sibling with integers y (codec-decimal.ts):
//   level y[i] - y[0]   |   sum y[0] + ... + y[i]   |   square (y[i] - y[0])^2
//
// Invariants: pure and deterministic; slopes are float32, as they are stored; features are whole numbers below
// 2^52, so computing them in any order gives the same.
// Not here: coding what is left (codec-sibling.ts), which siblings may be used (chunk-view.ts).

export const FEATURE = { level: 0, sum: 1, square: 2 } as const
export const FEATURES = 3
/** A column follows from at most so many features. */
export const TERMS_MAX = 3

/** One addend of a prediction. */
export interface Term {
  /** Which column of the chunk. */
  readonly column: number
  readonly feature: number
  /** A float32. */
  readonly slope: number
}

/** A column that others may follow: its integers, whole numbers below 2^52. */
export interface Basis {
  readonly column: number
  readonly units: Float64Array
  /** Whether each feature is exact in all rows: featuresOf(). */
  readonly features: readonly boolean[]
}

/** Changes looked at: one of sixteen rows, but not fewer than this. */
const PICKS_MIN = 96
const PICKS_SHARE = 1 / 16
const PICKS_MAX = 256
/** Levels and sums stay exact below this; a level below its root may be squared. */
const EXACT_MAX = 2 ** 50
const ROOT_MAX = 2 ** 25
/** A further term must save so many bits a value. */
const BITS_WORTH = 0.2
/** Slopes this close to a whole number are that number: integers of one scale add up exactly. */
const SNAP = 0.01

const target = new Float64Array(PICKS_MAX)
const rest = new Float64Array(PICKS_MAX)
const attempt = new Float64Array(PICKS_MAX)
/** Changes of each candidate, and the same without what is chosen already. */
let changes: Float64Array[] = []
let bare: Float64Array[] = []

interface Candidate {
  column: number
  feature: number
  changes: Float64Array
  bare: Float64Array
}

function candidateAt(index: number): Candidate {
  if (index >= changes.length) {
    changes = [...changes, new Float64Array(PICKS_MAX)]
    bare = [...bare, new Float64Array(PICKS_MAX)]
  }
  return { column: 0, feature: 0, changes: changes[index]!, bare: bare[index]! }
}

/** Which row the k-th change leads to. */
const rowOf = (k: number, picks: number, n: number) => 1 + Math.floor((k * (n - 1)) / picks)

/** Fills a candidate's changes; false when they are all 0 or would not be exact. */
function fill(candidate: Candidate, units: Float64Array, n: number, picks: number): boolean {
  const { feature, changes } = candidate
  const first = units[0]!
  let some = false
  for (let k = 0; k < picks; k++) {
    const row = rowOf(k, picks, n)
    const to = units[row]! - first
    const from = units[row - 1]! - first
    if (feature === FEATURE.square) changes[k] = to * to - from * from
    else changes[k] = feature === FEATURE.level ? to - from : units[row]!
    some ||= changes[k] !== 0
    candidate.bare[k] = changes[k]!
  }
  return some
}

/** Which features of a column's integers are exact in all rows. */
export function featuresOf(units: Float64Array, n: number): boolean[] {
  const first = units[0]!
  let most = 0
  let total = 0
  for (let i = 0; i < n; i++) {
    most = Math.max(most, Math.abs(units[i]! - first))
    total += Math.abs(units[i]!)
  }
  return [true, total < EXACT_MAX, most < ROOT_MAX]
}

function dot(a: Float64Array, b: Float64Array, picks: number): number {
  let sum = 0
  for (let k = 0; k < picks; k++) sum += a[k]! * b[k]!
  return sum
}

/** About how many bits changes cost. */
function bitsOf(values: Float64Array, picks: number): number {
  let product = 1
  let bits = 0
  for (let k = 0; k < picks; k++) {
    product *= Math.abs(values[k]!) + 0.7
    // One logarithm for several factors; a double holds them.
    if (k % 8 !== 7 && product < 1e200) continue
    bits += Math.log2(product)
    product = 1
  }
  return bits + Math.log2(product)
}

/** Takes the multiple of `by` out of `from` that leaves least. */
function remove(from: Float64Array, by: Float64Array, norm: number, picks: number): void {
  const share = dot(from, by, picks) / norm
  for (let k = 0; k < picks; k++) from[k] = from[k]! - share * by[k]!
}

/** The candidate that what is left goes along with most, or null. */
function bestCandidate(candidates: readonly Candidate[], picks: number): Candidate | null {
  let best: Candidate | null = null
  let most = 0
  for (const candidate of candidates) {
    const norm = dot(candidate.bare, candidate.bare, picks)
    // Nearly all of it is chosen already: what remains is rounding.
    if (norm <= 1e-9 * dot(candidate.changes, candidate.changes, picks)) continue
    const along = dot(candidate.bare, rest, picks) ** 2 / norm
    if (along <= most) continue
    most = along
    best = candidate
  }
  return best
}

/** The slopes with which the chosen leave least of the target; null when they depend on each other. */
function solve(chosen: readonly Candidate[], picks: number): number[] | null {
  const size = chosen.length
  const rows = chosen.map(a => [
    ...chosen.map(b => dot(a.changes, b.changes, picks)),
    dot(a.changes, target, picks)
  ])
  for (let i = 0; i < size; i++) {
    const pivot = rows[i]![i]!
    if (Math.abs(pivot) < 1e-9) return null
    for (let j = 0; j < size; j++) {
      if (j === i) continue
      const share = rows[j]![i]! / pivot
      for (let at = i; at <= size; at++) rows[j]![at] = rows[j]![at]! - share * rows[i]![at]!
    }
  }
  return rows.map((row, i) => row[size]! / row[i]!)
}

/** What is left of the target, to `attempt`; returns its bits. */
function tryOut(chosen: readonly Candidate[], slopes: readonly number[], picks: number): number {
  attempt.set(target)
  chosen.forEach(({ changes }, term) => {
    const slope = slopes[term]!
    for (let k = 0; k < picks; k++) attempt[k] = attempt[k]! - slope * changes[k]!
  })
  return bitsOf(attempt, picks)
}

const snapped = (slope: number) => {
  const whole = Math.round(slope)
  return Math.fround(Math.abs(slope - whole) <= SNAP * Math.abs(slope) ? whole : slope)
}

/**
 * Finds terms by which units[0, n), n >= 2, follow from siblings; [] when they hardly do.
 * @param units  the column, whole numbers below 2^52
 */
export function planTerms(units: Float64Array, n: number, siblings: readonly Basis[]): Term[] {
  const picks = Math.min(PICKS_MAX, n - 1, Math.max(PICKS_MIN, Math.floor(n * PICKS_SHARE)))
  for (let k = 0; k < picks; k++) {
    const row = rowOf(k, picks, n)
    target[k] = units[row]! - units[row - 1]!
    rest[k] = target[k]!
  }
  let bits = bitsOf(target, picks)
  const candidates: Candidate[] = []
  for (const { column, units, features } of siblings) {
    for (let feature = 0; feature < FEATURES; feature++) {
      const candidate = candidateAt(candidates.length)
      candidate.column = column
      candidate.feature = feature
      if (features[feature] && fill(candidate, units, n, picks)) candidates.push(candidate)
    }
  }
  const chosen: Candidate[] = []
  let slopes: number[] = []
  for (let term = 0; term < TERMS_MAX; term++) {
    const best = bestCandidate(candidates, picks)
    if (best === null) break
    chosen.push(best)
    const exact = solve(chosen, picks)?.map(Math.fround)
    if (exact === undefined || !exact.every(Number.isFinite)) {
      chosen.pop()
      break
    }
    const whole = exact.map(snapped)
    const wholeBits = tryOut(chosen, whole, picks)
    const exactBits = tryOut(chosen, exact, picks)
    const least = Math.min(wholeBits, exactBits)
    if (least > bits - BITS_WORTH * picks) {
      chosen.pop()
      break
    }
    bits = least
    slopes = wholeBits <= exactBits ? whole : exact
    const norm = dot(best.bare, best.bare, picks)
    remove(rest, best.bare, norm, picks)
    for (const other of candidates) if (other !== best) remove(other.bare, best.bare, norm, picks)
    best.bare.fill(0)
  }
  return chosen.map(({ column, feature }, term) => ({ column, feature, slope: slopes[term]! }))
}

/** Adds slope * feature of a sibling's integers to sums[0, n). Encoder and decoder both do it here. */
export function addTerm(sums: Float64Array, units: Float64Array, n: number, term: Term): void {
  const { feature, slope } = term
  const first = units[0]!
  if (feature === FEATURE.level) {
    for (let i = 0; i < n; i++) sums[i] = sums[i]! + slope * (units[i]! - first)
  } else if (feature === FEATURE.square) {
    for (let i = 0; i < n; i++) {
      const level = units[i]! - first
      sums[i] = sums[i]! + slope * (level * level)
    }
  } else {
    let total = 0
    for (let i = 0; i < n; i++) {
      total += units[i]!
      sums[i] = sums[i]! + slope * total
    }
  }
}
