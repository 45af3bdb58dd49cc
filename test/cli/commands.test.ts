import { spawnSync } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { VarveError } from '../../src/base/errors.ts'
import type { Answerer, CheckStep, RunningDaemon } from '../../src/cli/doors.ts'
import { COMMANDS } from '../../src/cli/run.ts'
import { ledgerBody } from '../../src/cli/wear-body.ts'
import type { Config } from '../../src/config/schema.ts'
import { printRunFile } from '../../src/daemon/run-file.ts'
import { LEDGER } from './example-ledger.ts'
import { type Handle, runWith } from './kit.ts'

const main = new URL('../../src/main.ts', import.meta.url).pathname

/** The real process. */
function varve(...argv: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...argv], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH }
  })
  return { code: status, out: stdout, err: stderr }
}

t.test('the process prints help that teaches, and exits as it says', async t => {
  const dir = t.testdir({ 'good.toml': '[ack]\ndelay_max = "2s"\n', 'bad.toml': '[ack]\ndelay_mx = "2s"\n' })
  const version = varve('version')
  t.match(version, { code: 0, out: /^varve \d+\.\d+\.\d+ \(node / })
  t.match(varve(), { code: 1, out: /Usage: varve <command>/ })
  t.match(varve('--help'), { code: 0, out: /serve .*\n {2}query/ })
  t.match(varve('config', 'check', `${dir}/good.toml`), { code: 0, out: /is sound/ })
  const bad = varve('config', 'check', `${dir}/bad.toml`)
  t.equal(bad.code, 1)
  t.equal(
    bad.err,
    `Cannot use ack.delay_mx at ${dir}/bad.toml:2: there is no key ack.delay_mx; did you mean ack.delay_max?\n`
  )
  t.match(varve('wear', '--data', '/nowhere', '--size', '5 parsecs'), { err: /^Cannot / })
})

t.test('every command has a page with usage, exit codes and examples', async t => {
  for (const command of COMMANDS) {
    for (const argv of [
      ['help', command.name],
      [command.name, '--help']
    ]) {
      const { code, out } = await runWith(argv)
      t.equal(code, 0)
      t.match(out, new RegExp(`^Usage: varve ${command.name}`))
      t.match(out, /\nExit: 0 .*1 usage/)
      t.match(out, /\nExamples?:\n {2}(varve|VARVE_)/)
      t.ok(
        out.split('\n').every(line => line.length <= 110),
        'lines are short'
      )
      for (const { flags } of command.options) t.ok(out.includes(flags), flags)
    }
  }
})

t.test('wrong usage is answered on standard error with 1', async t => {
  for (const argv of [
    ['nope'],
    ['check'],
    ['check', 'a', 'b'],
    ['version', '--nope'],
    ['query', '--from'],
    ['serve', '--mqtt.port'],
    ['serve', '--mqtt.prot', '1'],
    ['config', 'nope'],
    ['help', 'nope'],
    ['query', '--chart'],
    ['query', '--format', 'xml'],
    ['query', 'x', '--from', 'yesterday'],
    ['query', 'x', '--step', '5'],
    ['serve', '--config', '/nowhere.toml']
  ]) {
    const { code, out, err } = await runWith(argv)
    t.match({ code, out, err }, { code: 1, out: '', err: /^Cannot .*\n$/ }, argv.join(' '))
  }
})

/** A daemon that tells what happens to it. */
function fakeDaemon(told: string[], failed: Promise<never> = new Promise(() => {})) {
  let config: Config | null = null
  const started = Promise.withResolvers<void>()
  const daemon: RunningDaemon = {
    stop: async () => void told.push('stop'),
    reload: next => void told.push(`reload ${next.ack.delayMax}`),
    alive: () => true,
    failed
  }
  return {
    config: () => config!,
    /** Calls when the command has had its daemon for a turn. */
    whenStarted: (then: () => void) => void started.promise.then(() => setImmediate(then)),
    startDaemon: async (given: Config) => {
      config = given
      told.push(`start ${given.mqtt.port}`)
      started.resolve()
      return daemon
    }
  }
}

t.test('serve starts with its configuration, reloads on SIGHUP and stops on SIGTERM', async t => {
  const dir = t.testdir({
    'varve.toml': '[mqtt]\nport = 0\n',
    'conf.d': { 'b.toml': '[ack]\ndelay_max = "3s"', 'a.txt': '!' }
  })
  const told: string[] = []
  const { startDaemon, whenStarted, config } = fakeDaemon(told)
  const ran = await runWith(
    ['serve', '--config', `${dir}/varve.toml`, '--data', `${dir}/data`, '--http.port=0'],
    {
      doors: { startDaemon },
      env: { VARVE_ACK__DELAY_MAX: '2s' },
      during: handle =>
        whenStarted(() => {
          handle.signal('SIGHUP')
          handle.signal('SIGTERM')
        })
    }
  )
  t.equal(ran.code, 0, ran.err)
  t.same(told, ['start 0', 'reload 2000', 'stop'])
  t.equal(config().data.dir, `${dir}/data`)
  t.equal(config().http.port, 0)
  t.match(ran.err, /"because":"SIGTERM"/)
})

t.test('serve ends with 2 when the daemon cannot start or go on, 3 on corruption', async t => {
  const refused = new VarveError('VARVE_LOCKED', 'Cannot open d: another process has it')
  const startDaemon = async () => {
    throw refused
  }
  t.match(await runWith(['serve'], { doors: { startDaemon } }), { code: 2, err: `${refused.message}\n` })
  const told: string[] = []
  const failing = Promise.withResolvers<never>()
  const failed = fakeDaemon(told, failing.promise)
  failed.whenStarted(() => failing.reject(new VarveError('VARVE_CORRUPTION', 'Cannot read')))
  const ran = await runWith(['serve'], { doors: { startDaemon: failed.startDaemon } })
  t.equal(ran.code, 3)
  t.same(told, ['start 1883', 'stop'], 'what can be saved is saved')
})

t.test('serve ends at once on the second signal', async t => {
  let handle: Handle | null = null
  const told: string[] = []
  const { startDaemon, whenStarted } = fakeDaemon(told)
  await runWith(['serve'], {
    doors: { startDaemon },
    during(given) {
      handle = given
      whenStarted(() => {
        given.signal('SIGINT')
        given.signal('SIGINT')
      })
    }
  })
  t.match(handle!.aborted, [{ message: 'Cannot stop in order: second SIGINT' }])
})

const ROWS = Array.from({ length: 30 }, (_, i) => ({
  name: 'temperature',
  labels: { topic: 'a/b', site: 'x' },
  time_us: (Date.UTC(2026, 0, 2, 10) + i * 60_000) * 1000,
  value: 20 + Math.sin(i / 5)
}))

/** Answers with some rows as NDJSON, cut at awkward places, and keeps what was asked. */
function answering(rows: readonly object[], asked: string[]): Answerer {
  return {
    async ask(route, params) {
      asked.push(`${route}?${decodeURIComponent(String(params))}`)
      const bytes = new TextEncoder().encode(rows.map(row => `${JSON.stringify(row)}\n`).join(''))
      return (async function* () {
        for (let at = 0; at < bytes.length; at += 77) yield bytes.subarray(at, at + 77)
      })()
    },
    close: async () => void asked.push('close')
  }
}

t.test('query reads a directory and prints a table, a chart, or what the API gave', async t => {
  const asked: string[] = []
  const doors = {
    async openDirectory(dir: string) {
      asked.push(dir)
      return answering(ROWS, asked)
    }
  }
  const table = await runWith(['query', 'temperature', '--topic', 'a/+', '--data', '/card'], { doors })
  t.equal(table.code, 0, table.err)
  const lines = table.out.split('\n')
  t.match(lines[0], /^series +time +value$/)
  t.match(lines[1], /^temperature\{topic="a\/b",site="x"\} {2}2026-01-0\d \d\d:00:00 +20$/)
  t.equal(lines.length, 32)
  t.same(asked, ['/card', 'last?match=temperature&topic=a/+&format=ndjson', 'close'])

  asked.length = 0
  const chart = await runWith(
    ['query', 'temperature', '--data', '/card', '--from', '-2h', '--step', '60s', '--chart'],
    { doors }
  )
  t.equal(chart.code, 0, chart.err)
  t.match(chart.out, /temperature\{topic="a\/b",site="x"\}/)
  t.match(chart.out, /30 samples, least 19, most 21, last 19\.54/)
  t.ok(chart.out.split('\n').every(line => line.length <= 90))
  t.match(asked[1], /^range\?match=temperature&step=1m&from=1767348000000000&format=ndjson$/)

  asked.length = 0
  const csv = await runWith(['query', '--history', 'a/b', '--data', '/card', '--limit', '5'], {
    doors,
    columns: null
  })
  t.match(asked[1], /^history\?topic=a\/b&limit=5&format=csv$/)
  t.equal(csv.out, ROWS.map(row => `${JSON.stringify(row)}\n`).join(''), 'as it came')
})

t.test(
  'query reports an error that arrives after rows, and control characters do not reach the terminal',
  async t => {
    const asked: string[] = []
    const rows = [
      { name: 'x\u001b[2J', labels: { a: '\u009b' }, time_us: 1, value: 'a\u0007' },
      { code: 'VARVE_QUERY_TIME', message: 'Cannot finish' }
    ]
    const doors = { openDirectory: async () => answering(rows.slice(0, 1), asked) }
    const sound = await runWith(['query', '--data', '/card'], { doors })
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    t.notMatch(sound.out, /[\u0000-\u0009\u001b\u009b]/)
    const messages = {
      openDirectory: async () => answering([{ time_us: 1e15, topic: 'a/b', fields: { t: 2, on: true } }], [])
    }
    const history = await runWith(['query', '--history', 'a/b', '--data', '/card'], { doors: messages })
    t.match(history.out, /^time +topic +t +on\n.* a\/b +2 +true\n$/)
    const failing = await runWith(['query', '--data', '/card'], {
      doors: { openDirectory: async () => answering(rows, asked) }
    })
    t.match(failing, { code: 2, err: 'Cannot finish\n' })
    t.equal(asked.filter(line => line === 'close').length, 2, 'closed on every way out')
  }
)

t.test('query and wear find the daemon through run.json, and say what is wrong when they do not', async t => {
  const seen: string[] = []
  const server = createServer((request, response) => {
    seen.push(`${request.url} ${request.headers.authorization ?? ''}`)
    if (request.url!.startsWith('/v1/wear')) response.end(JSON.stringify(ledgerBody(LEDGER)))
    else if (request.url!.startsWith('/v1/history')) {
      response.write('{"time_us":1,"topic":"a","fields":{"t":2}}\n')
      setTimeout(() => response.destroy(), 20)
    } else if (request.url!.startsWith('/v1/range')) {
      response.statusCode = 400
      response.end(
        JSON.stringify({ code: 'VARVE_SELECTOR', message: 'Cannot read selector at character 2: no' })
      )
    } else if (request.url!.startsWith('/v1/series')) {
      response.statusCode = 401
      response.end('no')
    } else response.end(ROWS.map(row => `${JSON.stringify(row)}\n`).join(''))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const http = { host: null, port }
  const run = printRunFile({
    pid: 1,
    version: '0',
    startedUs: 1,
    mqtt: http,
    ws: null,
    tls: null,
    http,
    resp: null
  })
  const dir = t.testdir({ 'run.json': run, empty: {} })
  const env = { VARVE_DATA__DIR: dir, VARVE_TOKEN: 'hush' }
  const last = await runWith(['query'], { env })
  t.equal(last.code, 0, last.err)
  t.equal(last.out.split('\n').length, 32)
  t.same(seen, ['/v1/last?format=ndjson Bearer hush'])
  t.match(await runWith(['query', '{', '--from', '-1h'], { env }), {
    code: 1,
    err: 'Cannot read selector at character 2: no\n'
  })
  t.match(await runWith(['query', '--series'], { env }), { code: 2, err: /give a token/ })
  t.match(await runWith(['query', '--history', 'a'], { env }), { code: 2, err: /it ends too early\n$/ })
  t.match(await runWith(['wear'], { env }), { code: 0, out: /4\.00 bytes for each of/ })
  server.close()
  server.closeAllConnections()
  t.match(await runWith(['query'], { env }), { code: 2, err: /^Cannot reach http:\/\/127\.0\.0\.1:\d+: / })
  t.match(await runWith(['query'], { env: { VARVE_DATA__DIR: `${dir}/empty` } }), {
    code: 2,
    err: /^Cannot find a running daemon: /
  })
  t.match(await runWith(['query', '--url', 'nope']), { code: 1, err: /^Cannot ask "nope"/ })
})

t.test('check exits 0 for a sound directory, 3 for a damaged one, 2 for none', async t => {
  const steps: CheckStep[] = [{ kind: 'file', file: 'segments/1.seg', bytes: 1024, blocks: 3 }]
  const door = (all: CheckStep[]) => ({
    async *checkDirectory() {
      yield* all
    }
  })
  const sound = await runWith(['check', '/d'], { doors: door(steps) })
  t.match(sound, {
    code: 0,
    out: /^sound: 1 files, 3 blocks, 1 KiB\n$/
  })
  const damage: CheckStep = { kind: 'damage', file: 'segments/1.seg', offset: 8, why: 'checksum' }
  const damaged = await runWith(['check', '--json', '/d'], { doors: door([...steps, damage]) })
  t.equal(damaged.code, 3)
  const lines = damaged.out
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
  t.match(lines, [
    { kind: 'damage', offset: 8 },
    { kind: 'sum', sound: false, damaged: 1, files: 1 }
  ])
  const none = await runWith(['check', '/d'], {
    doors: {
      checkDirectory() {
        throw new VarveError('VARVE_NOT_FOUND', 'Cannot open /d: it is not there')
      }
    }
  })
  t.equal(none.code, 2)
})
