// SET and GET over RESP, by redis-benchmark, beside Redis with `appendfsync always` in the same run: both acknowledge
// a SET when it is on the medium.
//
//   node scripts/bench-resp.ts [--rounds 3] [--requests 100000] [--program source|binary] [--dir DIR]
//                              [--varve "--flag value"] [--profile DIR] [--before MAIN] [--floor yes]
//                              [--only set,set16,get,get16]
//
// 50 connections, plain and 16 commands ahead, keys of 16 bytes among 100,000, values of 100 bytes. Rounds of all
// take turns; the figure is the median. varve runs with ack.delay_max 0s, which is what `always` means, and a flash.size
// that leaves the wear budget out of it. CPU is of the server, in microseconds a request, all its threads. First 10,000
// connections are opened that say PING and then nothing: what the server's memory grows by is theirs.
// --before measures another source tree too, such as /tmp/old/src/main.ts, and --floor a server that only answers
// (resp-echo.ts): what node:net itself costs, and no store.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { benchArguments } from './bench-arguments.ts'
import { judge, median, printHead, printTable, round } from './bench-report.ts'
import { startVarve } from './varve-process.ts'

const WORKLOADS = [
  { key: 'set', name: 'SET', flags: ['-t', 'set'], ahead: 1, bar: 1 },
  { key: 'set16', name: 'SET, 16 ahead', flags: ['-t', 'set', '-P', '16'], ahead: 4, bar: 1 },
  { key: 'get', name: 'GET', flags: ['-t', 'get'], ahead: 1, bar: 0.5 },
  { key: 'get16', name: 'GET, 16 ahead', flags: ['-t', 'get', '-P', '16'], ahead: 4, bar: 0.5 }
] as const

const IDLE_CONNECTIONS = 10_000
const IDLE_BYTES_MAX = 8192

interface Peer {
  readonly name: 'varve' | 'redis' | 'before' | 'floor'
  readonly port: number
  readonly pid: number
}

