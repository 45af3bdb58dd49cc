import t from 'tap'
import { httpHost, isLoopback, mqttHost } from '../../src/config/check.ts'
import { loadConfig } from '../../src/config/load.ts'
import { ConfigError } from '../../src/config/problem.ts'

function load(text: string) {
  return loadConfig({ files: [{ name: 'f', text }], env: {}, flags: new Map() })
}

/** The keys and lines of the rules that a file breaks: "ack.delay_max_qos0:3". */
function broken(text: string): string[] {
  try {
    load(text)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map(({ key, origin }) => `${key}:${origin?.line ?? 'default'}`)
  }
}

t.test('checkConfig() refuses keys that are at odds, naming the key and its line', async t => {
  const cases: [string, string[]][] = [
    ['[ack]\ndelay_max = "30s"', ['ack.delay_max_qos0:default']],
    ['[ack]\ndelay_max = "5s"\ndelay_max_qos0 = "1s"', ['ack.delay_max_qos0:3']],
    ['[wal]\nfile_size = "18MiB"', ['wal.file_size:2']],
    ['[wal]\nsize_max = "16MiB"', ['wal.size_max:2']],
    ['[wal]\nfile_size = "4MiB"\ngroup_max = "8MiB"', ['wal.group_max:3']],
    ['[http]\nport = 1883', ['http.port:2']],
    ['[mqtt]\nws_port = 1883', ['mqtt.ws_port:2']],
    ['[mqtt]\nport = 0\nws_port = 0\n[http]\nport = 0', []],
    ['[mqtt]\nport = 8883', []],
    ['[mqtt]\nport = 8883\ntls_cert = "a"\ntls_key = "b"', ['mqtt.tls_port:default']],
    ['[mqtt]\ntls_cert = "a"', ['mqtt.tls_key:default']],
    ['[mqtt]\npacket_max = "2MiB"', ['mqtt.outgoing_bytes_max:default']],
    ['[http]\nbody_max = "256MiB"', ['http.inflated_max:default', 'http.inflight_bytes_max:default']],
    ['[retention]\ndefault = "2h"', ['retention.default:2']],
    ['[[retention.rules]]\nname = "a"\nmatch = "x"\nkeep = "2h"', ['retention.rules[0].keep:4']],
    ['[[retention.rules]]\nname = "a"\nmatch = "x"\nkeep = "2h"\nbucket = "1h"', []],
    ['[[retention.rules]]\nname = "a"\nkeep = "forever"', ['retention.rules[0]:1']],
    ['[[retention.rules]]\nname = "default"\nmatch = "x"\nkeep = "forever"', ['retention.rules[0].name:2']],
    [
      '[[rollup.tiers]]\nevery = "1m"\nkeep = "1d"\n[[rollup.tiers]]\nevery = "90s"\nkeep = "1d"',
      ['rollup.tiers[1].every:5']
    ],
    ['[[rollup.tiers]]\nevery = "1d"\nkeep = "1h"', ['rollup.tiers[0].keep:3']],
    ['[[rollup.tiers]]\nevery = "1m"\nkeep = "1d"\nrule = "fast"', ['rollup.tiers[0].rule:4']],
    [
      [
        '[[rollup.rules]]\nname = "fast"\nmatch = "a/#"\n[[rollup.tiers]]\nevery = "1h"\nkeep = "1d"',
        '[[rollup.tiers]]\nevery = "10s"\nkeep = "1d"\nrule = "fast"\nsketch = "2%"'
      ].join('\n'),
      []
    ],
    [
      '[[mqtt.users]]\nname = "a"\npassword = "p"\n[[mqtt.users]]\nname = "a"\npassword = "q"',
      ['mqtt.users[1].name:5']
    ],
    ['[[ingest.topics]]\nmatch = "a"\nlabels = { topic = "x" }', ['ingest.topics[0].labels:3']],
    ['[[ingest.precision]]\nmatch = "a"', ['ingest.precision[0]:1']],
    ['[[ingest.precision]]\ndecimals = 2\n[[ingest.precision]]\ntime_step = "10ms"', []],
    ['[[ingest.precision]]\ndecimals = 16', ['ingest.precision[0].decimals:2']],
    ['[[ingest.precision]]\ndecimals = "all"\ntime_step = "1us"', ['ingest.precision[0].time_step:3']],
    ['[rollup]\ntiers = []', []]
  ]
  for (const [text, expected] of cases) t.same(broken(text), expected, text)
})

t.test('a broker is open to a network only by consent', async t => {
  t.equal(mqttHost(load('')), '127.0.0.1')
  t.equal(httpHost(load('')), '127.0.0.1')
  t.equal(mqttHost(load('[mqtt]\nallow_anonymous = true')), null)
  t.equal(mqttHost(load('[[mqtt.users]]\nname = "a"\npassword = "p"')), null)
  t.equal(httpHost(load('[[mqtt.users]]\nname = "a"\npassword = "p"')), '127.0.0.1', 'a user opens MQTT only')
  t.equal(httpHost(load('[[http.tokens]]\nname = "a"\ntoken = "12345678"\nrole = "read"')), null)
  for (const host of ['0.0.0.0', '::', '192.168.1.5', 'gateway', '127.0.0.1.example']) {
    t.same(broken(`[mqtt]\nhost = "${host}"`), ['mqtt.host:2'], host)
    t.same(broken(`[http]\nhost = "${host}"`), ['http.host:2'], host)
    t.equal(mqttHost(load(`[mqtt]\nhost = "${host}"\nallow_anonymous = true`)), host)
  }
  for (const host of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) {
    t.ok(isLoopback(host))
    t.equal(mqttHost(load(`[mqtt]\nhost = "${host}"`)), host)
  }
})

t.test('texts with a grammar are checked where they are stated', async t => {
  const topic = (match: string) => broken(`[[ingest.topics]]\nmatch = '${match}'`)
  for (const match of ['#', 'a/#', '+/b', '{site}/{device}/telemetry', 'a/dev-{n}x/+/#', '$SYS/#', '/'])
    t.same(topic(match), [], match)
  for (const match of [
    '',
    '#/a',
    'a#',
    'a+/b',
    '{a}{b}',
    '{a}/{a}',
    '{}',
    '{a',
    'a}',
    '{__name__}',
    '{a}+'
  ]) {
    t.same(topic(match), ['ingest.topics[0].match:2'], match)
  }
  const rule = (series: string) =>
    broken(`[[retention.rules]]\nname = "a"\nkeep = "1y"\nseries = '${series}'`)
  t.same(rule('acc_.*'), [])
  t.same(rule('acc_('), ['retention.rules[0].series:4'])
  t.same(broken('[schedule]\nmerge = "0 0 31 2 *"'), ['schedule.merge:2'])
})
