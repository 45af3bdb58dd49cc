// systemd's side of the protocol is played by python3, which can open a unix datagram socket; systemd-notify
// is the real one. Where either is missing the tests of the wire are skipped.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import type { VarveError } from '../../src/base/errors.ts'
import { type NotifyOptions, SystemdNotifier, watchdogMs } from '../../src/daemon/notify.ts'
import { localUrl, parseRunFile, printRunFile } from '../../src/daemon/run-file.ts'

const RECEIVER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('bound', flush=True)
while True:
    data, fds, flags, address = socket.recv_fds(s, 4096, 4)
    for fd in fds:
        import os
        os.close(fd)
    print(repr(data.decode()), flush=True)
`

const missing = ['python3', 'systemd-notify'].find(program => spawnSync(program, ['--version']).status !== 0)
const skip = missing === undefined ? false : `${missing} is not here`

/** A bound receiver, and what it heard so far. */
async function receiver(t: Test): Promise<{ socket: string; heard: string[] }> {
  // A socket's path has at most 107 bytes, which a test directory exceeds.
  const dir = mkdtempSync(join(tmpdir(), 'varve-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  const socket = join(dir, 'notify')
  const child: ChildProcess = spawn('python3', ['-c', RECEIVER, socket], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(() => void child.kill())
  const heard: string[] = []
  let rest = ''
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()!
    for (const line of lines) if (line !== 'bound') heard.push(line)
  })
  await once(child.stdout!, 'data')
  return { socket, heard }
}

/** What systemd heard, when it is so many messages: the receiver is a process of its own, and has its own time. */
async function told(heard: readonly string[], count: number): Promise<string[]> {
  const messages = () => heard.filter(line => !line.includes('BARRIER'))
  while (messages().length < count) await sleep(2)
  return messages()
}

function open(env: Record<string, string>, more: Partial<NotifyOptions> = {}) {
  const faults: VarveError[] = []
  const notifier = SystemdNotifier.open({
    env: { PATH: process.env.PATH, ...env },
    pid: process.pid,
    clock: systemClock,
    alive: () => true,
    onFault: error => faults.push(error),
    ...more
  })
  return { notifier, faults }
}

t.test('SystemdNotifier sends ready, status and stopping in order', { skip }, async t => {
  const { socket, heard } = await receiver(t)
  const { notifier, faults } = open({ NOTIFY_SOCKET: socket })
  void notifier!.ready('listening on\n1883')
  void notifier!.status('100 samples/s')
  void notifier!.stopping()
  await notifier!.close()
  t.same(faults, [])
  t.same(await told(heard, 3), [
    `'READY=1\\nMAINPID=${process.pid}\\nSTATUS=listening on 1883'`,
    `'STATUS=100 samples/s'`,
    `'STOPPING=1\\nSTATUS=stopping'`
  ])
})

t.test(
  'SystemdNotifier feeds the watchdog every half period, while the daemon is alive',
  { skip },
  async t => {
    const { socket, heard } = await receiver(t)
    let alive = true
    const timers: (() => void)[] = []
    const waits: number[] = []
    const clock = {
      ...systemClock,
      after(ms: number, callback: () => void) {
        waits.push(ms)
        timers.push(callback)
        return () => {}
      }
    }
    const { notifier } = open(
      { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '60000000', WATCHDOG_PID: String(process.pid) },
      { alive: () => alive, clock }
    )
    await notifier!.ready('up')
    for (const state of [true, false, true]) {
      alive = state
      timers.shift()!()
      await notifier!.status('x')
    }
    await notifier!.close()
    t.same(waits, [30_000, 30_000, 30_000, 30_000])
    // Ready, three times a status, and the watchdog.
    const messages = await told(heard, 6)
    t.equal(messages.filter(line => line.includes('WATCHDOG=1')).length, 2)
  }
)

t.test('SystemdNotifier is silent without systemd, and reports what cannot be sent', async t => {
  t.equal(open({}).notifier, null)
  t.equal(open({ NOTIFY_SOCKET: '' }).notifier, null)
  const { notifier, faults } = open({ NOTIFY_SOCKET: '/nowhere' }, { program: '/nowhere/systemd-notify' })
  await notifier!.ready('up')
  await notifier!.close()
  t.match(faults, [{ code: 'VARVE_NOTIFY', message: /^Cannot tell systemd READY=1: / }])
})

t.test('watchdogMs() takes the period that is meant for us', async t => {
  t.equal(watchdogMs({ WATCHDOG_USEC: '30000000' }, 7), 30_000)
  t.equal(watchdogMs({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }, 7), 30_000)
  t.equal(watchdogMs({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }, 7), null)
  for (const bad of ['', '0', '-1', 'x', '1.5']) t.equal(watchdogMs({ WATCHDOG_USEC: bad }, 7), null, bad)
})

t.test('run.json comes back as it was written, and nothing else is taken for it', async t => {
  const facts = {
    pid: 5,
    version: '0.1.0',
    startedUs: 17,
    mqtt: { host: null, port: 1883 },
    ws: null,
    tls: null,
    http: { host: '::1', port: 8086 },
    resp: { host: '127.0.0.1', port: 6379 }
  }
  t.same(parseRunFile(printRunFile(facts)), facts)
  for (const text of ['', '{', 'null', '[]', '5', '{"pid":1}', printRunFile(facts).replace('8086', '0')]) {
    t.throws(() => parseRunFile(text), { code: 'VARVE_RUN_FILE' }, text)
  }
  t.equal(localUrl({ host: null, port: 1 }), 'http://127.0.0.1:1')
  t.equal(localUrl({ host: '::1', port: 1 }), 'http://[::1]:1')
})
