// Following what comes in: server-sent events as curl and `varve tail` see them.
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { programs, type Varve } from '../../scripts/varve-process.ts'
import { readEvents, type ServerEvent } from '../../src/cli/server-events.ts'
import { connect, serve, temporary, until, write } from './daemon.ts'

/** Events of a stream, gathered as they come. */
async function follow(t: Test, varve: Varve, query: string): Promise<ServerEvent[]> {
  const stop = new AbortController()
  t.teardown(() => stop.abort())
  const response = await fetch(`${varve.httpUrl}/v1/tail${query}`, { signal: stop.signal })
  t.equal(response.status, 200)
  t.match(response.headers.get('content-type'), 'text/event-stream')
  const events: ServerEvent[] = []
  void (async () => {
    try {
      for await (const event of readEvents(response.body!)) events.push(event)
    } catch (error) {
      if (!stop.signal.aborted) throw error
    }
  })()
  return events
}

function rows(events: readonly ServerEvent[]) {
  return events.filter(({ event }) => event === 'message').map(({ data }) => JSON.parse(data))
}

t.test('a follower is told of every row that matches once, whatever brought it', async t => {
  const varve = await serve(t, temporary(t), '--http.tail_clients_max', '2')
  const all = await follow(t, varve, '')
  const some = await follow(
    t,
    varve,
    `?topic=${encodeURIComponent('site1/#')}&match=${encodeURIComponent('{__name__=~"temp.*"}')}`
  )
  const refused = await fetch(`${varve.httpUrl}/v1/tail`)
  t.equal(refused.status, 503)
  t.match(await refused.json(), { code: 'VARVE_TAIL_CLIENTS' })
  t.equal((await fetch(`${varve.httpUrl}/v1/tail?limit=1`)).status, 400)
  const client = await connect(t, varve)
  await client.publishAsync('site1/dev7/telemetry', '{"temperature":21.5,"state":"on","ok":true}', { qos: 1 })
  await client.publishAsync('site2/dev1/telemetry', '{"temperature":1}', { qos: 1 })
  await write(varve, 'm,host=a value=1.5,big=9007199254740992 1700000000\n', '?precision=s')
  const more = Array.from(
    { length: 500 },
    (_, i) => `{"time_us":${i},"name":"i","fields":{"n":${i}}}\n`
  ).join('')
  await fetch(`${varve.httpUrl}/v1/import`, { method: 'POST', body: more })
  await until(() => rows(all).length >= 503)
  t.same(
    rows(all).map(({ name, fields }) => [name, fields]),
    [
      ['', { temperature: 21.5, state: 'on', ok: true }],
      ['', { temperature: 1 }],
      ['m', { value: 1.5, big: 9007199254740992 }],
      ...Array.from({ length: 500 }, (_, i) => ['i', { n: i }])
    ]
  )
  t.match(rows(some), [{ labels: { topic: 'site1/dev7/telemetry' }, fields: { temperature: 21.5 } }])
  t.same(
    rows(some).map(({ fields }) => Object.keys(fields)),
    [['temperature']],
    'only what matches of a row'
  )
  const metrics = await (await fetch(`${varve.httpUrl}/metrics`)).text()
  for (const line of [
    'import_rows_total 500',
    'import_rows_refused_total 0',
    'tail_rows_total 504',
    'tail_rows_dropped_total 0',
    'tail_clients 2'
  ])
    t.match(metrics, new RegExp(`^varve_${line}$`, 'm'), line)
  t.equal(await varve.stop('SIGTERM'), 0, 'followers do not hold up the stop')
})

t.test('a follower that does not read is told how many rows it lost, and holds nobody up', async t => {
  const varve = await serve(t, temporary(t))
  const response = await fetch(`${varve.httpUrl}/v1/tail`)
  const reader = response.body!.getReader()
  await reader.read()
  // 40 MB of rows: far more than sockets and the bound hold.
  const long = 'x'.repeat(20_000)
  for (let batch = 0; batch < 8; batch++) {
    const body = Array.from(
      { length: 250 },
      (_, i) => `m s="${long}",i=${batch * 250 + i}i ${batch * 250 + i}`
    ).join('\n')
    t.equal((await write(varve, body, '?precision=s'))[0], 204)
  }
  const decoder = new TextDecoder()
  let [text, seen, dropped] = ['', 0, 0]
  for (let i = 0; seen + dropped < 2000 && i < 20_000; i++) {
    const { value } = await reader.read()
    text += decoder.decode(value, { stream: true })
    const blocks = text.split('\n\n')
    text = blocks.pop()!
    for (const block of blocks) {
      const lost = /^event: dropped\ndata: \{"rows":(\d+)\}$/.exec(block)
      if (lost !== null) dropped += Number(lost[1])
      else if (block.includes('"name":"m"')) seen++
    }
  }
  t.equal(seen + dropped, 2000)
  t.ok(dropped > 0, `${dropped} were left out`)
  await reader.cancel()
})

t.test('varve tail prints rows until it has enough', async t => {
  const varve = await serve(t, temporary(t))
  const [command, ...before] = programs.source
  const args = [...before, 'tail', '--url', varve.httpUrl, '--limit', '2', 'm']
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.on('data', piece => (out += piece))
  const ended = new Promise(resolve => child.once('close', resolve))
  for (let i = 0; out.split('\n').length < 3; i++) {
    await write(varve, `m,a=b value=${i} ${1000 + i}\n`, '?precision=s')
    await sleep(100)
  }
  t.equal(await ended, 0)
  t.match(out, /^\{"time_us":\d+,"name":"m","labels":\{"a":"b"\},"fields":\{"value":\d+\}\}\n/)
})
