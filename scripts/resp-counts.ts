// What counting costs over RESP: DBSIZE of many keys, and ranks in one large sorted set. CPU of the daemon for each
// command, the first time and the median of later ones, and how long another client waited for a PING meanwhile.
//
//   node scripts/resp-counts.ts [--members 1000000] [--program source|binary] [--main OTHER/src/main.ts] [--dir DIR]
//
// --main runs the sources of another tree, to compare with.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { benchArguments } from './bench-arguments.ts'
import { median, printTable } from './bench-report.ts'
import { RespPeer, shown } from './resp-peer.ts'
import { startVarve } from './varve-process.ts'

const AT_ONCE = 1000
const REPEATS = 5
const TICKS_PER_S = 100

/** CPU of all threads so far, ms: user and system ticks. */
function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_S
}

async function load(peer: RespPeer, members: number): Promise<void> {
  for (let i = 0; i < members; i += AT_ONCE) {
    const pairs = ['MSET']
    const scored = ['ZADD', 'scores']
    for (let n = i; n < Math.min(i + AT_ONCE, members); n++) {
      pairs.push(`key:${String((n * 7919) % members).padStart(12, '0')}`, 'x'.repeat(100))
      scored.push(String((n * 104_729) % members), `member:${String(n).padStart(9, '0')}`)
    }
    await peer.all([pairs, scored])
  }
}

async function main(): Promise<void> {
  const args = benchArguments(['resp'], ['members'], ['main'])
  const members = args.number('members', 1_000_000)
  const dataDir = join(args.dir, 'varve')
  const source = args.text('main')
  const varve = await startVarve({
    program: args.program,
    ...(source === undefined ? {} : { main: source }),
    dataDir,
    flags: ['--resp.enabled', 'true', '--resp.port', '0', '--flash.size', '1TiB', ...args.flags]
  })
  const { port } = JSON.parse(readFileSync(join(dataDir, 'run.json'), 'utf8')).resp
  const [peer, other] = [await RespPeer.open({ port }), await RespPeer.open({ port })]
  await load(peer, members)
  await fetch(`${varve.httpUrl}/v1/flush`, { method: 'POST' })
  const middle = `member:${String(members >> 1).padStart(9, '0')}`
  const commands = [
    ['DBSIZE'],
    ['ZRANK', 'scores', middle],
    ['ZREVRANK', 'scores', middle],
    ['ZCOUNT', 'scores', '100', String(members - 100)],
    ['ZRANGE', 'scores', String(members >> 1), String((members >> 1) + 1)]
  ]
  const rows: Record<string, string | number>[] = []
  for (const words of commands) {
    const spent: number[] = []
    let pingMs = 0
    let reply = ''
    for (let i = 0; i <= REPEATS; i++) {
      const before = cpuMs(varve.pid)
      const asked = peer.one(...words)
      const started = performance.now()
      await other.one('PING')
      pingMs = Math.max(pingMs, performance.now() - started)
      reply = shown(await asked)
      spent.push(cpuMs(varve.pid) - before)
    }
    const [first, ...later] = spent
    rows.push({
      ...{ command: words[0]!, reply: reply.slice(0, 24) },
      ...{ 'first CPU ms': first!, 'CPU ms': median(later), 'slowest PING ms': Math.round(pingMs) }
    })
  }
  printTable(rows)
  for (const one of [peer, other]) one.close()
  await varve.stop()
}

await main()
