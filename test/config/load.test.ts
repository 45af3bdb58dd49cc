import { parse } from 'smol-toml'
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { compareConfigs, defaultConfig, loadConfig, type Sources } from '../../src/config/load.ts'
import { KeyLines } from '../../src/config/locate.ts'
import { ConfigError } from '../../src/config/problem.ts'
import { printReference } from '../../src/config/reference.ts'
import { PLACES } from '../../src/config/schema.ts'
import { seeds } from '../kit/seeds.ts'

function load(text: string, more: Partial<Sources> = {}) {
  return loadConfig({ files: [{ name: 'varve.toml', text }], env: {}, flags: new Map(), ...more })
}

/** What loadConfig() says is wrong, a line each; [] when nothing is. */
function problems(text: string, more: Partial<Sources> = {}): string[] {
  try {
    load(text, more)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.message.split('\n')
  }
}

t.test(
  'every entry is named after its key, explains itself and states its default within its bounds',
  async t => {
    for (const [key, { section, property, entry }] of PLACES) {
      const name = property.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
      t.equal(key, `${section}.${name}`)
      for (const told of [entry, ...Object.values(entry.columns ?? {})]) {
        t.ok(told.what.endsWith('.') && told.what.length > 10, `${key} ${told.key} says what`)
        t.ok(/[.:)]$/.test(told.why) && told.why.length > 10, `${key} ${told.key} says why`)
      }
    }
  }
)

t.test('printReference() is a varve.toml that gives the defaults', async t => {
  const text = printReference()
  t.same(load(text), defaultConfig())
  const stated = parse(text) as Record<string, Record<string, unknown>>
  for (const [key, { section, entry }] of PLACES) {
    const name = key.slice(section.length + 1)
    const empty = Array.isArray(entry.written) && entry.written.length === 0 && entry.columns !== null
    t.ok(name in stated[section]! || empty, `${key} is stated`)
    if (empty) t.match(text, new RegExp(`\\[\\[${key}\\]\\]`), `${key} is explained`)
  }
  t.ok(
    text.split('\n').every(line => line.length <= 101),
    'lines are short'
  )
})

t.test('loadConfig() keeps every key within its bounds', async t => {
  const beyond: Record<string, [low: string, high: string]> = {}
  for (const [key, { entry }] of PLACES) {
    const span = /from (\S+) to (\S+?)(?:,|$)/.exec(entry.bounds)
    if (span === null) continue
    const [, low, high] = span as unknown as [string, string, string]
    const name = key.slice(key.indexOf('.') + 1)
    const table = key.slice(0, key.indexOf('.'))
    const toml = (value: string) =>
      `[${table}]\n${name} = ${entry.form === 'number' ? value : `"${value}"`}\n`
    const lowUnit = low.replace(/^\d+/, '')
    const under =
      entry.form === 'number'
        ? String(Number(low) - 1)
        : low === '0s' || low === '0B'
          ? '-1s'
          : `${Number.parseInt(low, 10) - 1}${lowUnit}`
    const over =
      entry.form === 'number'
        ? String(Number(high) + 1)
        : `${Number.parseInt(high, 10) + 1}${high.replace(/^\d+/, '')}`
    beyond[key] = [under, over]
    for (const value of beyond[key]) {
      const found = problems(toml(value))
      if (!found.some(line => line.startsWith(`Cannot use ${key} at varve.toml:2: it must be `)))
        t.fail(`${key} = ${value}: ${found}`)
    }
    for (const value of [low, high]) {
      if (problems(toml(value)).some(line => line.includes(`${key} at`) && line.includes(entry.bounds)))
        t.fail(`${key} takes ${value}`)
    }
  }
  t.ok(Object.keys(beyond).length > 40, `${Object.keys(beyond).length} keys have bounds`)
})

t.test('loadConfig() names file, line and key of every wrong type', async t => {
  const wrong: unknown[] = ['"text"', '5', 'true', '[1]', '{ a = 1 }', '2020-01-01', 'nan', '1.5', '-1']
  for (const [key, { section, entry }] of PLACES) {
    const name = key.slice(section.length + 1)
    for (const value of wrong) {
      const found = problems(`\n[${section}]\n\n${name} = ${value}\n`)
      const sound = entry.parser.safeParse((parse(`value = ${value}`) as { value: unknown }).value).success
      if (!sound && !found.every(line => line.includes(`${key}`) && line.includes('varve.toml:4')))
        t.fail(`${key} = ${value}: ${found}`)
      if (!sound && found.length === 0) t.fail(`${key} = ${value} was taken`)
    }
  }
  t.same(problems('[ack]\ndelay_max = 5'), [
    'Cannot use ack.delay_max at varve.toml:2: it must be a duration from 0s to 1m, and is 5'
  ])
})

