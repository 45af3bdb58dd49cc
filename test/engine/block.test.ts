import t from 'tap'
import { VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { BlockReader, BlockWriter } from '../../src/engine/block.ts'
import { BloomWriter, bloomHash, bloomMayHold, checkBloom } from '../../src/engine/bloom.ts'
import { seeds } from '../kit/seeds.ts'
import { examplesOf } from '../kv/example.ts'

const LETTERS = ['a', 'b', '\0', '\xff', 'ab']

function someKeys(random: Random): string[] {
  const keys = new Set<string>()
  for (let left = random.below(90); left > 0; left--) {
    let key = ''
    for (let parts = random.below(12); parts > 0; parts--) key += random.pick(LETTERS)
    keys.add(key)
  }
  return [...keys].sort()
}

t.test('BlockWriter makes the bytes of its example and BlockReader reads them', async t => {
  const example = examplesOf('src/engine/block.ts')[0]!
  const writer = new BlockWriter()
  writer.add('aa', Buffer.from([1]))
  writer.add('ab', Buffer.from([]))
  writer.add('b', Buffer.from([2, 3]))
  t.same(new Uint8Array(writer.finish()), new Uint8Array(example))
  t.same(new BlockReader(example).pairs().keys, ['aa', 'ab', 'b'])
})

t.test('BlockReader finds every key and no other', async t => {
  const writer = new BlockWriter()
  for (const seed of seeds(300)) {
    const random = new Random(seed)
    const keys = someKeys(random)
    for (const key of keys) writer.add(key, Buffer.from(key, 'latin1'))
    const reader = new BlockReader(writer.finish().slice())
    const lost = keys.filter(
      key => Buffer.from(reader.get(key) ?? []).toString('latin1') !== key || !reader.get(key)
    )
    const invented = someKeys(random).filter(key => !keys.includes(key) && reader.get(key) !== undefined)
    if (lost.length > 0 || invented.length > 0)
      t.fail(`VARVE_SEED=${seed}: ${JSON.stringify([lost, invented])}`)
    if (JSON.stringify(reader.pairs().keys) !== JSON.stringify(keys)) t.fail(`VARVE_SEED=${seed}: pairs`)
  }
})

t.test('BlockReader answers any bytes with pairs or VARVE_BLOCK', async t => {
  const writer = new BlockWriter()
  let refused = 0
  for (const seed of seeds(3000)) {
    const random = new Random(seed)
    for (const key of someKeys(random)) writer.add(key, Buffer.from(key, 'latin1'))
    const bytes = new Uint8Array(writer.finish())
    for (let left = 1 + random.below(3); left > 0; left--)
      bytes[random.below(bytes.length)] = random.below(256)
    for (const read of [
      () => new BlockReader(bytes).pairs(),
      () => new BlockReader(bytes.subarray(random.below(5))).get('abba'),
      () => new BlockReader(bytes.subarray(0, random.below(bytes.length))).get('a')
    ]) {
      try {
        read()
      } catch (error) {
        if (!(error instanceof VarveError) || error.code !== 'VARVE_BLOCK')
          t.fail(`VARVE_SEED=${seed}: ${error}`)
        refused++
      }
    }
  }
  t.ok(refused > 1000, `${refused} refused`)
})

t.test('bloomMayHold() says perhaps for each key added, and rarely for others', async t => {
  const example = new BloomWriter()
  example.add(bloomHash('a'))
  example.add(bloomHash('b'))
  t.same(example.finish(), new Uint8Array(examplesOf('src/engine/bloom.ts')[0]!))
  const writer = new BloomWriter()
  for (let i = 0; i < 20_000; i++) writer.add(bloomHash(`key/${i}`))
  const filter = checkBloom(writer.finish())
  let wrong = 0
  for (let i = 0; i < 20_000; i++) {
    if (!bloomMayHold(filter, bloomHash(`key/${i}`))) t.fail(`key/${i} is denied`)
    if (bloomMayHold(filter, bloomHash(`other/${i}`))) wrong++
  }
  t.ok(wrong < 20_000 * 0.02, `${wrong} of 20000 wrong`)
  t.throws(() => checkBloom(new Uint8Array(3)), { code: 'VARVE_TRUNCATED' })
  t.throws(() => checkBloom(new Uint8Array(30)), { code: 'VARVE_TRUNCATED' })
})
