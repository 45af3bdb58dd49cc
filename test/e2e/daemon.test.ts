// The program as a gateway owner uses it: devices publish and write, the process is killed and started
// again, the directory is read in place.
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ask, type LastAnswer } from '../../scripts/varve-process.ts'
import { connect, firstMessage, runHere, runVarve, serve, temporary, write } from './daemon.ts'

const ANY_PORTS = ['mqtt.port', 'mqtt.ws_port', 'http.port'].flatMap(key => [`--${key}`, '0'])
const TELEMETRY = '{"temperature":21.4,"rssi":-70,"state":"on"}'

t.test('what was acknowledged over MQTT and HTTP is there after SIGKILL, bit for bit', async t => {
  const dir = temporary(t)
  const before = await serve(t, dir)
  const client = await connect(t, before)
  const odd = Buffer.from([0, 255, 7, 0x80, 10])
  await client.publishAsync('site1/dev7/telemetry', TELEMETRY, { qos: 1, retain: true })
  await client.publishAsync('site1/dev7/raw', odd, { qos: 2, retain: true })
  t.same(await write(before, 'm,host=a value=1.5,up=t,note="x y" 1700000000\n', '?precision=s'), [204, ''])
  client.end(true)
  t.equal(await before.stop('SIGKILL'), 'SIGKILL')

  const after = await serve(t, dir)
  const { series } = await ask<LastAnswer>(after, '/v1/last?topic=site1/dev7/telemetry')
  t.same(Object.fromEntries(series.map(({ name, value }) => [name, value])), JSON.parse(TELEMETRY))
  const { messages } = await ask<{ messages: object[] }>(after, '/v1/history?topic=site1/dev7/telemetry')
  t.match(messages, [{ topic: 'site1/dev7/telemetry', fields: JSON.parse(TELEMETRY) }])
  const written = await ask<LastAnswer>(after, '/v1/last?match=%7Bhost%3D"a"%7D')
  t.same(
    written.series.map(({ name, time_us: timeUs, value }) => [name, timeUs, value]),
    [
      ['m', 1_700_000_000_000_000, 1.5],
      ['m_up', 1_700_000_000_000_000, true],
      ['m_note', 1_700_000_000_000_000, 'x y']
    ]
  )
  t.same(await firstMessage(t, after, 'site1/+/telemetry'), ['site1/dev7/telemetry', Buffer.from(TELEMETRY)])
  t.same(await firstMessage(t, after, 'site1/dev7/raw'), ['site1/dev7/raw', odd])

  await t.test('a second daemon on the directory is refused and says who has it', async t => {
    const second = await runVarve('serve', '--data', dir, ...ANY_PORTS)
    t.equal(second.code, 2)
    t.match(second.err, `process ${after.pid} has it open`)
  })

  await t.test('commands read the directory beside the daemon, and check finds it sound', async t => {
    const query = await runVarve('query', '--data', dir, 'temperature', '--format', 'csv')
    t.match(query, { code: 0, out: /,temperature,site1\/dev7\/telemetry,21\.4,/ })
    t.match(await runHere('check', dir), { code: 0, out: /^sound: / })
  })

  t.equal(await after.stop('SIGTERM'), 0)
  t.notOk(existsSync(join(dir, 'run.json')), 'an orderly stop removes run.json')
  const wear = await runVarve('wear', '--data', dir)
  t.match(wear, { code: 0, out: /WAL/i })
})

t.test('mosquitto clients publish and subscribe', { skip: !hasMosquitto() && 'not installed' }, async t => {
  const varve = await serve(t, temporary(t))
  const to = ['-h', '127.0.0.1', '-p', String(varve.mqttPort)]
  execFileSync('mosquitto_pub', [...to, '-t', 'a/b', '-q', '1', '-r', '-m', '42.5'])
  const got = execFileSync('mosquitto_sub', [...to, '-t', 'a/#', '-C', '1', '-W', '5', '-F', '%t %p %r'])
  t.equal(String(got), 'a/b 42.5 1\n')
  const { series } = await ask<LastAnswer>(varve, '/v1/last')
  t.match(series, [{ name: 'b', labels: { topic: 'a/b' }, value: 42.5 }])
})

t.test('check names a damaged file and exits with 3', async t => {
  const dir = temporary(t)
  const varve = await serve(t, dir)
  for (let i = 0; i < 3; i++) await write(varve, `m value=${i} 170000000${i}\n`, '?precision=s')
  await varve.stop('SIGKILL')
  const wal = join(dir, 'wal', readdirSync(join(dir, 'wal'))[0]!)
  spawnSync('dd', ['if=/dev/zero', `of=${wal}`, 'bs=1', 'seek=40', 'count=8', 'conv=notrunc'])
  t.match(await runVarve('check', dir), { code: 3, out: /wal\/000001\.wal at byte 0/ })
  const again = await serve(t, dir)
  t.match(again.said(), 'damage found')
  const { series } = await ask<LastAnswer>(again, '/v1/last')
  t.match(series, [{ value: 2 }], 'what was not hit is served')
})

t.test('a read-only directory is refused with a clear message', async t => {
  const dir = temporary(t)
  chmodSync(dir, 0o500)
  t.teardown(() => chmodSync(dir, 0o700))
  if (process.getuid?.() === 0) {
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'ro,size=1m', 'tmpfs', dir])
    if (mounted.status !== 0) return t.pass('root may write anywhere here, and nothing can be mounted')
    t.teardown(() => void spawnSync('umount', [dir]))
  }
  const ran = await runVarve('serve', '--data', dir, ...ANY_PORTS)
  t.equal(ran.code, 2)
  t.match(ran.err, /VARVE_READ_ONLY|read-only/)
})

t.test('config check says what is wrong with a file, and where', async t => {
  const file = join(temporary(t), 'varve.toml')
  writeFileSync(file, '[ack]\ndelay_max = "5s"\n')
  t.match(await runHere('config', 'check', file), { code: 0 })
  writeFileSync(file, '[ack]\ndelay_max = "5 bananas"\n')
  t.match(await runHere('config', 'check', file), { code: 1, err: /ack\.delay_max/ })
})

function hasMosquitto(): boolean {
  return spawnSync('mosquitto_pub', ['--help']).error === undefined
}
