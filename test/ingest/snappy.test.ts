import t from 'tap'
import { VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { snappyLength, undoSnappy } from '../../src/ingest/snappy.ts'
import { seeds } from '../kit/seeds.ts'
import { compress } from '../kit/write-request.ts'

function undo(block: Uint8Array): Buffer {
  const room = Buffer.alloc(snappyLength(block))
  undoSnappy(block, room)
  return room
}

const bytes = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex')

t.test('undoSnappy() reads the example of its header and every element', async t => {
  t.equal(undo(bytes('08 04 61 62 09 02')).toString(), 'abababab')
  t.equal(undo(bytes('00')).length, 0)
  t.equal(undo(bytes('05 10 68 65 6c 6c 6f')).toString(), 'hello')
  t.equal(undo(bytes('02 f0 01 68 69')).toString(), 'hi', 'a length of one byte')
  t.equal(undo(bytes('02 fc 01 00 00 00 68 69')).toString(), 'hi', 'a length of four bytes')
  t.equal(undo(bytes('05 00 61 0e 01 00')).toString(), 'aaaaa', 'an offset of two bytes')
  t.equal(undo(bytes('05 00 61 0f 01 00 00 00')).toString(), 'aaaaa', 'an offset of four bytes')
})

t.test('undoSnappy() gives back what another encoder was given', async t => {
  for (const seed of seeds(60)) {
    const random = new Random(seed)
    const words = Array.from({ length: 5 }, () => Buffer.alloc(1 + random.below(40), random.below(256)))
    const parts: Buffer[] = []
    for (let n = random.below(3000); n > 0; n--) {
      parts.push(random.chance(0.2) ? Buffer.from([random.below(256)]) : random.pick(words))
    }
    const plain = Buffer.concat(parts)
    if (!undo(compress(plain)).equals(plain)) return t.fail(`differs: VARVE_SEED=${seed}`)
  }
  t.pass('60 seeds')
})

t.test('undoSnappy() refuses what is broken, and never goes on for ever', async t => {
  const bad: readonly [hex: string, why: RegExp][] = [
    ['', /no length/],
    ['ff ff ff ff ff', /no length/],
    ['ff ff ff ff 1f', /no length/],
    ['64 fc f0 ff ff ff 00 00', /literal is cut/],
    ['05 10 68 65', /literal is cut/],
    ['05 f4 01', /length is cut/],
    ['05 00 61 0e 01', /offset is cut/],
    ['05 00 61 0e 00 00', /reaches before/],
    ['05 00 61 0e 02 00', /reaches before/],
    ['04 00 61 0e 01 00', /more comes out/],
    ['01 04 61 61', /more comes out/],
    ['09 00 61', /ends after 1 of 9/]
  ]
  for (const [hex, why] of bad) t.throws(() => undo(bytes(hex)), { code: 'VARVE_SNAPPY', message: why }, hex)
  for (const seed of seeds(4000)) {
    const random = new Random(seed)
    const block = Buffer.from(compress(Buffer.from('abcabcabcabc'.repeat(1 + random.below(20)))))
    for (let n = 1 + random.below(4); n > 0; n--) block[random.below(block.length)] = random.below(256)
    try {
      if (snappyLength(block) < 100_000) undo(block)
    } catch (error) {
      if (!(error instanceof VarveError)) return t.fail(`${error}: VARVE_SEED=${seed}`)
    }
  }
})
