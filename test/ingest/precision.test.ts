// Reduced precision: what the rules cut, what they never touch, by messages and by lines.
import t from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { Random } from '../../src/base/random.ts'
import { DeadLetters } from '../../src/ingest/dead-letter.ts'
import { LineProtocol } from '../../src/ingest/line-protocol.ts'
import { Mapper } from '../../src/ingest/mapper.ts'
import { cutValue, PrecisionAppender, type PrecisionRule } from '../../src/ingest/precision.ts'
import { labelValue } from '../../src/series/label.ts'
import { FakeAppender } from './fake-appender.ts'
import { seeds } from './seeds.ts'

const nowUs = 1_760_000_000_123_456

const rule = (field: string, stepUs: number, decimals: number | null, topic = ''): PrecisionRule => ({
  covers: (_, labels, name) =>
    (field === '' || field === name) && (topic === '' || labelValue(labels, 'topic') === topic),
  stepUs,
  decimals
})

function bench(...rules: PrecisionRule[]) {
  const inner = new FakeAppender()
  const appender = new PrecisionAppender(inner, rules)
  const deadLetters = new DeadLetters({ clock: systemClock, burst: 1000 })
  const mapper = new Mapper({ appender, deadLetters, rules: [{ pattern: '#', time: 'ts' }] })
  const send = (payload: string, topic = 'a/b') => {
    const bytes = Buffer.from(payload)
    mapper.message(topic, bytes, 0, bytes.length, nowUs)
    const { fields, timeUs } = inner.rows.at(-1)!
    return { ...fields, at: timeUs }
  }
  return { inner, appender, send }
}

t.test('a PrecisionAppender cuts times and values of messages, the first time and by their form', async t => {
  const { send } = bench(rule('', 10_000, 2))
  for (let again = 0; again < 3; again++) {
    t.same(send('{"v":21.4567,"w":-3.14159,"n":7,"s":"1.2345","b":true,"ts":1760000000777}'), {
      v: 21.46,
      w: -3.14,
      n: 7,
      s: '1.2345',
      b: true,
      at: 1_760_000_000_770_000
    })
  }
  t.same(send('0.005'), { b: 0.01, at: 1_760_000_000_120_000 }, 'a bare value, at the time of the gateway')
})

t.test('a PrecisionAppender cuts lines of protocol', async t => {
  const { inner, appender } = bench(rule('temperature', 1_000_000, 1))
  const writer = new LineProtocol(appender).writer({ nowUs, precision: 'ms' })
  writer.push(Buffer.from('m temperature=21.449,power=1.2345 1760000000999\nm power=1.2345 1760000000999\n'))
  writer.finish()
  const rows = inner.rows.map(({ fields, timeUs }) => ({ ...fields, at: timeUs }))
  t.same(rows, [
    { temperature: 21.4, power: 1.2345, at: 1_760_000_000_000_000 },
    { power: 1.2345, at: 1_760_000_000_999_000 }
  ])
})

t.test('the first rule that covers a field decides, and what none covers is kept', async t => {
  const { send } = bench(rule('v', 1, 1, 'a/b'), rule('', 1000, 3, 'a/b'))
  t.same(send('{"v":1.23456,"w":1.23456}'), { v: 1.2, w: 1.235, at: nowUs }, 'time is kept by the first')
  t.same(send('{"w":1.23456}'), { w: 1.235, at: nowUs - (nowUs % 1000) })
  t.same(send('{"v":1.23456}', 'c'), { v: 1.23456, at: nowUs })
})

t.test(
  'cutValue() never changes whole numbers, NaN, infinities or what is too large to have decimals',
  async t => {
    const keep = [0, -0, 1, -1, 2 ** 53, 2 ** 53 - 1, 1e300, -1e300, 2 ** 52 + 0.5, Number.MAX_VALUE]
    const never = [...keep, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
    for (const power of [1, 10, 1e7, 1e15]) {
      for (const value of never) t.ok(Object.is(cutValue(value, power), value), `${value} at ${power}`)
    }
    t.ok(Object.is(cutValue(-0.001, 10), 0), 'a small negative value becomes 0, not -0')
    t.equal(cutValue(2.5, 1), 3)
    t.equal(cutValue(-2.5, 1), -2)
    t.equal(cutValue(1.005, 1e15), 1.005)
  }
)

t.test('cutValue() is the nearest decimal, and cutting twice is cutting once', async t => {
  for (const seed of seeds(2000)) {
    const random = new Random(seed)
    const decimals = random.below(10)
    const power = Number(`1e${decimals}`)
    const value = (random.unit() - 0.5) * 10 ** (random.below(9) - 2)
    const cut = cutValue(value, power)
    if (Math.abs(cut - value) > 0.5001 / power) t.fail(`VARVE_SEED=${seed}: ${value} became ${cut}`)
    if (!Object.is(cutValue(cut, power), cut)) t.fail(`VARVE_SEED=${seed}: ${cut} changes again`)
    if (
      String(cut)
        .replace(/^-?\d*\.?/, '')
        .replace(/e.*/, '').length > decimals
    )
      t.fail(`VARVE_SEED=${seed}: ${cut} has more than ${decimals} decimals`)
  }
})
