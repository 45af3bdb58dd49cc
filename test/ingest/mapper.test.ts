import t from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { DeadLetters } from '../../src/ingest/dead-letter.ts'
import { Mapper } from '../../src/ingest/mapper.ts'
import type { RuleOptions } from '../../src/ingest/rule.ts'
import { TimeGuard } from '../../src/ingest/time-guard.ts'
import { FakeAppender } from './fake-appender.ts'

const nowUs = 1_760_000_000_000_000
const topic = 'site1/dev7/telemetry'

function bench(...parts: (RuleOptions | (() => boolean))[]) {
  const rules = parts.filter(part => typeof part !== 'function')
  const isGatewayKnown = parts.find(part => typeof part === 'function') ?? (() => true)
  const appender = new FakeAppender()
  const deadLetters = new DeadLetters({ clock: systemClock, burst: 1000 })
  const mapper = new Mapper({ appender, deadLetters, rules, guard: new TimeGuard({ isGatewayKnown }) })
  const send = (payload: string | Uint8Array, to = topic) => {
    const bytes = Buffer.concat([Buffer.from('##'), Buffer.from(payload), Buffer.from('"}9')])
    return mapper.message(to, bytes, 2, bytes.length - 3, nowUs)
  }
  /** Sends twice, so that the second goes the short way, and gives the fields of both rows. */
  const fields = (payload: string | Uint8Array, to = topic) => {
    const from = appender.rows.length
    send(payload, to)
    const half = appender.rows.length
    send(payload, to)
    const rows = appender.rows.slice(from).map(row => ({ ...row.fields, at: row.timeUs - nowUs }))
    t.same(rows.slice(half - from), rows.slice(0, half - from), `the second ${payload} is as the first`)
    return rows.slice(0, half - from)
  }
  return { appender, deadLetters, mapper, send, fields }
}

t.test('message() makes series of any publish without a rule', async t => {
  const { appender, fields } = bench()
  t.same(fields('{"temperature":21.4,"rssi":-70,"state":"on","ok":true,"no":null}'), [
    { temperature: 21.4, rssi: -70, state: 'on', ok: true, at: 0 }
  ])
  t.same(appender.rows[0]!.labels, { topic })
  t.equal(appender.rows[0]!.name, '')
  t.same(fields('{"a":{"b":1,"c":{"d":"x"}},"e":[1,"two",{"f":3}],"g":{},"h":[]}'), [
    { a_b: 1, a_c_d: 'x', e_0: 1, e_1: 'two', e_2_f: 3, at: 0 }
  ])
  t.same(fields('{"x":1,"x":2}'), [{ x: 2, at: 0 }], 'the last of two wins')
  t.same(fields('{"x":1,"x":null}'), [], 'and may be null')
  t.same(fields('\ufeff {"b":1}\n'), [{ b: 1, at: 0 }])
  t.same(fields('[1,2]'), [{ telemetry_0: 1, telemetry_1: 2, at: 0 }])
  t.same(fields('{"é":"naïve \\u00e9\\n","s p":"日本"}'), [{ é: 'naïve é\n', 's p': '日本', at: 0 }])
  t.same(fields('{}'), [])
  t.same(fields('{"__proto__":1}').length, 1)
})

t.test('message() names a bare value by the last topic level', async t => {
  const { fields, send, mapper } = bench()
  const table: [string, unknown][] = [
    ['21.4', 21.4],
    [' 21.4\r\n', 21.4],
    ['+5', 5],
    ['-.5e1', -5],
    ['true', true],
    ['false', false],
    ['on', 'on'],
    ['nan', 'nan'],
    ['12 V', '12 V'],
    ['"quoted"', '"quoted"'],
    ['1.2.3', '1.2.3']
  ]
  for (const [payload, value] of table) t.same(fields(payload), [{ telemetry: value, at: 0 }], payload)
  t.equal(send(''), 0)
  t.equal(send('  '), 0)
  t.equal(mapper.empty, 2)
  t.same(fields('5', 'a/b/'), [{ b: 5, at: 0 }])
  t.same(fields('5', '/'), [{ value: 5, at: 0 }])
})

t.test('message() reads a number as a number and a string as a string in one series', async t => {
  const { appender, send } = bench()
  for (const value of ['1', '2.5', '"unavailable"', '3', 'true', '"unavailable"', '4']) send(`{"v":${value}}`)
  t.same(
    appender.rows.map(row => row.fields.v),
    [1, 2.5, 'unavailable', 3, true, 'unavailable', 4]
  )
  t.equal(appender.asked, 3, 'each kind asks for its shape once')
})