async function startRedis(dir: string): Promise<Peer> {
  mkdirSync(dir)
  const port = 20_000 + (process.pid % 20_000)
  const flags = [
    '--port',
    String(port),
    '--dir',
    dir,
    '--appendonly',
    'yes',
    '--appendfsync',
    'always',
    '--save',
    ''
  ]
  const child = spawn('redis-server', flags, { stdio: 'ignore' })
  process.prependListener('exit', () => void child.kill('SIGKILL'))
  for (let i = 0; i < 100; i++) {
    if (
      spawnSync('redis-cli', ['-p', String(port), 'ping'])
        .stdout?.toString()
        .trim() === 'PONG'
    )
      break
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  return { name: 'redis', port, pid: child.pid! }
}

/** CPU seconds that a process has used. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function requestsPerSecond(
  peer: Peer,
  flags: readonly string[],
  requests: number
): { perS: number; cpuUs: number } {
  const all = [
    '-p',
    String(peer.port),
    '-c',
    '50',
    '-n',
    String(requests),
    '-d',
    '100',
    '-r',
    '100000',
    '--csv',
    ...flags
  ]
  const before = cpuSeconds(peer.pid)
  const { stdout, stderr } = spawnSync('redis-benchmark', all)
  const perS = Number(/^"(?:SET|GET)","([\d.]+)"/m.exec(stdout.toString())?.[1])
  if (!Number.isFinite(perS)) throw new Error(`Cannot read redis-benchmark: ${stdout}${stderr}`)
  return { perS, cpuUs: ((cpuSeconds(peer.pid) - before) * 1e6) / requests }
}

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024
}

/** Bytes of memory a connection that is silent. */
async function idleBytes(port: number, pid: number): Promise<number> {
  const before = residentBytes(pid)
  const sockets: Socket[] = []
  for (let i = 0; i < IDLE_CONNECTIONS; i++) {
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    await once(socket, 'connect')
    socket.write('PING\r\n')
    await once(socket, 'data')
  }
  const bytes = residentBytes(pid) - before
  for (const socket of sockets) socket.destroy()
  await new Promise(resolve => setTimeout(resolve, 500))
  return bytes / IDLE_CONNECTIONS
}

async function startOurs(
  name: 'varve' | 'before',
  args: Arguments
): Promise<Peer & { stop(): Promise<unknown> }> {
  const dataDir = join(args.dir, name)
  const profile = name === 'varve' ? args.text('profile') : undefined
  const main = name === 'before' ? args.text('before')! : undefined
  const varve = await startVarve({
    program: args.program,
    ...(main === undefined ? {} : { main }),
    dataDir,
    flags: [
      ...['--resp.enabled', 'true', '--resp.port', '0', '--ack.delay_max', '0s', '--flash.size', '1TiB'],
      ...args.flags
    ],
    ...(profile === undefined ? {} : { env: { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profile}` } })
  })
  const { port } = JSON.parse(readFileSync(join(dataDir, 'run.json'), 'utf8')).resp
  return { name, port, pid: varve.pid, stop: varve.stop }
}

async function startFloor(): Promise<Peer> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'resp-echo.ts')], {
    stdio: ['ignore', 'pipe', 'ignore']
  })
  process.prependListener('exit', () => void child.kill('SIGKILL'))
  const [said] = await once(child.stdout, 'data')
  return { name: 'floor', port: Number(String(said)), pid: child.pid! }
}

type Arguments = ReturnType<typeof benchArguments<(typeof WORKLOADS)[number]['key']>>

async function main(): Promise<void> {
  const args = benchArguments(
    WORKLOADS.map(({ key }) => key),
    ['rounds', 'requests'],
    ['profile', 'before', 'floor']
  )
  const requests = args.number('requests', 100_000)
  printHead('RESP beside Redis', {
    workload: `redis-benchmark, 50 connections, 100-byte values, ${requests} requests (4 times as many when 16 ahead), medians of ${args.number('rounds', 3)}`,
    bounds: [
      "SET at least Redis' with appendfsync always",
      'GET at least half of Redis',
      '8 KiB of memory an idle connection, 10,000 of them'
    ]
  })
  const varve = await startOurs('varve', args)
  const peers: Peer[] = [varve, await startRedis(join(args.dir, 'redis'))]
  if (args.text('before') !== undefined) peers.push(await startOurs('before', args))
  if (args.text('floor') !== undefined) peers.push(await startFloor())
  const idle = await idleBytes(varve.port, varve.pid)
  const rows: Record<string, string | number>[] = []
  const verdicts: [string, number, number][] = []
  for (const { name, flags, ahead, bar } of WORKLOADS.filter(({ key }) => args.names.includes(key))) {
    const found = new Map(peers.map(peer => [peer.name, { perS: [] as number[], cpuUs: [] as number[] }]))
    for (let i = 0; i < args.number('rounds', 3); i++) {
      for (const peer of i % 2 === 0 ? peers : [...peers].reverse()) {
        const { perS, cpuUs } = requestsPerSecond(peer, flags, requests * ahead)
        found.get(peer.name)!.perS.push(perS)
        found.get(peer.name)!.cpuUs.push(cpuUs)
      }
    }
    const [ours, theirs] = [found.get('varve')!, found.get('redis')!]
    const ratio = median(ours.perS) / median(theirs.perS)
    const row: Record<string, string | number> = { workload: name }
    for (const [peer, { perS }] of found) row[`${peer}/s`] = round(median(perS))
    row.ratio = round(ratio)
    for (const [peer, { cpuUs }] of found) row[`${peer} CPU us`] = round(median(cpuUs))
    rows.push(row)
    verdicts.push([name, ratio, bar])
  }
  printTable(rows)
  console.log('')
  for (const [name, ratio, bar] of verdicts) judge(`${name}, of Redis'`, ratio, '>=', bar)
  judge('memory of an idle connection', idle, '<=', IDLE_BYTES_MAX, ' bytes')
  await varve.stop()
}

await main()
process.exit()
