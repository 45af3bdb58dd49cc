// What clients do that speak nothing but MQTT: entries of the key-value store, questions and replays.
import { execFileSync, spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { IPublishPacket, MqttClient } from 'mqtt'
import t, { type Test } from 'tap'
import type { Varve } from '../../scripts/varve-process.ts'
import { hashPassword } from '../../src/broker/auth.ts'
import { connect, serve, temporary, until } from './daemon.ts'

interface Got {
  readonly topic: string
  readonly text: string
  readonly retain: boolean
  readonly packet: IPublishPacket
}

/** A client with a list of what it was sent. */
async function listener(t: Test, varve: Varve, filters: string[], more: object = {}) {
  const client = await connect(t, varve, more)
  const got: Got[] = []
  client.on('message', (topic, payload, packet) => {
    got.push({ topic, text: String(payload), retain: packet.retain, packet })
  })
  for (const filter of filters) await client.subscribeAsync(filter, { qos: 1 })
  return { client, got }
}

function entry(varve: Varve, key: string, init: RequestInit = {}) {
  return fetch(`${varve.httpUrl}/v1/kv/${key}`, init)
}

function put(client: MqttClient, topic: string, payload: string | Buffer, retain = false) {
  return client.publishAsync(topic, payload, { qos: 1, retain })
}

t.test('$kv: publish is put, an empty retained payload deletes, subscribe reads and watches', async t => {
  const dir = temporary(t)
  const before = await serve(t, dir)
  const writer = await connect(t, before)
  await put(writer, '$kv/config/dev7', '{"every":"10s"}')
  await put(writer, '$kv/config/site1/dev8', Buffer.from([0, 255]))
  await put(writer, '$kv/other/x', 'y')
  await put(writer, '$kv/config/gone', '1')
  await put(writer, '$kv/config/gone', '', true)
  await before.stop('SIGKILL')

  const varve = await serve(t, dir)
  t.equal(
    await (await entry(varve, 'config/dev7')).text(),
    '{"every":"10s"}',
    'acknowledged is there after a kill'
  )
  t.equal((await entry(varve, 'config/gone')).status, 404)
  const { got } = await listener(t, varve, ['$kv/config/#'])
  const every = await listener(t, varve, ['$kv/+/x', '#'])
  await until(() => got.length >= 2 && every.got.length >= 1)
  t.same(
    got.map(({ topic, retain }) => [topic, retain]),
    [
      ['$kv/config/dev7', true],
      ['$kv/config/site1/dev8', true]
    ]
  )
  t.same(
    every.got.map(({ topic, text }) => [topic, text]),
    [['$kv/other/x', 'y']]
  )
  const client = await connect(t, varve)
  await put(client, '$kv/config/dev7', 'new')
  await entry(varve, 'config/http', { method: 'PUT', body: 'from http' })
  await entry(varve, 'config/http', { method: 'DELETE' })
  await until(() => got.length >= 5)
  t.same(
    got.slice(2).map(({ topic, text, retain }) => [topic, text, retain]),
    [
      ['$kv/config/dev7', 'new', false],
      ['$kv/config/http', 'from http', false],
      ['$kv/config/http', '', false]
    ],
    'changes of any face, in their order'
  )
  const { series } = (await (await fetch(`${varve.httpUrl}/v1/series`)).json()) as { series: object[] }
  t.same(series, [], 'entries are no samples')
})

t.test(
  '$kv: a watcher that comes while keys change sees each version once, from what it read on',
  async t => {
    const varve = await serve(t, temporary(t))
    const writer = await connect(t, varve)
    let isOver = false
    const counts = [0, 0, 0]
    const writing = (async () => {
      for (let i = 1; !isOver; i++) {
        await Promise.all(counts.map((_, key) => put(writer, `$kv/n/${key}`, String((counts[key] = i)))))
      }
    })()
    const watchers: Got[][] = []
    for (let i = 0; i < 12; i++) {
      watchers.push((await listener(t, varve, ['$kv/n/#'])).got)
      await sleep(15)
    }
    isOver = true
    await writing
    await until(() => watchers.every(got => got.filter(one => one.text === String(counts[0])).length === 3))
    watchers.forEach((got, i) => {
      for (const key of [0, 1, 2]) {
        const values = got.filter(({ topic }) => topic === `$kv/n/${key}`).map(({ text }) => Number(text))
        const expected = Array.from({ length: counts[key]! - values[0]! + 1 }, (_, n) => values[0]! + n)
        t.same(values, expected, `watcher ${i}, key ${key}: none missing, none twice`)
      }
    })
  }
)

t.test('$kv: what is not allowed is refused', async t => {
  const varve = await serve(t, temporary(t))
  const client = await connect(t, varve, { protocolVersion: 5 })
  for (const [topic, reason] of [
    ['$kv/mqtt.retained/x', 0x87],
    ['$kv/ns', 0x90],
    ['$kv/bad name/x', 0x90],
    ['$varve/nothing', 0x90],
    ['$varve/reply/me', 0x90]
  ] as const) {
    await t.rejects(put(client, topic, 'x'), { code: reason }, topic)
  }
  const { got } = await listener(t, varve, ['$kv/#', '$kv/bad name/#', '$kv'])
  await put(client, '$kv/a/b', 'c')
  await until(() => got.length > 0)
  t.match(got, [{ topic: '$kv/a/b', text: 'c' }])
})

t.test(
  '$kv/last: the newest sample of each series is retained, and followed; nobody writes to it',
  async t => {
    const dir = temporary(t)
    const before = await serve(t, dir)
    const device = await connect(t, before)
    await put(device, 'site1/dev7/telemetry', '{"temperature":20}')
    await put(device, 'site1/dev7/telemetry', '{"temperature":21.4,"state":"on"}')
    await put(device, 'site2/dev1/telemetry', '{"temperature":3}')
    await before.stop('SIGKILL')

    const varve = await serve(t, dir)
    const sub = (...args: string[]) =>
      execFileSync('mosquitto_sub', ['-p', String(varve.mqttPort), '-W', '10', '-v', ...args]).toString()
    if (spawnSync('mosquitto_sub', ['--help']).error === undefined) {
      t.equal(
        sub('-t', '$kv/last/site1/dev7/telemetry/temperature', '-C', '1'),
        '$kv/last/site1/dev7/telemetry/temperature 21.4\n'
      )
      t.same(
        sub('-q', '1', '-t', '$kv/last/+/+/telemetry/temperature', '-C', '2').split('\n').sort().slice(1),
        ['$kv/last/site1/dev7/telemetry/temperature 21.4', '$kv/last/site2/dev1/telemetry/temperature 3']
      )
    }
    const { client, got } = await listener(t, varve, ['$kv/last/site1/#'], { protocolVersion: 5 })
    const entries = await listener(t, varve, ['$kv/#'])
    const resumed = { clientId: 'kept', clean: false, reconnectPeriod: 0 }
    const kept = await listener(t, varve, ['$kv/last/site1/dev7/telemetry/state'], resumed)
    await until(() => got.length >= 2 && kept.got.length >= 1)
    const told = (from: number) => got.slice(from).map(({ topic, text, retain }) => [topic, text, retain])
    const [temperature, state] = ['temperature', 'state'].map(
      field => `$kv/last/site1/dev7/telemetry/${field}`
    )
    t.same(told(0).sort(), [
      [state, 'on', true],
      [temperature, '21.4', true]
    ])
    await kept.client.endAsync()
    await put(client, 'site1/dev7/telemetry', '{"temperature":22}')
    await put(client, 'site2/dev1/telemetry', '{"temperature":4}')
    await fetch(`${varve.httpUrl}/write`, {
      method: 'POST',
      body: 'room,topic=site1/x temperature=5,open=t\nroom,site=y temperature=6'
    })
    await put(client, 'site1/dev7/telemetry', '{"state":"off"}')
    await until(() => got.length >= 6)
    t.same(told(2), [
      [temperature, '22', false],
      ['$kv/last/site1/x/room_temperature', '5', false],
      ['$kv/last/site1/x/room_open', 'true', false],
      [state, 'off', false]
    ])
    t.same(entries.got, [], 'who reads all entries is not sent all telemetry')
    const back = await listener(t, varve, [], resumed)
    await until(() => back.got.length >= 1)
    t.match(back.got, [{ topic: state, text: 'off' }], 'a session that goes on is told what is there')
    await client.unsubscribeAsync('$kv/last/site1/#')
    await put(client, 'site1/dev7/telemetry', '{"temperature":23}')
    t.equal(got.length, 6)
    await t.rejects(put(client, '$kv/last/site1/dev7/telemetry/temperature', '1'), { code: 0x87 })
  }
)

t.test('$varve/query answers to the response topic, with what it was asked with', async t => {
  const varve = await serve(t, temporary(t))
  const { client, got } = await listener(t, varve, ['my/answers', '$varve/reply/one'], {
    protocolVersion: 5,
    clientId: 'one'
  })
  await put(client, 'site1/dev7/telemetry', '{"temperature":21.5,"state":"on"}')
  const ask = (question: object | string, properties?: object) =>
    client.publishAsync('$varve/query', typeof question === 'string' ? question : JSON.stringify(question), {
      qos: 1,
      ...(properties === undefined ? {} : { properties })
    })
  const properties = { responseTopic: 'my/answers', correlationData: Buffer.from('q1') }
  await ask({ kind: 'last', topic: 'site1/#' }, properties)
  await ask({ query: 'temperature * 2' })
  await ask({ query: 'temperature', start: 'x', end: '1', step: '1' })
  await ask({ kind: 'last', nope: 1 })
  await ask('not json')
  await ask({ kind: 'last', match: 'state', reply_to: 'my/answers' })
  await until(() => got.length >= 6)
  const answers = (topic: string) =>
    got.filter(one => one.topic === topic).map(({ text }) => JSON.parse(text))
  t.match(
    got.find(({ packet }) => packet.properties?.correlationData !== undefined),
    {
      topic: 'my/answers',
      packet: { properties: { correlationData: Buffer.from('q1') } }
    }
  )
  t.match(
    answers('my/answers')
      .map(({ series }) => series.map(({ value }: { value: unknown }) => value))
      .sort(),
    [[21.5, 'on'], ['on']]
  )
  const own = answers('$varve/reply/one')
  t.match(
    own.find(one => one.status === 'success'),
    { data: { result: [{ value: [Number, '43'] }] } }
  )
  t.equal(own.filter(({ code }) => code === 'VARVE_PARAMETER').length, 3)
  const metrics = await (await fetch(`${varve.httpUrl}/metrics`)).text()
  t.match(metrics, /^varve_mqtt_requests_total\{kind="query"\} 6$/m)
  t.match(metrics, /^varve_mqtt_requests_total\{kind="replay"\} 0$/m)
  t.match(metrics, /^varve_mqtt_requests_refused_total 3$/m)
})

t.test('$varve/replay sends the messages of a topic again, at a rate, until it is cancelled', async t => {
  const varve = await serve(t, temporary(t))
  const { client, got } = await listener(t, varve, ['$varve/reply/r'], { clientId: 'r' })
  await Promise.all(Array.from({ length: 40 }, (_, i) => put(client, 'a/b', JSON.stringify({ n: i }))))
  const ask = (question: object) => client.publishAsync('$varve/replay', JSON.stringify(question), { qos: 1 })
  const beganMs = performance.now()
  await ask({ topic: 'a/b', rate: 100 })
  await until(() => got.some(({ text }) => text.includes('"end"')))
  t.ok(performance.now() - beganMs > 300, 'forty at 100 a second')
  const lines = got.map(({ text }) => JSON.parse(text))
  t.same(
    lines.slice(0, -1).map(({ topic, fields }) => [topic, fields.n]),
    Array.from({ length: 40 }, (_, i) => ['a/b', i])
  )
  t.same(lines.at(-1), { end: true, messages: 40 })
  got.length = 0
  await ask({ topic: 'a/b', rate: 10 })
  await until(() => got.length > 0)
  await ask({ cancel: true })
  await sleep(100)
  const count = got.length
  await sleep(400)
  t.equal(got.length, count, 'nothing follows')
  await ask({ topic: 'a/b', rate: 1e9 })
  await until(() => got.length > count)
  t.match(JSON.parse(got.at(-1)!.text), { code: 'VARVE_PARAMETER' })
})

t.test('rights hold for requests as for messages', async t => {
  const hash = await hashPassword('secret12')
  const dir = temporary(t)
  const config = `${dir}.toml`
  const { writeFileSync, rmSync } = await import('node:fs')
  writeFileSync(
    config,
    `[[mqtt.users]]\nname = "all"\npassword = "${hash}"\npublish = ["#", "$kv/#"]\n[[mqtt.users]]\nname = "dev"\npassword = "${hash}"\n` +
      'publish = ["dev/#", "$varve/query", "$kv/dev/#"]\nsubscribe = ["dev/#", "$varve/reply/%c", "$kv/dev/#"]\n'
  )
  t.teardown(() => rmSync(config))
  const varve = await serve(t, dir, '--config', config)
  const as = (username: string, filters: string[]) =>
    listener(t, varve, filters, { username, password: 'secret12', clientId: username, protocolVersion: 5 })
  const all = await as('all', [])
  await put(all.client, 'dev/a', '1')
  await put(all.client, 'secret/a', '2')
  await put(all.client, '$kv/secret/k', 'v')
  const dev = await as('dev', ['$varve/reply/dev', '$kv/dev/#', 'dev/#'])
  const refused = await dev.client.subscribeAsync('$kv/#', { qos: 1 }).catch(error => error)
  t.ok(refused instanceof Error || refused[0].qos >= 0x80, 'no subscription beyond its rights')
  await put(dev.client, '$kv/dev/k', 'mine')
  await t.rejects(put(dev.client, '$kv/secret/k', 'x'), { code: 0x87 })
  await t.rejects(put(dev.client, '$varve/replay', '{}'), { code: 0x87 })
  const ask = (question: object, responseTopic?: string) =>
    dev.client.publishAsync('$varve/query', JSON.stringify(question), {
      qos: 1,
      ...(responseTopic === undefined ? {} : { properties: { responseTopic } })
    })
  await t.rejects(ask({ kind: 'last', topic: 'dev/#' }, 'secret/answers'), { code: 0x87 })
  await t.rejects(ask({ kind: 'last', topic: 'dev/#' }, '$varve/reply/all'), { code: 0x87 })
  for (const question of [{ kind: 'last' }, { kind: 'last', topic: 'secret/#' }, { query: 'a' }])
    await ask(question)
  await ask({ kind: 'last', topic: 'dev/#' })
  await until(() => dev.got.filter(({ topic }) => topic === '$varve/reply/dev').length >= 4)
  const answers = dev.got
    .filter(({ topic }) => topic === '$varve/reply/dev')
    .map(({ text }) => JSON.parse(text))
  t.equal(answers.filter(({ code }) => code === 'VARVE_MQTT_RIGHTS').length, 3)
  t.match(
    answers.find(({ series }) => series !== undefined),
    { series: [{ labels: { topic: 'dev/a' }, value: 1 }] }
  )
  t.same(
    dev.got.filter(({ topic }) => topic.startsWith('$kv')).map(({ text }) => text),
    ['mine']
  )
})

t.test(
  'mosquitto clients put, get and watch entries',
  { skip: spawnSync('mosquitto_pub', ['--help']).error !== undefined && 'not installed' },
  async t => {
    const varve = await serve(t, temporary(t))
    const to = ['-h', '127.0.0.1', '-p', String(varve.mqttPort), '-q', '1']
    execFileSync('mosquitto_pub', [...to, '-t', '$kv/flags/beta', '-m', 'on'])
    const got = execFileSync('mosquitto_sub', [
      ...to,
      '-t',
      '$kv/flags/#',
      '-C',
      '1',
      '-W',
      '5',
      '-F',
      '%t %p %r'
    ])
    t.equal(String(got), '$kv/flags/beta on 1\n')
    const answer = execFileSync('mosquitto_rr', [
      ...['-h', '127.0.0.1', '-p', String(varve.mqttPort), '-V', '5', '-W', '5'],
      ...['-t', '$varve/query', '-e', 'rr/answer', '-m', '{"kind":"series"}']
    ])
    t.match(JSON.parse(String(answer)), { series: [] })
  }
)
