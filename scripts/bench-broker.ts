// How fast the broker alone takes and delivers messages: a sink that keeps nothing, a gate that is always
// open, pre-encoded packets over loopback, against mosquitto in the same run on the same work.
//
//   node scripts/bench-broker.ts [--seconds=3] [--connections=50] [--only=fast|aedes|mosquitto] [--profile]
//
// The load generator runs in a process of its own and shares the machine with the broker, so rates are of
// both together; compare rows of one run. CPU per message is of the broker's process alone.
// Bound: 50,000 messages/s of QoS 0 with one subscriber on '#' (exit code 1 below it).
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import mqttPacket from 'mqtt-packet'
import { systemClock } from '../src/base/clock.ts'
import { Broker } from '../src/broker/server.ts'

const boundPerSecond = 50_000
const payload =
  '{"temperature":21.4,"humidity":40.1,"battery":3011,"power":12.25,"count":123456,"state":"on!!!"}'

interface Load {
  port: number
  qos: 0 | 1
  subscribers: number
  connections: number
  seconds: number
}

interface Outcome {
  published: number
  acked: number
  delivered: number
  seconds: number
}

function flag(name: string, otherwise: number): number {
  const found = process.argv.find(arg => arg.startsWith(`--${name}=`))
  return found === undefined ? otherwise : Number(found.slice(name.length + 3))
}

function encode(packet: object): Buffer {
  return mqttPacket.generate(packet as never)
}

async function open(port: number, clientId: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  socket.write(
    encode({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId, clean: true, keepalive: 0 })
  )
  await once(socket, 'data')
  return socket
}

/** Counts whole packets of one size that a socket receives. */
function count(socket: Socket, packetBytes: number, add: (n: number) => void): void {
  let rest = 0
  socket.on('data', chunk => {
    rest += chunk.length
    const whole = Math.floor(rest / packetBytes)
    rest -= whole * packetBytes
    add(whole)
  })
}

function lastAnswer(socket: Socket): Promise<void> {
  socket.write(Buffer.from([0xc0, 0]))
  return new Promise(resolve => {
    socket.on('data', chunk => {
      if ((chunk as Buffer).at(-2) === 0xd0 || chunk.length === 1) resolve()
    })
  })
}

/** Publishes as fast as sockets take it, QoS 1 with at most 500 unacknowledged a connection. */
async function generate(load: Load): Promise<Outcome> {
  const outcome: Outcome = { published: 0, acked: 0, delivered: 0, seconds: 0 }
  const topic = 'site1/dev00/telemetry'
  const delivery = encode({ cmd: 'publish', topic, payload, qos: 0 })
  for (let i = 0; i < load.subscribers; i++) {
    const socket = await open(load.port, `sub${i}`)
    socket.write(encode({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 0 }] }))
    await once(socket, 'data')
    count(socket, delivery.length, n => {
      outcome.delivered += n
    })
  }
  const batch = 100
  const publishers: Socket[] = []
  let running = true
  for (let i = 0; i < load.connections; i++) publishers.push(await open(load.port, `pub${i}`))
  const started = performance.now()
  for (const [i, socket] of publishers.entries()) {
    const own = topic.replace('00', String(i).padStart(2, '0'))
    const packets = Array.from({ length: batch }, (_, n) =>
      encode({ cmd: 'publish', topic: own, payload, qos: load.qos, messageId: n + 1 })
    )
    const bytes = Buffer.concat(packets)
    let unacked = 0
    const pump = (): void => {
      while (running && (load.qos === 0 || unacked <= 400)) {
        outcome.published += batch
        unacked += batch
        if (!socket.write(bytes)) return
      }
    }
    socket.on('drain', pump)
    if (load.qos === 1) {
      count(socket, 4, n => {
        outcome.acked += n
        unacked -= n
        pump()
      })
    }
    setImmediate(pump)
  }
  await new Promise(resolve => setTimeout(resolve, load.seconds * 1000))
  running = false
  // What lies in socket buffers is not handled yet: a PINGREQ is answered after everything before it.
  await Promise.all(publishers.map(socket => lastAnswer(socket)))
  outcome.seconds = (performance.now() - started) / 1000
  for (const socket of publishers) socket.destroy()
  return outcome
}

/** The varve broker in a process of its own, so that its CPU is its own. */
async function serve(): Promise<void> {
  const gate = { syncedGroup: 0, pendingBytes: 0, onSynced() {}, onFailed() {}, note() {} }
  const broker = await Broker.open({
    clock: systemClock,
    sink: { publish: () => 0 },
    gate,
    retained: null,
    auth: { allowAnonymous: true, users: [] },
    listen: [{ transport: 'tcp', host: '127.0.0.1', port: 0 }],
    fastPath: process.argv.includes('--no-fast-path') === false,
    sysMs: 0,
    version: 'bench',
    log: { info() {}, warn() {} }
  })
  process.on('message', () => process.send!(broker.stats))
  process.send!(broker.listeners[0]!.port)
}

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function peakMegabytes(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
}

