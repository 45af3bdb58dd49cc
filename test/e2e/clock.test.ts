// The daemon on a machine that boots in 1970 and learns the time: what is published meanwhile is served at
// provisional times, flushed, corrected by one record, and read right from the pulled card.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import mqtt from 'mqtt'
import t from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { makeLog } from '../../src/base/log.ts'
import { MADE_US } from '../../src/base/version.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { ClockSource } from '../../src/daemon/clock-source.ts'
import type { SyncState } from '../../src/daemon/clock-trust.ts'
import { startDaemon } from '../../src/daemon/compose.ts'
import { openDirectory } from '../../src/daemon/directory.ts'
import { parseRunFile } from '../../src/daemon/run-file.ts'
import { temporary } from './daemon.ts'

t.test('a daemon without a clock stores what comes, and dates it right once it knows the time', async t => {
  const dir = temporary(t)
  let behindUs = systemClock.nowUs() - 10e6
  let state: SyncState['state'] = 'waiting'
  const clock = { ...systemClock, nowUs: () => systemClock.nowUs() - behindUs }
  const source: ClockSource = {
    kernel: '',
    uptimeMs: () => systemClock.monotonicMs(),
    ask: async () => ({ state, by: 'a test', hasBattery: false })
  }
  const lines: string[] = []
  const log = makeLog({
    level: 'info',
    format: 'json',
    journal: false,
    write: line => lines.push(line),
    now: () => 0
  })
  const config = loadConfig({
    files: [],
    env: {},
    flags: new Map([
      ['mqtt.port', '0'],
      ['mqtt.ws_port', 'off'],
      ['http.port', '0'],
      ['ack.delay_max', '50ms']
    ])
  })
  const daemon = await startDaemon(config, dir, { log, status: () => {} }, { clock, source })
  let isStopped = false
  t.teardown(async () => (isStopped ? undefined : daemon.stop()))
  const { mqtt: at, http } = parseRunFile(readFileSync(join(dir, 'run.json'), 'utf8'))
  const base = `http://127.0.0.1:${http.port}`
  const get = async (path: string) => (await (await fetch(base + path)).json()) as never
  const times = async (query: string): Promise<number[]> => {
    const { series } = (await get(`/v1/range?${query}`)) as { series: { rows: [number, number][] }[] }
    return series.flatMap(one => one.rows.map(row => row[0]))
  }

  const from = systemClock.nowUs()
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${at.port}`)
  for (let n = 0; n < 20; n++) await client.publishAsync('a/b', `{"v":${n}}`, { qos: 1 })
  const body = `w,by=device v=1 ${from * 1000}\nw,by=gateway v=2\n`
  t.equal((await fetch(`${base}/write`, { method: 'POST', body })).status, 204)
  t.match(await get('/health'), {
    status: 'pass',
    parts: { clock: /^not known: times are provisional since 20/ }
  })
  const provisional = await times('match=v&from=-1h')
  t.equal(provisional.length, 20, 'now is the time of the gateway')
  t.ok(provisional.every(us => us >= MADE_US && us < from - 86_400e6))
  t.equal(
    (await times('match=w_v&from=-1h&to=2040-01-01T00:00:00Z')).length,
    2,
    'a device may be years ahead'
  )
  await fetch(`${base}/v1/flush`, { method: 'POST' })
  // Query threads know the segments at provisional times now.
  t.equal((await times('match=v&from=-1h')).length, 20)
  for (let n = 20; n < 30; n++) await client.publishAsync('a/b', `{"v":${n}}`, { qos: 1 })
  t.match(await get('/v1/status'), {
    clock: { known: false, boot: 1, provisional: [{ boot: 1, samples: 31 }] }
  })

  behindUs = 0
  state = 'set'
  while (!lines.some(line => line.includes('clock set'))) await sleep(50)
  t.ok(lines.some(line => /clock set: 31 samples of boot 1 moved by \d+/.test(line)))
  const right = (all: number[]) => all.every(us => us >= from - 5000 && us <= systemClock.nowUs() + 5000)
  const corrected = await times('match=v&from=-1h')
  t.equal(corrected.length, 30)
  t.ok(right(corrected), 'every sample is dated when it came')
  t.same(await times('match=v&to=-1h'), [], 'and nothing is left where it was')
  t.equal((await times('match=w_v&from=-1h')).length, 2)
  t.match(await get('/health'), { parts: { clock: 'ok' } })
  t.match(await get('/v1/status'), {
    clock: { known: true, boot: null, corrected: { samples: 31 }, provisional: [] }
  })
  const metrics = await (await fetch(`${base}/metrics`)).text()
  t.match(metrics, /varve_clock_known 1\n/)
  await client.publishAsync('a/b', '{"v":30}', { qos: 1 })
  await client.endAsync()
  await daemon.stop()
  isStopped = true

  const card = await openDirectory(dir, error => t.fail(String(error)))
  let answer = ''
  for await (const piece of card.ask('range', new URLSearchParams({ match: 'v', from: '-1h' })))
    answer += Buffer.from(piece)
  await card.close()
  const { series } = JSON.parse(answer) as { series: { rows: [number, number][] }[] }
  const rows = series.flatMap(one => one.rows)
  t.same(
    rows.map(row => row[1]),
    Array.from({ length: 31 }, (_, n) => n),
    'in order, none missing'
  )
  t.ok(right(rows.map(row => row[0])), 'a pulled card shows corrected times')
})
