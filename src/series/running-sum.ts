// Turns residuals back into the values of a column: adds them up by the column's order, multiplies by its
// divisor and divides by its decimal scale, in one pass over each block of residuals while it is in the first
// level cache. A value costs about one load, two additions, a multiplication, a division and a store.
//
// The division must be one: integer * (1 / 10^e) is not the double that integer / 10^e is. Only a scale of 1
// saves it.
//
// Invariants: all sums are whole numbers below 2^53, so no order of adding changes them. Damaged bytes may
// make others; they give wrong numbers here, and nothing is read or written outside the arrays.
// Not here: the residuals (codec-packed.ts, entropy.ts), what the values mean (codec-integers.ts).

const DIVISOR = 0
const SCALE = 1
/** What one block leaves to the next. */
const VALUE = 2
const CHANGE = 3

/** Residuals that add up to values, block after block. */
export class RunningSum {
  private order = 0
  /** Divisor, scale, value and change: as plain fields they would be boxed doubles, three times slower. */
  private readonly state = new Float64Array(4)

  /**
   * Starts a column.
   * @param first  the first value; with order 0 what is added to each
   * @param step   with order 2: the second value less the first, in divisors
   */
  start(order: number, first: number, step: number, divisor: number, scale: number): void {
    this.order = order
    this.state[DIVISOR] = divisor
    this.state[SCALE] = scale
    this.state[VALUE] = first
    this.state[CHANGE] = divisor * step
  }

  /** The second value of a column of order 2, which no residual gives. */
  advance(): number {
    const { state } = this
    state[VALUE] = state[VALUE]! + state[CHANGE]!
    return state[VALUE] / state[SCALE]!
  }

  /** Fills into[to, to + n) from residuals base + bits[0, n). */
  integers(bits: Int32Array, base: number, into: Float64Array, to: number, n: number): void {
    const { order, state } = this
    const divisor = state[DIVISOR]!
    const scale = state[SCALE]!
    const shift = divisor * base
    let value = state[VALUE]!
    if (order === 0) {
      const least = value + shift
      if (scale === 1) for (let i = 0; i < n; i++) into[to + i] = least + divisor * bits[i]!
      else for (let i = 0; i < n; i++) into[to + i] = (least + divisor * bits[i]!) / scale
      return
    }
    if (order === 1) {
      if (scale === 1) {
        for (let i = 0; i < n; i++) {
          value += shift + divisor * bits[i]!
          into[to + i] = value
        }
      } else {
        for (let i = 0; i < n; i++) {
          value += shift + divisor * bits[i]!
          into[to + i] = value / scale
        }
      }
    } else {
      let change = state[CHANGE]!
      for (let i = 0; i < n; i++) {
        change += shift + divisor * bits[i]!
        value += change
        into[to + i] = value / scale
      }
      state[CHANGE] = change
    }
    state[VALUE] = value
  }

  /** As integers(), from residuals that may not fit 32 bits: source[from, from + n). */
  doubles(source: Float64Array, from: number, into: Float64Array, to: number, n: number): void {
    const { order, state } = this
    const divisor = state[DIVISOR]!
    const scale = state[SCALE]!
    let value = state[VALUE]!
    if (order === 0) {
      for (let i = 0; i < n; i++) into[to + i] = (value + divisor * source[from + i]!) / scale
      return
    }
    if (order === 1) {
      for (let i = 0; i < n; i++) {
        value += divisor * source[from + i]!
        into[to + i] = value / scale
      }
    } else {
      let change = state[CHANGE]!
      for (let i = 0; i < n; i++) {
        change += divisor * source[from + i]!
        value += change
        into[to + i] = value / scale
      }
      state[CHANGE] = change
    }
    state[VALUE] = value
  }

  /** As integers(), n times the same residual, and nothing after it. */
  repeat(residual: number, into: Float64Array, to: number, n: number): void {
    const { order, state } = this
    const divisor = state[DIVISOR]!
    const scale = state[SCALE]!
    const add = divisor * residual
    let value = state[VALUE]!
    if (order === 0) {
      into.fill((value + add) / scale, to, to + n)
      return
    }
    if (order === 1) {
      if (scale === 1) for (let i = 0; i < n; i++) into[to + i] = value + add * (i + 1)
      else for (let i = 0; i < n; i++) into[to + i] = (value + add * (i + 1)) / scale
      return
    }
    let change = state[CHANGE]!
    for (let i = 0; i < n; i++) {
      change += add
      value += change
      into[to + i] = value / scale
    }
  }
}
