// Random rows with everything that a sample may hold, for tests of what carries them.
import { Random } from '../../src/base/random.ts'
import { makeLabels } from '../../src/series/label.ts'
import { TIME_MAX_US, type Value } from '../../src/series/sample.ts'
import type { TransferRow } from '../../src/transfer/row.ts'

const TEXTS = [
  '',
  'on',
  'a,b "c" \\',
  'line\nbreak\r\n',
  '#x=1 y',
  'varve:bytes:AA==',
  'varve:',
  'é𝄞\u0000',
  '1',
  'true',
  '"',
  '{"base64":"AA=="}',
  '\ufeffx'
]
const NUMBERS = [0, -0, 1.5, -21.4, 2 ** 53, -(2 ** 53), 5e-324, 1.7976931348623157e308, 1e21, 0.1 + 0.2]
const bits = new BigUint64Array([0x7ff8000000000000n, 0x7ff8000000000002n, 0xfff8000000000000n])
const ODD = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, ...new Float64Array(bits.buffer)]
const NAMES = [
  't',
  'value',
  '__proto__',
  '1',
  'a b',
  'x,=y',
  'varve:unnamed',
  'tab\t',
  '#',
  'back\\',
  'time_us',
  'kind'
]

export function randomValue(random: Random): Value {
  switch (random.below(6)) {
    case 0:
      return random.pick(NUMBERS)
    case 1:
      return random.pick(ODD)
    case 2:
      return random.chance(0.5)
    case 3:
      return random.pick(TEXTS)
    case 4:
      return Uint8Array.from({ length: random.below(5) }, () => random.below(256))
    default:
      return Math.round(random.unit() * 1e6) / 100
  }
}

/** Rows of a few groups; no two that follow each other share group and time. */
export function randomRows(seed: number, count: number): TransferRow[] {
  const random = new Random(seed)
  const groups = Array.from({ length: 1 + random.below(4) }, () => ({
    name: random.chance(0.4) ? '' : random.pick(NAMES),
    labels: makeLabels(
      new Map(
        Array.from(
          { length: random.below(4) },
          () => [random.pick(NAMES), random.pick(TEXTS.slice(1))] as const
        )
      )
    )
  }))
  let timeUs = random.chance(0.1) ? 0 : 1_700_000_000_000_000
  return Array.from({ length: count }, (_, i) => {
    timeUs += random.chance(0.5) ? 1 : random.below(100_000_000)
    const fields = [...new Set(Array.from({ length: 1 + random.below(5) }, () => random.pick(NAMES)))]
    const values = fields.map(() => randomValue(random))
    return {
      timeUs: i === count - 1 && random.chance(0.1) ? TIME_MAX_US : timeUs,
      ...random.pick(groups),
      fields,
      values
    }
  })
}

const scratch = new Float64Array(1)
const scratchBits = new BigUint64Array(scratch.buffer)

/** A row as text that two rows share only when they are equal bit for bit, whatever the order of fields. */
export function rowKey({ timeUs, name, labels, fields, values }: TransferRow): string {
  const cells = fields.map((field, i) => [field, valueKey(values[i]!)]).sort(([a], [b]) => (a! < b! ? -1 : 1))
  return JSON.stringify([timeUs, name, labels, cells])
}

function valueKey(value: Value): string {
  if (typeof value === 'number') {
    scratch[0] = value
    return `n${scratchBits[0]!.toString(16)}`
  }
  return value instanceof Uint8Array ? `b${Buffer.from(value).toString('hex')}` : `${typeof value}${value}`
}