t.test('loadConfig() suggests what was meant by an unknown key', async t => {
  const known: [string, string][] = [
    [
      '[ack]\ndelay_mx = "1s"',
      'Cannot use ack.delay_mx at varve.toml:2: there is no key ack.delay_mx; did you mean ack.delay_max?'
    ],
    [
      '[mqtt]\ndelay_max = "1s"',
      'Cannot use mqtt.delay_max at varve.toml:2: there is no key mqtt.delay_max; did you mean ack.delay_max?'
    ],
    ['[mqqt]\nport = 1', 'Cannot use mqqt at varve.toml:1: there is no section mqqt; did you mean mqtt?'],
    ['zzzzzzzzz = 1', 'Cannot use zzzzzzzzz at varve.toml:1: there is no section zzzzzzzzz'],
    ['mqtt = 1', 'Cannot use mqtt at varve.toml:1: it must be a table, [mqtt]']
  ]
  for (const [text, line] of known) t.same(problems(text), [line])
  const [row] = problems('[[ingest.topics]]\nmatch = "a"\n[[ingest.topics]]\nmatch = "b"\nformt = "json"')
  t.match(
    row,
    /^Cannot use ingest\.topics\[1\]\.formt at varve\.toml:5: there is no key formt; did you mean format\?/
  )
  t.match(
    problems('[ack]\ndelay_max = "1s"\ndelay_max = "2s"')[0],
    /^Cannot use the configuration at varve\.toml:3: it is not TOML: /
  )
  t.equal(problems('[ack]\na = 1\nb = 2\n[mqtt]\nport = "x"').length, 3, 'all at once')
})

t.test('loadConfig() puts flags over environment over files, later files over earlier', async t => {
  const files = [
    {
      name: 'varve.toml',
      text: '[ack]\ndelay_max = "1s"\n[mqtt]\nport = 1\n[http]\nport = 11\n[[ingest.topics]]\nmatch = "a"'
    },
    { name: 'conf.d/1.toml', text: '[mqtt]\nport = 2\n[http]\nport = 12\n[[ingest.topics]]\nmatch = "b"' }
  ]
  const env = {
    VARVE_HTTP__PORT: '13',
    VARVE_MQTT__WS_PORT: 'off',
    VARVE_SEED: '1',
    HOME: '/',
    VARVE_MQTT__ALLOW_ANONYMOUS: 'true'
  }
  const config = loadConfig({ files, env, flags: new Map([['http.port', '14']]) })
  t.equal(config.ack.delayMax, 1000)
  t.equal(config.mqtt.port, 2)
  t.equal(config.mqtt.wsPort, null)
  t.equal(config.mqtt.allowAnonymous, true)
  t.equal(config.http.port, 14)
  t.same(
    config.ingest.topics.map(topic => topic.match),
    ['a', 'b'],
    'files add to each other'
  )
  t.equal(loadConfig({ files, env, flags: new Map() }).http.port, 13)
  const rows = loadConfig({
    files,
    env: { VARVE_INGEST__TOPICS: '[{match = "c", time_unit = "ms"}]' },
    flags: new Map()
  })
  t.same(
    rows.ingest.topics.map(({ match, timeUnit, format }) => [match, timeUnit, format]),
    [['c', 'ms', 'auto']],
    'the environment replaces them'
  )
})

