// Everything that a hostile or broken device may send: answered cleanly, everything else goes on, and a
// restart is fine. One daemon takes all of it, and in the end what was good is there.
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { ask, countSamples, type LastAnswer, type Varve } from '../../scripts/varve-process.ts'
import { connect, publishPacket, rawMqtt, sendAndBeClosed, serve, temporary, write } from './daemon.ts'

interface DeadLetters {
  readonly messages: readonly { topic: string; reason: string }[]
}

/** A healthy device publishes and is acknowledged; its value is what /v1/last says. */
async function stillWorks(t: Test, varve: Varve, value: number): Promise<void> {
  const client = await connect(t, varve)
  await client.publishAsync('good/device', String(value), { qos: 1 })
  client.end(true)
  const { series } = await ask<LastAnswer>(varve, '/v1/last?topic=good/device')
  t.match(series, [{ value }], 'a healthy device is served')
}

t.test('bad input is answered cleanly and stops nothing', async t => {
  const dir = temporary(t)
  const varve = await serve(t, dir)

  await t.test('a topic that is no UTF-8, has wildcards, or NUL closes that client only', async t => {
    const topics = [
      Buffer.from([0x61, 0xff, 0xfe]),
      Buffer.from('a/+/b'),
      Buffer.from('a/#'),
      Buffer.from('a\0b')
    ]
    for (const [i, topic] of topics.entries()) {
      const socket = await rawMqtt(t, varve, `bad${i}`)
      t.ok(
        await sendAndBeClosed(socket, publishPacket(topic, Buffer.from('1'))),
        `topic ${topic.toString('hex')}`
      )
    }
    await stillWorks(t, varve, 1)
  })

  await t.test('a remaining length of 256 MB or of 5 bytes closes that client only', async t => {
    const huge = await rawMqtt(t, varve, 'huge')
    t.ok(await sendAndBeClosed(huge, Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1, 0x61])))
    const endless = await rawMqtt(t, varve, 'endless')
    t.ok(await sendAndBeClosed(endless, Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x04])))
    await stillWorks(t, varve, 2)
  })

  await t.test('payloads that are no values go to the dead letters with a reason', async t => {
    const client = await connect(t, varve)
    const nested = `${'{"a":'.repeat(100)}1${'}'.repeat(100)}`
    const payloads: [topic: string, payload: string | Buffer][] = [
      ['bad/nan', '{"v":NaN}'],
      ['bad/infinity', '{"v":Infinity}'],
      ['bad/huge', '{"v":1e400}'],
      ['bad/nested', nested],
      ['bad/utf8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
      ['bad/cut', '{"v":1']
    ]
    for (const [topic, payload] of payloads) await client.publishAsync(topic, payload, { qos: 1 })
    const { series } = await ask<LastAnswer>(varve, '/v1/last?topic=bad/%23')
    t.same(
      series.filter(({ value }) => typeof value === 'number').map(one => one.name),
      [],
      'no number was made up'
    )
    const text = JSON.stringify(await ask<DeadLetters>(varve, '/v1/dead-letter'))
    for (const [topic] of payloads) {
      t.ok(
        text.includes(topic) || series.some(({ labels }) => labels.topic === topic),
        `${topic} is kept or told`
      )
    }
    client.end(true)
    await stillWorks(t, varve, 3)
  })

  await t.test('lines of protocol: a 0xFF byte, odd numbers and far times', async t => {
    const ff = Buffer.concat([Buffer.from('m,host=a'), Buffer.from([0xff]), Buffer.from(' v=1 1700000000\n')])
    const [status, body] = await write(varve, ff, '?precision=s')
    t.equal(status, 400)
    t.match(body, /utf-?8/i)
    for (const value of ['NaN', 'Infinity', '1e400', '']) {
      t.equal((await write(varve, `m v=${value} 1700000000\n`, '?precision=s'))[0], 400, `v=${value}`)
    }
    t.same(await write(varve, 'far v=1 86400\n', '?precision=s'), [204, ''], '1970')
    const [late, why] = await write(varve, 'far v=2 4733510400\n', '?precision=s')
    t.match([late, why], [400, /time outside range/], '2120 is beyond the last time that can be stored')
    const [, none] = await write(varve, 'm v=1 170000000000000000000000\n', '?precision=s')
    t.match(none, /time/, 'a time beyond all bounds')
    t.same(await write(varve, 'm v=7 1700000000\n', '?precision=s'), [204, ''], 'a good line after it')
    await stillWorks(t, varve, 4)
  })

  await t.test('everything good is there after SIGKILL', async t => {
    await varve.stop('SIGKILL')
    const again = await serve(t, dir)
    await stillWorks(t, again, 5)
    const { series } = await ask<LastAnswer>(again, '/v1/last?match=m_v')
    t.match(series, [{ value: 7 }])
    t.equal(await again.stop('SIGTERM'), 0)
  })
})

