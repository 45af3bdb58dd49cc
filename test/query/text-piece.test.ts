// Text of answers: what was added, as UTF-8, and numbers as String() writes them.
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { PIECE_BYTES } from '../../src/query/pieces.ts'
import { TextPiece } from '../../src/query/text-piece.ts'
import { seeds } from '../kit/seeds.ts'

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()

t.test('numbers are written as String() writes them', async t => {
  const [seed] = seeds(1)
  const random = new Random(seed!)
  const out = new TextPiece()
  const values = [
    0,
    -0,
    0.001,
    -0.001,
    0.1 + 0.2,
    21.4,
    -273.15,
    1e9,
    999999999.999,
    -999999999.999,
    1e-7,
    1e21
  ]
  values.push(5e-324, 1.7976931348623157e308, 2 ** 53, 123456.7891, 1000, 100.5, 0.5, 4503599627.370496)
  for (let i = 0; i < 20_000; i++) {
    const value = (random.below(2 ** 31) - 2 ** 30) / 10 ** random.below(7)
    values.push(value, value * 2 ** (random.below(60) - 30), Math.fround(value))
  }
  for (const value of values) {
    out.number(value)
    const expected = Object.is(value, -0) ? '-0' : String(value)
    const found = text(out.take())
    if (found !== expected) t.equal(found, expected, `VARVE_SEED=${seed}`)
  }
  t.pass(`${values.length} numbers`)
})

t.test('whole numbers and seconds are exact up to the last microsecond', async t => {
  const [seed] = seeds(1)
  const random = new Random(seed!)
  const out = new TextPiece()
  const values = [
    0,
    1,
    9,
    10,
    99_999_999,
    100_000_000,
    1e15,
    2 ** 52,
    1_795_274_018_449_001,
    1_000_000,
    1_500_000
  ]
  for (let i = 0; i < 20_000; i++) values.push(Math.floor(random.below(2 ** 31) * 2 ** random.below(21)))
  for (const value of values) {
    out.whole(value)
    out.add(' ')
    out.seconds(value)
    const expected = `${value} ${value / 1e6}`
    const found = text(out.take())
    // Below a microsecond of a year JavaScript takes to exponents.
    if (found !== expected && value >= 1 && value / 1e6 >= 1e-6)
      t.equal(found, expected, `VARVE_SEED=${seed}`)
  }
  t.pass(`${values.length} times`)
})

t.test('texts of any length and alphabet come out as they went in', async t => {
  const [seed] = seeds(1)
  const random = new Random(seed!)
  const letters = ['a', '"', '\\', '\n', 'é', '温', '🌡', '\u0000', '0']
  const out = new TextPiece()
  for (let round = 0; round < 300; round++) {
    let expected = ''
    for (let n = random.below(30); n >= 0; n--) {
      let one = ''
      for (let i = random.below(random.below(40) === 0 ? 40_000 : 80); i > 0; i--) one += random.pick(letters)
      out.add(one)
      expected += one
    }
    const bytes = out.take()
    if (text(bytes) !== expected) t.equal(text(bytes), expected, `VARVE_SEED=${seed}`)
    t.equal(bytes.byteLength, bytes.buffer.byteLength, 'the caller owns all of the buffer')
  }
  t.equal(out.isFull, false)
  out.add('x'.repeat(PIECE_BYTES))
  t.equal(out.isFull, true)
})