t.test('message() applies the first rule that matches', async t => {
  const { appender, fields, send, mapper } = bench(
    { pattern: 'off/#', ignore: true },
    {
      pattern: '{site}/dev{device}/telemetry',
      prefix: 'p_',
      exclude: ['secret', 'x_*'],
      labels: { unit: 'C' },
      retentionClass: 'long'
    },
    { pattern: 'bare/+', name: 'level', topicLabel: false, include: ['level'] },
    { pattern: 'raw/#', format: 'raw' },
    { pattern: 'keep', keepPayload: true }
  )
  t.same(fields('{"a":1,"secret":2,"x":{"y":3}}'), [{ p_a: 1, at: 0 }])
  t.same(appender.rows[0]!.labels, { device: '7', site: 'site1', topic, unit: 'C' })
  t.equal(appender.rows[0]!.retentionClass, 'long')
  t.equal(send('1', 'off/x'), 0)
  t.equal(send('1', 'off'), 0)
  t.equal(send('1', '$SYS/x'), 0)
  t.equal(mapper.ignored, 3)
  t.same(fields('1', 'bare/x'), [{ level: 1, at: 0 }])
  t.same(appender.rows.at(-1)!.labels, {})
  t.same(fields('{"other":1}', 'bare/x'), [])
  t.same(fields('{"a"', 'raw/x/y'), [{ y: new Uint8Array([0x7b, 0x22, 0x61, 0x22]), at: 0 }])
  const payload = (text: string) => new Uint8Array(Buffer.from(text))
  t.same(fields('{"a":1}', 'keep'), [{ a: 1, payload: payload('{"a":1}'), at: 0 }])
  t.same(fields('{"payload":1,"b":2}', 'keep'), [{ payload: payload('{"payload":1,"b":2}'), b: 2, at: 0 }])
})

t.test('message() takes the time that a rule names', async t => {
  const { fields } = bench(
    { pattern: 'auto', time: 'ts' },
    { pattern: 'ms', time: 'meta_at', timeUnit: 'ms' },
    { pattern: 'ns', time: 'ts', timeUnit: 'ns' }
  )
  const s = nowUs / 1e6
  t.same(fields(`{"ts":${s + 1},"v":1}`, 'auto'), [{ v: 1, at: 1e6 }])
  t.same(fields(`{"v":1,"ts":${(s - 1) * 1000}}`, 'auto'), [{ v: 1, at: -1e6 }])
  t.same(fields(`{"v":1,"ts":"${s}"}`, 'auto'), [{ v: 1, at: 0 }])
  t.same(fields('{"v":1,"ts":"2025-10-09T08:53:21.5Z"}', 'auto'), [{ v: 1, at: 1.5e6 }])
  t.same(fields('{"v":1,"ts":"2025-10-09 10:53:21.000001+02:00"}', 'auto'), [{ v: 1, at: 1_000_001 }])
  t.same(fields('{"v":1,"ts":null}', 'auto'), [{ v: 1, at: 0 }])
  t.same(
    fields('{"v":1,"ts":"soon"}', 'auto'),
    [{ v: 1, ts: 'soon', at: 0 }],
    'a time that is none is a field'
  )
  t.same(fields(`{"v":1,"meta":{"at":${s * 1000 + 2}}}`, 'ms'), [{ v: 1, at: 2000 }])
  t.same(fields(`{"v":1,"ts":${s}000003000}`, 'ns'), [{ v: 1, at: 3 }])
})

t.test('message() keeps a row of an implausible time under the gateway time, with a flag', async t => {
  let isGatewayKnown = true
  const { fields, mapper } = bench({ pattern: '#', time: 'ts', timeUnit: 's' }, () => isGatewayKnown)
  t.same(fields('{"ts":12,"v":1}'), [{ v: 1, device_time_us: 12e6, at: 0 }])
  const ahead = 4_400_000_000
  t.same(fields(`{"ts":${ahead},"v":1}`), [{ v: 1, device_time_us: ahead * 1e6, at: 0 }])
  t.equal(mapper.guard.early, 2)
  t.equal(mapper.guard.ahead, 2)
  isGatewayKnown = false
  t.same(fields(`{"ts":${ahead},"v":1}`), [{ v: 1, at: ahead * 1e6 - nowUs }])
})

t.test('message() makes a row of each timed sample of an array', async t => {
  const { fields, send, deadLetters } = bench(
    { pattern: 'ruled', time: 'when' },
    { pattern: 'flat', arrays: 'index' }
  )
  const s = nowUs / 1e6
  t.same(fields(`[{"t":${s},"v":1},{"t":${s + 1},"v":2,"w":"x"}]`), [
    { v: 1, at: 0 },
    { v: 2, w: 'x', at: 1e6 }
  ])
  t.same(fields(`{"id":"a","s":[{"ts":${s - 1},"v":1},{"ts":${s - 2},"v":2}],"n":2}`), [
    { id: 'a', n: 2, at: 0 },
    { s_v: 1, at: -1e6 },
    { s_v: 2, at: -2e6 }
  ])
  t.same(fields('[{"t":21.5},{"t":22}]'), [{ telemetry_0_t: 21.5, telemetry_1_t: 22, at: 0 }], 't is no time')
  t.same(fields(`[{"t":${s}},{"t":22}]`), [])
  t.same(fields(`[{"when":${s},"t":3}]`, 'ruled'), [{ t: 3, at: 0 }])
  t.same(fields(`[{"t":${s}}]`, 'flat'), [{ flat_0_t: s, at: 0 }])
  t.equal(send(`[{"t":${s},"v":1},5]`), 0)
  t.equal(send(`{"s":[{"t":${s},"v":1},{"v":1}]}`), 0)
  t.equal(deadLetters.counts.time, 2)
})