async function startVarve(fastPath: boolean): Promise<{ child: ChildProcess; port: number }> {
  const profile = process.argv.includes('--profile') ? ['--cpu-prof', '--cpu-prof-dir=.cache'] : []
  const child = fork(import.meta.filename, ['--serve', ...(fastPath ? [] : ['--no-fast-path'])], {
    execArgv: profile
  })
  const [port] = (await once(child, 'message')) as [number]
  return { child, port }
}

async function startMosquitto(): Promise<{ child: ChildProcess; port: number } | null> {
  const path = ['/usr/sbin/mosquitto', '/usr/bin/mosquitto'].find(file => existsSync(file))
  if (path === undefined) return null
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  const config = join(mkdtempSync(join(tmpdir(), 'bench-')), 'mosquitto.conf')
  writeFileSync(
    config,
    `listener ${port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 0\nmax_queued_messages 0\n`
  )
  const child = spawn(path, ['-c', config], { stdio: 'ignore' })
  for (let i = 0; i < 100; i++) {
    const socket = connect({ port, host: '127.0.0.1' })
    const ok = await new Promise<boolean>(resolve => {
      socket.on('connect', () => resolve(true))
      socket.on('error', () => resolve(false))
    })
    socket.destroy()
    if (ok) return { child, port }
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  child.kill()
  return null
}

async function measure(name: string, child: ChildProcess, load: Load): Promise<number> {
  const before = cpuSeconds(child.pid!)
  const generator = fork(import.meta.filename, ['--generate', JSON.stringify(load)])
  const [outcome] = (await once(generator, 'message')) as [Outcome]
  const cpu = cpuSeconds(child.pid!) - before
  generator.kill()
  const handled =
    load.qos === 1 ? outcome.acked : load.subscribers > 0 ? outcome.delivered : outcome.published
  const rate = handled / outcome.seconds
  const perMessage = (cpu / handled) * 1e6
  console.log(
    `${name.padEnd(22)} QoS ${load.qos}  ${String(load.subscribers).padStart(3)} subscribers  ` +
      `${Math.round(rate).toLocaleString('en').padStart(10)} messages/s  ${perMessage.toFixed(2).padStart(6)} us CPU  ` +
      `${Math.round(peakMegabytes(child.pid!))} MB peak` +
      (load.subscribers > 0
        ? `  delivered ${((100 * outcome.delivered) / (outcome.published * load.subscribers)).toFixed(0)} %`
        : '')
  )
  return rate
}

async function main(): Promise<void> {
  const connections = flag('connections', 50)
  const seconds = flag('seconds', 3)
  console.log(`machine: ${cpus().length} x ${cpus()[0]!.model}, node ${process.version}`)
  console.log(
    `workload: ${connections} connections, ${payload.length}-byte JSON, ${seconds} s a row, loopback`
  )
  let bounded = 0
  const rows = [
    { qos: 0, subscribers: 0 },
    { qos: 1, subscribers: 0 },
    { qos: 0, subscribers: 1 },
    { qos: 1, subscribers: 1 }
  ] as const
  const only = process.argv.find(arg => arg.startsWith('--only='))
  const ways = [true, false].filter(
    way => only === undefined || only === (way ? '--only=fast' : '--only=aedes')
  )
  for (const fastPath of ways) {
    for (const row of rows) {
      const { child, port } = await startVarve(fastPath)
      const rate = await measure(fastPath ? 'varve' : 'varve, all via aedes', child, {
        ...row,
        connections,
        seconds,
        port
      })
      if (fastPath && row.qos === 0 && row.subscribers === 1) bounded = rate
      child.kill('SIGINT')
      await once(child, 'exit')
    }
  }
  for (const row of only === undefined || only === '--only=mosquitto' ? rows : []) {
    const peer = await startMosquitto()
    if (peer === null) {
      console.log('mosquitto is not installed: not measured')
      break
    }
    await measure('mosquitto', peer.child, { ...row, connections, seconds, port: peer.port })
    peer.child.kill()
    await once(peer.child, 'exit')
  }
  if (!ways.includes(true)) return
  console.log(
    `bound: QoS 0 with one subscriber on '#' >= ${boundPerSecond.toLocaleString('en')} messages/s: ` +
      (bounded >= boundPerSecond ? 'kept' : 'BROKEN')
  )
  process.exitCode = bounded >= boundPerSecond ? 0 : 1
}

if (process.argv.includes('--serve')) {
  process.on('SIGINT', () => process.exit(0))
  await serve()
} else if (process.argv.includes('--generate')) {
  const load = JSON.parse(process.argv[process.argv.indexOf('--generate') + 1]!) as Load
  process.send!(await generate(load))
} else {
  await main()
}
