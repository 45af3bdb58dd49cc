// How the numbers of a window are spread, in few bytes: counts of values by the logarithm of their size, so
// that any order statistic is known to a relative error. This is DDSketch (Masson, Rim and Lee, VLDB 2019,
// section 2), sparse, without its collapse: a double has 145,000 sizes at most, a window those it met.
//
// Why this one: two sketches add up to exactly the sketch of all their values, in any order, which neither KLL
// (random, so a window computed again is another) nor t-digest (no bound) does; and its error is a share of the
// value, which does not depend on how many samples there are.
//
// Levels halve and double the precision as in UDDSketch (Epicoco et al. 2020): value x > 0 is of size
// i = ceil(log(x) / STEP) at level 0 and ceil(i / 2^k) at level k, so that a fine sketch becomes a coarse one
// exactly. Level 2 is an error of 1 %: STEP = ln(1.01 / 0.99) / 4.
//
//   sketch := u8 level | 8 negatives | 16 zeros | 32 positives      (flags: which parts follow)
//           | sizes of negatives | varint zeros - 1 | sizes of positives
//   sizes := varint n - 1 | signed size | varint count - 1 | (varint size - before - 1, varint count - 1)*
// Infinities are of size INFINITE at every level. Example: 20, 20.1, 21.5 and 0 at level 2 =
//   32 00 02 ac 02 00 00 00 02 00
//
// Invariants: NaN is no value of a sketch; decoding checks every size and count.
// Not here: quantiles (quantile.ts), which windows have a sketch (rollup/window-fold.ts).
import type { ByteReader, ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'

const STEP = Math.log(1.01 / 0.99) / 4
const INFINITE = 2 ** 18 - 1
const NEGATIVES = 8
const ZEROS = 16
const POSITIVES = 32

/** Levels by the relative error that they promise, as the configuration names them. */
export const SKETCH_LEVELS = { '0.25%': 0, '0.5%': 1, '1%': 2, '2%': 3, '4%': 4 } as const
export const SKETCH_LEVEL_MAX = 4

/** The relative error of a level: |found - true| <= error * |true|. */
export function sketchError(level: number): number {
  return Math.tanh((STEP * 2 ** level) / 2)
}

/** The size of a positive number at a level. */
function sizeOf(value: number, level: number): number {
  if (value === Number.POSITIVE_INFINITY) return INFINITE
  return Math.ceil(Math.ceil(Math.log(value) / STEP) / 2 ** level)
}

/** The number that stands for all of a size: no farther from any of them than the error. */
function middleOf(size: number, level: number): number {
  if (size === INFINITE) return Number.POSITIVE_INFINITY
  const width = STEP * 2 ** level
  // 2 g^i / (g + 1), in a form that does not overflow at the ends.
  return Math.exp(size * width - Math.log1p(Math.expm1(width) / 2))
}

/** The sizes of a sketch that is being made, or added up. */
export class Sketch {
  readonly level: number
  zeros = 0
  private readonly positives = new Map<number, number>()
  private readonly negatives = new Map<number, number>()

  /** @param level  0 to SKETCH_LEVEL_MAX */
  constructor(level: number) {
    this.level = level
  }

  /** How many counts it holds. */
  get sizes(): number {
    return this.positives.size + this.negatives.size + (this.zeros > 0 ? 1 : 0)
  }

  /** Adds a number, `count` times; NaN is passed over. */
  add(value: number, count = 1): void {
    if (value > 0) bump(this.positives, sizeOf(value, this.level), count)
    else if (value < 0) bump(this.negatives, sizeOf(-value, this.level), count)
    else if (value === 0) this.zeros += count
  }

  /** Adds another of this level or a finer one. */
  addSketch(other: Sketch): void {
    const by = 2 ** (this.level - other.level)
    this.zeros += other.zeros
    for (const [own, from] of [
      [this.positives, other.positives],
      [this.negatives, other.negatives]
    ] as const) {
      for (const [size, count] of from) bump(own, size === INFINITE ? size : Math.ceil(size / by), count)
    }
  }

  /** The numbers that stand for the values, ascending, each with how often it came. */
  *values(): Generator<{ value: number; count: number }> {
    const { level } = this
    for (const size of sorted(this.negatives).reverse()) {
      yield { value: -middleOf(size, level), count: this.negatives.get(size)! }
    }
    if (this.zeros > 0) yield { value: 0, count: this.zeros }
    for (const size of sorted(this.positives)) {
      yield { value: middleOf(size, level), count: this.positives.get(size)! }
    }
  }

  encode(out: ByteWriter): void {
    const { positives, negatives, zeros } = this
    out.u8(
      this.level |
        (negatives.size > 0 ? NEGATIVES : 0) |
        (zeros > 0 ? ZEROS : 0) |
        (positives.size > 0 ? POSITIVES : 0)
    )
    if (negatives.size > 0) encodeSizes(negatives, out)
    if (zeros > 0) out.varint(zeros - 1)
    if (positives.size > 0) encodeSizes(positives, out)
  }

  /** @throws {VarveError} VARVE_SKETCH for bytes that are no sketch, VARVE_TRUNCATED */
  static decode(from: ByteReader): Sketch {
    const head = from.u8()
    const level = head & 7
    if (level > SKETCH_LEVEL_MAX || head > 63) throw damaged(`its head is ${head}`)
    const sketch = new Sketch(level)
    if (head & NEGATIVES) decodeSizes(from, sketch.negatives)
    if (head & ZEROS) sketch.zeros = from.varint() + 1
    if (head & POSITIVES) decodeSizes(from, sketch.positives)
    return sketch
  }
}

function bump(counts: Map<number, number>, size: number, by: number): void {
  counts.set(size, (counts.get(size) ?? 0) + by)
}

function sorted(counts: ReadonlyMap<number, number>): number[] {
  return [...counts.keys()].sort((a, b) => a - b)
}

function encodeSizes(counts: ReadonlyMap<number, number>, out: ByteWriter): void {
  out.varint(counts.size - 1)
  let before: number | null = null
  for (const size of sorted(counts)) {
    if (before === null) out.signed(size)
    else out.varint(size - before - 1)
    out.varint(counts.get(size)! - 1)
    before = size
  }
}

function decodeSizes(from: ByteReader, into: Map<number, number>): void {
  const n = from.varint() + 1
  if (n > from.left) throw damaged(`it has ${n} sizes in ${from.left} bytes`)
  let size = 0
  for (let i = 0; i < n; i++) {
    size = i === 0 ? from.signed() : size + from.varint() + 1
    if (Math.abs(size) > INFINITE) throw damaged(`it has the size ${size}`)
    into.set(size, from.varint() + 1)
  }
}

function damaged(why: string): VarveError {
  return new VarveError('VARVE_SKETCH', `Cannot read sketch: ${why}`)
}
