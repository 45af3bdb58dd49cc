import t from 'tap'
import { decodeCbor, encodeCbor } from '../../src/base/cbor.ts'
import { CborHead } from '../../src/base/cbor-head.ts'
import { Random } from '../../src/base/random.ts'

t.test('decodeCbor(encodeCbor(v)) gives back v', async t => {
  const values = [
    0,
    -1,
    23,
    24,
    65_536,
    2 ** 53 - 1,
    1.5,
    -0.1,
    Number.POSITIVE_INFINITY,
    '',
    'é',
    true,
    false,
    null,
    [],
    {},
    [1, [2, { a: 'b' }]],
    { 'x y': { z: [null] } },
    new Uint8Array([1, 2]),
    new Date(1_760_000_000_000),
    2n ** 60n
  ]
  for (const value of values) {
    const found = decodeCbor(encodeCbor(value))
    t.same(found instanceof Uint8Array ? [...found] : found, value instanceof Uint8Array ? [...value] : value)
  }
})

t.test('decodeCbor() refuses what is malformed, too deep, too much or odd', async t => {
  const wrong = [
    '',
    '18',
    'ff',
    '1c',
    '5f01ff',
    '61',
    '9a00ffffff',
    'bf6161ff',
    '0000',
    'd90101',
    'd81c00',
    'f818',
    'f0',
    `${'81'.repeat(100)}00`,
    'c2',
    'df',
    '3f'
  ]
  for (const hex of wrong) t.throws(() => decodeCbor(Buffer.from(hex, 'hex')), { code: 'VARVE_CBOR' }, hex)
  t.throws(() => decodeCbor(encodeCbor([1, 2, 3]), { depthMax: 2, itemsMax: 3 }), { code: 'VARVE_CBOR' })
  t.throws(() => decodeCbor(encodeCbor([[[1]]]), { depthMax: 2, itemsMax: 9 }), { code: 'VARVE_CBOR' })
})

t.test('decodeCbor() throws nothing but VARVE_CBOR, whatever the bytes', async t => {
  const model = encodeCbor({
    a: [1, -2.5, 'x', new Uint8Array(3), { b: null, c: [true] }],
    d: new Date(5000)
  })
  const one = process.env.VARVE_SEED
  t.same(decodeCbor(encodeCbor(5)), 5)
  const [first, last] = one === undefined ? [1, 20_000] : [Number(one), Number(one)]
  for (let seed = first; seed <= last; seed++) {
    const random = new Random(seed)
    const bytes = random.chance(0.3) ? Buffer.alloc(random.below(20)) : Buffer.from(model)
    for (let i = random.below(6); i >= 0 && bytes.length > 0; i--) {
      bytes[random.below(bytes.length)] = random.below(256)
    }
    try {
      decodeCbor(bytes)
    } catch (error) {
      if ((error as { code?: string }).code !== 'VARVE_CBOR') t.fail(`VARVE_SEED=${seed}: ${error}`)
    }
  }
})

t.test('CborHead reads the example of its header', async t => {
  const head = new CborHead()
  const bytes = Buffer.from('fb4035666666666666', 'hex')
  head.over(bytes, 0, bytes.length)
  t.ok(head.next())
  t.same([head.major, head.info, head.value, head.at], [7, 27, 21.4, 9])
  t.notOk(head.next())
  for (let half = 0; half < 65_536; half += 7) {
    head.over(Buffer.from([0xf9, half >> 8, half & 255]), 0, 3)
    head.next()
    const buffer = new DataView(new ArrayBuffer(2))
    buffer.setUint16(0, half)
    const float = (buffer as unknown as { getFloat16(at: number): number }).getFloat16(0)
    if (!Object.is(head.value, float)) t.fail(`half float ${half}`)
  }
})