t.test('message() turns what it cannot store into dead letters with code and place', async t => {
  const { appender, deadLetters, send, mapper } = bench({ pattern: 'json', format: 'json' })
  const table: [string | Uint8Array, string, RegExp][] = [
    ['{"a":NaN}', 'number', /NaN.* at byte 5/],
    ['{"a":Infinity}', 'number', /at byte 5/],
    ['{"a":-Infinity}', 'syntax', /number in JSON at byte 5/],
    ['{"a":1e400}', 'number', /largest double at byte 5/],
    [`{"a":${'['.repeat(100)}${']'.repeat(100)}}`, 'depth', /deeper than 16 at byte 20/],
    [Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'utf8', /at byte 1/],
    [Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xc3, 0x22, 0x7d]), 'utf8', /at byte 5/],
    ['{"a":"\\ud800"}', 'utf8', /surrogate/],
    ['{"a":01}', 'syntax', /at byte 5/],
    ['{"a":1,}', 'syntax', /"}" in JSON at byte 7/],
    ['{"a":1}x', 'syntax', /"x" in JSON at byte 7/],
    ['{"a"', 'syntax', /ends early at byte 4/],
    ['{"a":"\n"}', 'syntax', /control character/],
    ['{"":1}', 'name', /empty name/],
    [`{"${'n'.repeat(600)}":1}`, 'name', /600 bytes/],
    [`[${'1,'.repeat(600)}1]`, 'fields', /512 fields/],
    ['1e400', 'number', /largest double/],
    [Buffer.from([0xff, 0xfe]), 'utf8', /not UTF-8/],
    ['x'.repeat(70_000), 'size', /70000 bytes/],
    [Buffer.from([0xa1, 0x61]), 'syntax', /CBOR/]
  ]
  for (const [payload, code, why] of table) {
    t.equal(send(payload), 0)
    const letter = deadLetters.newest()[0]!
    t.equal(letter.code, code, String(payload).slice(0, 40))
    t.match(letter.reason, why)
    t.ok(letter.payload.length <= 256 && letter.payloadBytes === Buffer.from(payload).length)
  }
  t.equal(send('1', 'x'.repeat(5000)), 0)
  t.equal(deadLetters.newest()[0]!.code, 'label')
  t.equal(deadLetters.newest()[0]!.topic.length, 256)
  t.equal(appender.rows.length, 0)
  t.equal(mapper.messages, table.length + 1)
  t.equal(send('{"a":1}'), 1, 'and nothing has stopped')
})

t.test('message() refuses what the series limit refuses, and throws only for a failed store', async t => {
  const { appender, deadLetters, send } = bench()
  appender.seriesMax = 1
  t.equal(send('{"a":1}'), 1)
  t.equal(send('{"b":1}'), 0)
  t.equal(deadLetters.counts.series_limit, 1)
  appender.rowsMax = 1
  t.throws(() => send('{"a":1}'), { code: 'VARVE_STORE_FAILED' })
})

t.test('message() writes one row a field where the group has too many shapes', async t => {
  const { appender, send } = bench()
  appender.fieldsMax = 1
  send('{"a":1,"n":null,"b":"x"}')
  send('{"a":2,"n":null,"b":"y"}')
  t.same(
    appender.rows.map(row => ({ ...row.fields })),
    [{ a: 1 }, { b: 'x' }, { a: 2 }, { b: 'y' }]
  )
})

t.test('message() asks for the shape of a topic once, and for its names never again', async t => {
  const { appender, send, mapper } = bench()
  for (let i = 0; i < 50; i++) send(`{"a":${i},"b":"${i}"}`, `dev/${i % 5}`)
  t.equal(appender.asked, 5)
  t.equal(mapper.rows, 50)
  t.equal(mapper.samples, 100)
})

t.test('message() does not learn the same form twice', async t => {
  const { send, appender } = bench()
  send('{"good":1}')
  for (let i = 0; i < 20; i++) send('{"a":"\\n"}')
  const { asked } = appender
  send('{"good":2}')
  t.equal(appender.asked, asked)
  t.same(appender.rows.at(-1)!.fields, { good: 2 })
})

t.test('a million topics do not fill the memory of the mapper', async t => {
  const appender = new FakeAppender()
  appender.rows.push = () => 0
  appender.seriesMax = 10
  const mapper = new Mapper({
    appender,
    deadLetters: new DeadLetters({ clock: systemClock }),
    topicsMax: 1000
  })
  const bytes = Buffer.from('1')
  for (let i = 0; i < 20_000; i++) mapper.message(`t/${i}`, bytes, 0, 1, nowUs)
  t.ok(mapper.topics <= 1000)
  const long = new Mapper({ appender, deadLetters: new DeadLetters({ clock: systemClock }) })
  for (let i = 0; i < 2000; i++) long.message(`${i}/${'x'.repeat(60_000)}`, bytes, 0, 1, nowUs)
  t.ok(long.topics < 400, `${long.topics} topics of 60,000 characters are held`)
})
