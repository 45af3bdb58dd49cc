// Finds the decimal places of doubles that were decimals once: 21.4 is 214 / 10. The check is by division,
// round(v * 10^e) / 10^e === v, which is correctly rounded, so that every literal of at most 15 digits passes
// and whatever passes comes back bit for bit. Values that a sensor keeps as float32 (30.531000137329102 is
// fround(30.531)) pass through Math.fround.
//
// Invariants: what passes is an integer of at most DECIMAL_MAX; -0, NaN and infinities never pass.
// Not here: bytes (codec-number.ts).
// @see Afroozeh, Kuffo, Boncz, "ALP", SIGMOD 2024

/** Scaled integers are below this, which keeps them signed varints. */
export const DECIMAL_MAX = 2 ** 52 - 1
/** Decimal places we look for. */
export const EXPONENT_MAX = 18
/** 10^e, exact. */
export const POWERS_OF_10: Float64Array = Float64Array.from({ length: EXPONENT_MAX + 1 }, (_, e) =>
  Number(`1e${e}`)
)

/** How a column's values become integers: value = integer / 10^exponent, through fround when single. */
export interface Scale {
  exponent: number
  single: boolean
}

/** The integer of a value at a scale, or NaN when the value is not such a decimal. */
export function scaledInteger(value: number, power: number, single: boolean): number {
  const integer = Math.round(value * power)
  const back = single ? Math.fround(integer / power) : integer / power
  if (back !== value || integer > DECIMAL_MAX || integer < -DECIMAL_MAX) return Number.NaN
  if (integer === 0) return Object.is(value, -0) ? Number.NaN : 0
  return integer
}

/** The fewest decimal places that a value passes with; -1 when none does. */
function placesOf(value: number, single: boolean): number {
  for (let exponent = 0; exponent <= EXPONENT_MAX; exponent++) {
    const integer = scaledInteger(value, POWERS_OF_10[exponent]!, single)
    if (!Number.isNaN(integer)) return exponent
    if (Math.abs(value) * POWERS_OF_10[exponent]! > DECIMAL_MAX) return -1
  }
  return -1
}

const SAMPLES = 64
/** Bits an exception costs, and a further decimal place for each value. */
const EXCEPTION_BITS = 80
const PLACE_BITS = 3.33
const counts = new Uint32Array(EXPONENT_MAX + 2)

/** Chooses the cheapest scale by a sample of values[0, n), or null when most are no decimals. */
export function guessScale(values: Float64Array, n: number): Scale | null {
  const double = guessPlaces(values, n, false)
  if (double.missed === 0) return { exponent: double.exponent, single: false }
  const single = guessPlaces(values, n, true)
  const pick = single.cost < double.cost ? single : double
  if (pick.missed * 4 > Math.min(n, SAMPLES)) return null
  return { exponent: pick.exponent, single: pick === single }
}

function guessPlaces(values: Float64Array, n: number, single: boolean) {
  const picks = Math.min(n, SAMPLES)
  const missedMax = picks >> 2
  counts.fill(0)
  for (let i = 0; i < picks; i++) {
    const places = placesOf(values[Math.floor((i * n) / picks)]!, single)
    const at = places < 0 ? EXPONENT_MAX + 1 : places
    counts[at] = counts[at]! + 1
    if (counts[EXPONENT_MAX + 1]! > missedMax) break
  }
  let missed = picks
  let best = { exponent: 0, missed, cost: Number.POSITIVE_INFINITY }
  for (let exponent = 0; exponent <= EXPONENT_MAX; exponent++) {
    if (counts[exponent] === 0) continue
    missed -= counts[exponent]!
    const cost = missed * EXCEPTION_BITS + exponent * PLACE_BITS * picks
    if (cost < best.cost) best = { exponent, missed, cost }
  }
  return best
}

/** Where scaleAll() found values that are no decimals, ascending; `count` of them. */
export interface Exceptions {
  readonly at: Uint16Array
  count: number
}

/**
 * Fills integers[0, n); an exception repeats the integer before it, so that it costs nothing there.
 * Widens the scale, once, when the values that a sample did not see need more places.
 * @returns false when more than an eighth of the values are exceptions
 */
export function scaleAll(
  values: Float64Array,
  n: number,
  scale: Scale,
  integers: Float64Array,
  exceptions: Exceptions
): boolean {
  const countMax = (n >> 3) + 1
  scaleOnce(values, n, scale, integers, exceptions)
  if (exceptions.count * EXCEPTION_BITS > PLACE_BITS * n) {
    let wider = scale.exponent
    for (let i = 0; i < exceptions.count; i++) {
      wider = Math.max(wider, placesOf(values[exceptions.at[i]!]!, scale.single))
    }
    if (wider > scale.exponent) {
      scale.exponent = wider
      scaleOnce(values, n, scale, integers, exceptions)
    }
  }
  return exceptions.count <= countMax
}

function scaleOnce(
  values: Float64Array,
  n: number,
  scale: Scale,
  integers: Float64Array,
  exceptions: Exceptions
): void {
  const power = POWERS_OF_10[scale.exponent]!
  const single = scale.single
  exceptions.count = 0
  let before = 0
  for (let i = 0; i < n; i++) {
    const integer = scaledInteger(values[i]!, power, single)
    if (!Number.isNaN(integer)) before = integer
    else exceptions.at[exceptions.count++] = i
    integers[i] = before
  }
  // Exceptions at the start repeat the first decimal.
  let lead = 0
  while (lead < exceptions.count && exceptions.at[lead] === lead) lead++
  if (lead > 0 && lead < n) integers.fill(integers[lead]!, 0, lead)
}
