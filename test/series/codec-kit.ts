// What the codec tests share: the hex of a source file's `Example:`, bit-exact comparison, and random columns
// of every kind of number that a sensor or an enemy may send.
import { readFileSync } from 'node:fs'
import { ByteReader, ByteWriter } from '../../src/base/bytes.ts'
import { VarveError } from '../../src/base/errors.ts'
import type { Random } from '../../src/base/random.ts'

/** The bytes of the `Example: ... = <hex>` in the header of src/series/<file>. */
export function exampleOf(file: string): Uint8Array {
  const source = readFileSync(new URL(`../../src/series/${file}`, import.meta.url), 'utf8')
  const match = /\/\/ Example:[^=]*=((?:\s+(?:\/\/\s+)?[0-9a-f]{2}\b)+)/.exec(source)
  if (match === null) throw new Error(`no example in ${file}`)
  return new Uint8Array(Buffer.from(match[1]!.replaceAll(/[\s/]/g, ''), 'hex'))
}

/** A reader over bytes, with the padding behind it that chunks end with. */
export function readerOf(bytes: Uint8Array): ByteReader {
  const padded = new Uint8Array(bytes.length + 4)
  padded.set(bytes)
  return new ByteReader(padded, 0, bytes.length)
}

/** The bytes that an encoder writes. */
export function written(encode: (out: ByteWriter) => unknown): Uint8Array {
  const out = new ByteWriter(16)
  encode(out)
  return out.copy()
}

/** The first index where the bits of two columns differ, or -1. */
export function differsAt(a: Float64Array, b: Float64Array, n: number): number {
  const x = new Uint32Array(a.buffer, a.byteOffset, 2 * n)
  const y = new Uint32Array(b.buffer, b.byteOffset, 2 * n)
  for (let i = 0; i < 2 * n; i++) if (x[i] !== y[i]) return i >> 1
  return -1
}

/** Runs a decoder over damaged bytes: it may succeed or throw a VarveError; anything else comes out. */
export function survives(decode: () => unknown): boolean {
  try {
    decode()
    return true
  } catch (error) {
    if (error instanceof VarveError) return false
    throw error
  }
}

/** Bytes with a few random changes, or cut short. */
export function damage(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = bytes.slice(0, random.chance(0.2) ? random.below(bytes.length) : bytes.length)
  for (let flips = 1 + random.below(3); flips > 0 && copy.length > 0; flips--) {
    const at = random.below(random.chance(0.5) ? copy.length : Math.min(copy.length, 40))
    copy[at] = random.chance(0.5) ? copy[at]! ^ (1 << random.below(8)) : random.below(256)
  }
  return copy
}

const NAN_BITS = [0x7ff8000000000000n, 0x7ff0000000000002n, 0xfff8000000001234n, 0x7fffffffffffffffn]

/** Writes one of the values that break naive codecs, bit for bit. */
function putOdd(values: Float64Array, i: number, random: Random): void {
  const odd = random.below(9)
  if (odd < 4) new BigUint64Array(values.buffer, values.byteOffset)[i] = random.pick(NAN_BITS)
  else if (odd === 4) values[i] = -0
  else if (odd === 5) values[i] = random.pick([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
  else if (odd === 6) values[i] = random.pick([5e-324, Number.MAX_VALUE, -Number.MIN_VALUE, 1e22])
  else if (odd === 7) values[i] = random.pick([2 ** 53 - 1, 1 - 2 ** 53, 2 ** 53, 2 ** 52, 2 ** 60])
  else values[i] = random.unit() * 10 ** (random.below(40) - 20)
}

const STYLES: readonly ((random: Random, i: number, at: number) => number)[] = [
  (random, _, at) => at + random.below(5) - 2,
  random => random.below(1000),
  (random, i) => i * 3 + random.below(2),
  (random, _, at) => (random.chance(0.01) ? at + random.below(1e6) : at),
  random => Math.floor((random.unit() - 0.5) * 2 ** 53),
  random => random.pick([3, 700, 12345, 9e8]),
  (_, i) => i * i
]

/** n values of one random style: decimals, integers, doubles, float32, thirds, noise, few distinct, odd ones. */
export function anyNumbers(random: Random, n: number): Float64Array {
  const values = new Float64Array(n)
  const style = random.pick(STYLES)
  const form = random.below(8)
  const power = 10 ** random.below(7)
  const odd = random.pick([0, 0, 0, 0.01, 0.3, 1])
  const few = Float64Array.from({ length: 1 + random.below(30) }, () => random.unit() * 100)
  let at = random.below(10_000) - 2000
  for (let i = 0; i < n; i++) {
    at = style(random, i, at)
    if (form <= 1) values[i] = at / power
    else if (form === 2) values[i] = Math.fround(at / power)
    else if (form === 3) values[i] = at / power + random.below(3) * 1e-13
    else if (form === 4) values[i] = random.pick([...few.subarray(0, 30)])
    else if (form === 5) values[i] = Number((at / 3 / power).toPrecision(15))
    else if (form === 6) values[i] = Math.fround(at / power) * (1 + (random.below(3) - 1) * 2 ** -52)
    else values[i] = Math.sin(i / 50) * 100
    if (random.chance(odd)) putOdd(values, i, random)
  }
  return values
}

/** A number of rows: small ones, block edges, the most. */
export function anyRows(random: Random): number {
  return random.pick([
    1,
    2,
    3,
    1 + random.below(40),
    127,
    128,
    129,
    130,
    1 + random.below(800),
    1 + random.below(4096),
    4096
  ])
}
