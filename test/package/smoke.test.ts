// The executable itself: what `npm run package` made starts, listens, takes an MQTT publish, gives it back
// over HTTP, and stops in order. `npm test` builds it before; without it these tests fail.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectAsync } from 'mqtt'
import t from 'tap'
import { PIECES, pieceOf, scriptOf } from '../../scripts/launcher.ts'
import { ask, type LastAnswer, programs, startVarve } from '../../scripts/varve-process.ts'

const [executable] = programs.binary
const version: string = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')
).version

t.test('varve version prints the version of package.json', async t => {
  t.match(execFileSync(executable, ['version'], { encoding: 'utf8' }), version)
})

t.test('the executable holds notes that V8 takes, and none of another bundle', async t => {
  for (const name of PIECES) {
    const piece = pieceOf(executable, name)
    t.equal(scriptOf(name, piece).cachedDataRejected, false, name)
    const other = { ...piece, source: `${piece.source} ` }
    t.equal(scriptOf(name, other).cachedDataRejected, true, 'the check can fail')
  }
})

/** What is said in the main file of the threads' bundle and nowhere else. */
const saidByThreads = 'the worker runs in a thread of its own'

t.test('the executable holds the bundle of the threads once', async t => {
  t.match(pieceOf(executable, 'worker').source, saidByThreads)
  t.notMatch(pieceOf(executable, 'main').source, saidByThreads)
})

/** Runs a bundle as launcher.ts does, and prints which of Node's own globals are others afterwards. */
const comparing = `{
  const globals = () => new Map(Object.getOwnPropertyNames(globalThis).map(name =>
    [name, Object.getOwnPropertyDescriptor(globalThis, name)]))
  const before = globals()
  Object.assign(globalThis, { exports: {}, require, module: { exports: {} }, __filename: '', __dirname: '' })
  process.argv.splice(1, Infinity, 'varve', 'version')
  new (require('node:vm').Script)(require('node:fs').readFileSync(0, 'latin1')).runInThisContext()
  const isOther = ([name, { value, get }]) => {
    const now = Object.getOwnPropertyDescriptor(globalThis, name)
    return !Object.is(now.value, value) || now.get !== get
  }
  const found = [...before].filter(([name]) => !['exports', 'require', 'module', '__filename', '__dirname'].includes(name))
  console.log('others ' + JSON.stringify(found.filter(isOther).map(([name]) => name)))
}`

t.test('names at the top of the bundle, which are globals, replace none of Node', async t => {
  const script = join(t.testdir({ 'comparing.cjs': comparing }), 'comparing.cjs')
  const run = (source: string) =>
    execFileSync(process.execPath, [script], { input: source, encoding: 'utf8' })
  const { source } = pieceOf(executable, 'main')
  t.match(run(source), 'others []')
  t.match(run(`var escape = 1;${source}`), 'others ["escape"]', 'the check can fail')
})

t.test('varve serve keeps what is published over a restart, and stops in order', async t => {
  const dataDir = t.testdir()
  const first = await startVarve({ program: 'binary', dataDir })
  t.teardown(() => first.stop('SIGKILL'))
  const client = await connectAsync(`mqtt://127.0.0.1:${first.mqttPort}`)
  await client.publishAsync('site1/dev7/telemetry', '{"temperature":21.4,"state":"on"}', { qos: 1 })
  await client.endAsync()

  const path = `/v1/last?topic=${encodeURIComponent('site1/dev7/telemetry')}`
  const values = async (url: { httpUrl: string }) => {
    const { series } = await ask<LastAnswer>(url, path)
    return Object.fromEntries(series.map(({ name, value }) => [name, value]))
  }
  t.strictSame(await values(first), { temperature: 21.4, state: 'on' })
  t.equal(await first.stop('SIGTERM'), 0, 'exit code')

  const second = await startVarve({ program: 'binary', dataDir })
  t.teardown(() => second.stop('SIGKILL'))
  t.strictSame(await values(second), { temperature: 21.4, state: 'on' })
  t.equal(await second.stop('SIGTERM'), 0, 'exit code')
})

t.test('varve serve loses nothing acknowledged when it is killed', async t => {
  const dataDir = t.testdir()
  const first = await startVarve({ program: 'binary', dataDir })
  t.teardown(() => first.stop('SIGKILL'))
  const client = await connectAsync(`mqtt://127.0.0.1:${first.mqttPort}`)
  const sent = Array.from({ length: 20 }, (_, i) => `{"count":${i}}`)
  for (const payload of sent) {
    await client.publishAsync('site1/dev8/telemetry', payload, { qos: 1 })
    // Distinct times of arrival.
    await sleep(2)
  }
  await first.stop('SIGKILL')
  client.end(true)

  const second = await startVarve({ program: 'binary', dataDir })
  t.teardown(() => second.stop('SIGKILL'))
  const { series } = await ask<{ series: { rows: [number, number][] }[] }>(
    second,
    `/v1/range?topic=${encodeURIComponent('site1/dev8/telemetry')}`
  )
  t.strictSame(
    series.flatMap(({ rows }) => rows.map(([, value]) => value)),
    sent.map((_, i) => i)
  )
  await second.stop('SIGTERM')
})
