// Makes the data directory of a format version that every later version must open (test/format/v<n>), with
// what it must answer beside it. Run once for each version, by hand, when its formats are frozen:
//
//   node scripts/format-example.ts DIR        DIR must not exist
//
// The daemon itself writes it, so it holds what daemons leave: rows of every kind in segments of several
// buckets, tiers, a merged bucket, retained messages and dead letters, and a WAL that SIGKILL left behind.

import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import mqtt from 'mqtt'
import { examples, flags } from '../test/format/questions.ts'
import { ask, startVarve, type Varve } from './varve-process.ts'

const DAY_S = 86_400
const FIRST_S = 1_700_006_400
/** Left behind by a running daemon, and nothing of the format. */
const runtimeFiles = ['LOCK', 'LOCK.holder', 'run.json']

async function post(varve: Varve, path: string, body = ''): Promise<void> {
  const reply = await fetch(`${varve.httpUrl}${path}`, { method: 'POST', body })
  if (!reply.ok) throw new Error(`Cannot post ${path}: ${reply.status} ${await reply.text()}`)
}

/** One message a minute: decimals, noise, counters, states, texts, and values that are hard to keep. */
function lines(fromS: number, count: number): string {
  const odd = ['-0', '9007199254740991', '1e-300', '0.1', '21.400000000000002', '-1.7976931348623157e308']
  const rows: string[] = []
  for (let i = 0; i < count; i++) {
    const time = fromS + 60 * i
    const noise = Math.sin(i * 12.9898) * 43758.5453
    rows.push(
      `climate,site=a,room=kitchen temperature=${(20 + (i % 70) / 10).toFixed(1)},humidity=${40 + (i % 9)}i,noise=${noise} ${time}`,
      `door,site=a open=${i % 7 === 0},user="${i % 3 === 0 ? 'Zoë' : 'nobody \\"here\\"'}" ${time}`,
      `odd,site=b value=${odd[i % odd.length]} ${time}`
    )
  }
  return rows.join('\n')
}

async function publish(varve: Varve, from: number): Promise<void> {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${varve.mqttPort}`)
  for (let i = from; i < from + 20; i++) {
    const payload = JSON.stringify({
      temperature: 21 + i / 10,
      rssi: -70 - (i % 3),
      state: i % 2 ? 'on' : 'off'
    })
    await client.publishAsync('site1/dev7/telemetry', payload, { qos: 1, retain: i % 5 === 0 })
    await client.publishAsync('site1/dev7/raw', Buffer.from([0, 255, i, 0x80]), { qos: 2, retain: true })
  }
  await client.publishAsync('site1/dev8/telemetry', '{"broken":', { qos: 1 })
  await client.endAsync()
}

async function fill(varve: Varve): Promise<void> {
  await post(varve, '/write?precision=s', lines(FIRST_S, 400))
  await publish(varve, 0)
  await post(varve, '/v1/flush')
  await post(varve, '/write?precision=s', lines(FIRST_S + DAY_S, 100))
  await post(varve, '/write?precision=s', 'climate,site=a,room=kitchen temperature=-3.25 1700006430')
  await post(varve, '/v1/flush')
  const { jobs } = await ask<{ jobs: { name: string }[] }>(varve, '/v1/status')
  for (const { name } of jobs) await post(varve, `/v1/run-job?name=${encodeURIComponent(name)}`)
  await post(varve, '/write?precision=s', lines(FIRST_S + 2 * DAY_S, 30))
  await publish(varve, 20)
}

const [target] = process.argv.slice(2)
if (target === undefined || existsSync(target))
  throw new Error('Cannot make the example: give a directory that does not exist')
const dataDir = mkdtempSync(join(tmpdir(), 'varve-example-'))
const varve = await startVarve({ dataDir, flags })
try {
  await fill(varve)
  mkdirSync(target, { recursive: true })
  for (const { file, path } of examples) {
    const reply = await fetch(`${varve.httpUrl}${path}`)
    if (!reply.ok) throw new Error(`Cannot ask ${path}: ${reply.status} ${await reply.text()}`)
    writeFileSync(join(target, file), await reply.text())
  }
} finally {
  await varve.stop('SIGKILL')
}
for (const name of runtimeFiles) rmSync(join(dataDir, name), { force: true })
cpSync(dataDir, join(target, 'data'), { recursive: true })
rmSync(dataDir, { recursive: true })