t.test('more topics than series.max: the first are stored, the rest told with a clear reason', async t => {
  const dir = temporary(t)
  const varve = await serve(t, dir, '--series.max', '200')
  const client = await connect(t, varve)
  await Promise.all(
    Array.from({ length: 1000 }, (_, i) =>
      client.publishAsync(`many/t${i}/v`, '1', { qos: 1 }).catch(() => null)
    )
  )
  const { series } = await ask<LastAnswer>(varve, '/v1/last?topic=many/%23')
  t.ok(series.length > 100 && series.length <= 200, `${series.length} series`)
  t.match(JSON.stringify(await ask(varve, '/v1/dead-letter')), /series.*limit is 200|VARVE_SERIES_LIMIT/)
  const [status, body] = await write(varve, 'another value=1\n')
  t.ok(status >= 400, `${status}`)
  t.match(body, /limit is 200/)
  client.end(true)
  await varve.stop('SIGKILL')
  const again = await serve(t, dir, '--series.max', '200')
  const kept = await ask<LastAnswer>(again, '/v1/last?topic=many/%23')
  t.equal(kept.series.length, series.length, 'all of them are there after SIGKILL')
})

t.test('a full medium refuses what it cannot keep and loses nothing that it acknowledged', async t => {
  const dir = temporary(t)
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=28m', 'tmpfs', dir]).status !== 0) {
    return t.pass('nothing can be mounted here; test/crash/matrix.test.ts fills a simulated medium')
  }
  t.teardown(() => void spawnSync('umount', ['--lazy', dir]))
  const flags = ['--wal.file_size', '4MiB', '--wal.size_max', '8MiB', '--data.reserve', '8MiB']
  const varve = await serve(t, dir, ...flags, '--memory.max', '32MiB')
  const [startMs, rowsOfBatch] = [Date.now() - 600_000, 4000]
  let acknowledged = 0
  let refused: [number, string] | null = null
  for (let batch = 0; batch < 200 && refused === null; batch++) {
    // All in the bucket of now, which is never dropped for want of room; texts that nothing compresses; so many
    // bytes at a time that they are synced at once.
    const lines = Array.from({ length: rowsOfBatch }, (_, i) => {
      const n = batch * rowsOfBatch + i
      return `fill,d=${i % 20} v=${n},s="${randomBytes(60).toString('base64')}" ${startMs + n}`
    })
    const [status, body] = await write(varve, lines.join('\n'), '?precision=ms')
    if (status === 204) acknowledged += rowsOfBatch
    else refused = [status, body]
  }
  t.match(refused, [/^50[37]$/, /bytes free|waiting for a flush/], `refused after ${acknowledged} rows`)
  t.comment(`${acknowledged} rows acknowledged, then ${refused}`)
  t.match(await (await fetch(`${varve.httpUrl}/health`)).text(), /full|refus|space|"status"/)
  t.match(await ask<LastAnswer>(varve, '/v1/last?match=fill_v&limit=1'), { series: [{ name: 'fill_v' }] })
  await varve.stop('SIGKILL')
  spawnSync('mount', ['-o', 'remount,size=200m', dir])
  const again = await serve(t, dir, ...flags)
  t.ok((await countSamples(again, 'fill_v')) >= acknowledged, 'all that was acknowledged is there')
  t.same(await write(again, 'later v=1\n'), [204, ''], 'with room again it takes writes')
})