t.test('loadConfig() names the variable or flag that is wrong, and the file of a wrong row', async t => {
  t.same(problems('', { env: { VARVE_MQTT__PORT: 'x' } }), [
    'Cannot use mqtt.port in VARVE_MQTT__PORT: it must be a port from 0 to 65535, where 0 takes a free one, and is "x"'
  ])
  t.match(
    problems('', { env: { VARVE_MQTT__PROT: '1' } })[0],
    /in VARVE_MQTT__PROT: .* did you mean mqtt\.port\?/
  )
  t.match(
    problems('', { flags: new Map([['nope.nope', '1']]) })[0],
    /^Cannot use nope\.nope in --nope\.nope: there is no key/
  )
  t.match(
    problems('', { env: { VARVE_ROLLUP__TIERS: '[{' } })[0],
    /VARVE_ROLLUP__TIERS: it is not a TOML value/
  )
  const files = [
    { name: 'a.toml', text: '[[ingest.topics]]\nmatch = "a"' },
    { name: 'b.toml', text: '\n\n[[ingest.topics]]\nmatch = "b"\nformat = "xml"' }
  ]
  t.match(problems('', { files })[0], /^Cannot use ingest\.topics\[1\]\.format at b\.toml:5: /)
})

t.test('loadConfig() never shows a secret', async t => {
  const text =
    '[[mqtt.users]]\nname = "a"\npassword = 12345678\n[[http.tokens]]\nname = "b"\ntoken = "hunt2"\nrole = "read"'
  const found = problems(text)
  t.equal(found.length, 2)
  t.notMatch(found.join(), /12345678|hunt2/)
})

t.test('compareConfigs() tells what a reload takes over from what wants a restart', async t => {
  const after = load('[log]\nlevel = "debug"\n[mqtt]\nport = 1')
  t.same(compareConfigs(defaultConfig(), after), { live: ['log.level'], restart: ['mqtt.port'] })
  t.same(compareConfigs(after, after), { live: [], restart: [] })
})

t.test('KeyLines finds every key of a generated file at its line', async t => {
  const values = [
    '1',
    '"a # b"',
    "'[x]'",
    '"""\n[no]\nk = 1\n"""',
    "'''\n= ' \n'''",
    '[1,\n # ]\n 2]',
    '{ a = "}" }',
    'true # [c]',
    '"\\"]"',
    '""""a"""" '
  ]
  for (const seed of seeds(200)) {
    const random = new Random(seed)
    let text = ''
    const expected = new Map<string, number>()
    let table = ''
    let rows = 0
    for (let i = 0; i < 12; i++) {
      const line = text.split('\n').length
      const kind = random.below(5)
      if (kind === 0) {
        table = `t${i}`
        text += `[ ${table} ] # x\n`
        expected.set(table, line)
      } else if (kind === 1) {
        table = `rows.list[${rows++}]`
        text += '[[rows.list]]\n'
        expected.set(table, line)
      } else {
        const path = `${table === '' ? '' : `${table}.`}k${i}`
        text += `${random.chance(0.3) ? `"k${i}"` : `k${i}`} = ${random.pick(values)}\n`
        expected.set(path, line)
      }
    }
    parse(text)
    const lines = new KeyLines(text)
    for (const [path, line] of expected) {
      if (lines.find(path) !== line)
        t.fail(`VARVE_SEED=${seed} ${path}: ${lines.find(path)}, not ${line}\n${text}`)
    }
  }
})

t.test('loadConfig() answers any text with a configuration or a ConfigError', async t => {
  const pieces = [
    '[',
    ']',
    '[[',
    ']]',
    '\n',
    ' = ',
    '"',
    "'",
    '"""',
    '{',
    '}',
    ',',
    '.',
    '#',
    '\\',
    '\u0000',
    'é',
    '1',
    'mqtt',
    'port',
    'ack.delay_max',
    'ingest.topics',
    'match',
    '__proto__',
    'constructor',
    'toString',
    '"1s"',
    'rollup.tiers',
    '\r\n',
    '\t'
  ]
  const reference = printReference()
  for (const seed of seeds(400)) {
    const random = new Random(seed)
    let text = Array.from({ length: random.below(30) }, () => random.pick(pieces)).join('')
    if (random.chance(0.3)) {
      const at = random.below(reference.length)
      text = reference.slice(0, at) + random.pick(pieces) + reference.slice(at + random.below(4))
    }
    try {
      problems(
        text,
        random.chance(0.1) ? { env: { VARVE_ROLLUP__TIERS: text, VARVE_ACK__DELAY_MAX: text } } : {}
      )
      new KeyLines(text)
    } catch (error) {
      t.fail(`VARVE_SEED=${seed} ${(error as Error).stack} ${JSON.stringify(text.slice(0, 200))}`)
    }
  }
  t.equal(({} as Record<string, unknown>).port, undefined, 'no prototype was touched')
})
