// Sends the same random commands to varve and to a real redis-server, and compares every reply, every keyspace
// notification, and at the end of a seed all that the databases hold; then each RESTOREs what the other DUMPs. Prints each seed that differs with the command
// and both replies, and exits 1 when one did.
//
//   node scripts/resp-oracle.ts [--seeds 200] [--first 1] [--calls 300] [--redis redis-server] [--dir DIR]
//
// A seed is replayed by --first N --seeds 1. Half of the seeds speak RESP3. The data directory belongs on fast storage.
// Not compared: the order of sets and hashes, which elements chance chooses, times to live to the last ten seconds, and what
// scripts/resp-commands.ts has no template for.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../src/base/random.ts'
import { benchArguments } from './bench-arguments.ts'
import { anyCall, type Call, type Order } from './resp-commands.ts'
import { type Answer, RespPeer, shown } from './resp-peer.ts'
import { startVarve } from './varve-process.ts'

const DATABASES = ['0', '1', '9']
const TIME_TOLERANCE = 10_000
/** No count of a seed is as large. */
const TIMES_FROM = 900

interface Side {
  readonly peer: RespPeer
  readonly ear: RespPeer
}

function numberOf(answer: Answer): number | null {
  return typeof answer === 'string' && answer.startsWith(':') ? Number(answer.slice(1)) : null
}

/** What must be equal of a reply. */
function essence(answer: Answer, order: Order): string {
  if (order === 'chance') {
    if (typeof answer === 'string')
      return /^[-$]-1|^_/.test(answer) || answer.startsWith('-') ? answer : 'one'
    return `${answer.sign}${answer.items.length}`
  }
  if (order !== 'unordered' || typeof answer === 'string') return shown(answer)
  const items = answer.items.map(item => essence(item, order))
  return `${answer.sign}[${items.sort().join(' ')}]`
}

function isSame(ours: Answer, theirs: Answer, order: Order): boolean {
  if (order === 'time') {
    const [a, b] = [numberOf(ours), numberOf(theirs)]
    if (a !== null && b !== null && a >= TIMES_FROM) return Math.abs(a - b) <= TIME_TOLERANCE
  }
  return essence(ours, order) === essence(theirs, order)
}

/** Replies of EXEC, each compared as its command is. */
function isSameEach(ours: Answer, theirs: Answer, orders: readonly Order[]): boolean {
  if (typeof ours === 'string' || typeof theirs === 'string') return ours === theirs
  const isAsLong = ours.items.length === theirs.items.length
  return (
    isAsLong &&
    ours.items.every((item, i) => {
      const other = theirs.items[i]!
      return isSame(item, other, orders[i] ?? 'as it is') || (orders[i] === 'float' && isClose(item, other))
    })
  )
}

const WHOLE: Readonly<Record<string, (key: string) => Call>> = {
  '+string': key => ({ words: ['GET', key], order: 'as it is' }),
  '+list': key => ({ words: ['LRANGE', key, '0', '-1'], order: 'as it is' }),
  '+set': key => ({ words: ['SMEMBERS', key], order: 'unordered' }),
  '+hash': key => ({ words: ['HGETALL', key], order: 'unordered' }),
  '+zset': key => ({ words: ['ZRANGE', key, '0', '-1', 'WITHSCORES'], order: 'as it is' })
}

/** Sums that Redis rounds to its long double, and varve does not. */
function isClose(ours: Answer, theirs: Answer): boolean {
  if (typeof ours !== 'string' || typeof theirs !== 'string') return false
  const [a, b] = [Number(ours.slice(1)), Number(theirs.slice(1))]
  return Math.abs(a - b) <= 1e-15 * Math.abs(b)
}

const CLOSE = ''

/** Asks both. @returns where they first differ; null: nowhere; CLOSE: from here on they go different ways */
async function compare(ours: Side, theirs: Side, calls: readonly Call[]): Promise<string | null> {
  const words = calls.map(call => call.words)
  const [a, b] = await Promise.all([ours.peer.all(words), theirs.peer.all(words)])
  let queued: Order[] = []
  for (const [i, call] of calls.entries()) {
    const isExec = call.words[0] === 'EXEC'
    const orders = queued
    if (isExec || call.words[0] === 'DISCARD') queued = []
    if (a[i] === '+QUEUED') queued.push(call.order)
    if (call.words[0] === 'SPOP' && call.words.length === 2) return CLOSE
    if (isExec ? isSameEach(a[i]!, b[i]!, orders) : isSame(a[i]!, b[i]!, call.order)) continue
    if (call.order === 'float' && isClose(a[i]!, b[i]!)) return CLOSE
    const before = calls
      .slice(Math.max(0, i - 400), i)
      .filter(one => one.words.some((w, n) => n > 0 && call.words.includes(w)))
    const context = before.slice(-6).map(one => `      ${one.words.join(' ')}`)
    return [
      `${call.words.map(word => JSON.stringify(word)).join(' ')}`,
      `    varve ${shown(a[i]!)}`,
      `    redis ${shown(b[i]!)}`,
      ...context
    ].join('\n')
  }
  return null
}

/** Each takes in what the other gave for a key. */
async function exchangeDumps(ours: Side, theirs: Side, key: string, whole: Call): Promise<string | null> {
  const [a, b] = [await ours.peer.one('DUMP', key), await theirs.peer.one('DUMP', key)]
  const restore = (side: Side, from: Answer) =>
    side.peer.one('RESTORE', key, '0', (from as string).slice(1), 'REPLACE')
  const said = [await restore(ours, b), await restore(theirs, a)].map(shown).join(' ')
  return said === '"+OK" "+OK"' ? compare(ours, theirs, [whole]) : `${key}: ${said}`
}

async function compareWhole(ours: Side, theirs: Side): Promise<string | null> {
  for (const index of DATABASES) {
    const found = await compare(ours, theirs, [
      { words: ['SELECT', index], order: 'as it is' },
      { words: ['KEYS', '*'], order: 'unordered' }
    ])
    if (found !== null) return `in the end, database ${index}: ${found}`
    const keys = (await theirs.peer.one('KEYS', '*')) as { items: readonly string[] }
    for (const key of keys.items.map(item => item.slice(1))) {
      const type = (await theirs.peer.one('TYPE', key)) as string
      const differs = await compare(ours, theirs, [
        { words: ['TYPE', key], order: 'as it is' },
        { words: ['PTTL', key], order: 'time' },
        WHOLE[type]!(key)
      ])
      if (differs !== null) return `in the end: ${differs}`
      const carried = await exchangeDumps(ours, theirs, key, WHOLE[type]!(key))
      if (carried !== null) return `after RESTORE: ${carried}`
    }
  }
  return null
}

/** Notifications until now. */
async function heard({ peer, ear }: Side): Promise<string[]> {
  const end = '$__keyevent@end $end'
  await peer.one('PUBLISH', '__keyevent@end', 'end')
  while (ear.pushed.at(-1) !== end) await sleep(1)
  return ear.pushed.splice(0).slice(0, -1)
}

async function runSeed(ours: Side, theirs: Side, seed: number, count: number): Promise<string | null> {
  const random = new Random(seed)
  for (const { peer } of [ours, theirs]) {
    await peer.all([
      ['DISCARD'],
      ['HELLO', seed % 2 === 0 ? '3' : '2'],
      ['UNWATCH'],
      ['FLUSHALL'],
      ['SELECT', '0']
    ])
  }
  await Promise.all([heard(ours), heard(theirs)])
  const calls = Array.from({ length: count }, () => anyCall(random))
  const end: Call[] = [{ words: ['DISCARD'], order: 'as it is' }]
  const found = await compare(ours, theirs, [...calls, ...end])
  if (found !== null) return found
  const [a, b] = await Promise.all([heard(ours), heard(theirs)])
  // What expired in between did so at another moment here and there.
  if ([...a, ...b].some(line => line.includes(':expired '))) return CLOSE
  const at = b.findIndex((line, i) => line !== a[i])
  if (at >= 0 || a.length !== b.length) {
    const i = at < 0 ? b.length : at
    return `notification ${i}\n    varve ${a[i]}\n    redis ${b[i]}\n      behind ${b.slice(Math.max(0, i - 3), i)}`
  }
  return compareWhole(ours, theirs)
}

async function startRedis(program: string, dir: string): Promise<string> {
  const path = join(dir, 'redis.sock')
  const child = spawn(program, ['--port', '0', '--unixsocket', path, '--save', '', '--dir', dir], {
    stdio: 'ignore'
  })
  process.prependListener('exit', () => void child.kill('SIGKILL'))
  for (let i = 0; !existsSync(path); i++) {
    if (i === 500) throw new Error(`Cannot start ${program}: no socket after 5 s`)
    await sleep(10)
  }
  return path
}

async function sideOf(to: { path: string } | { host: string; port: number }): Promise<Side> {
  const [peer, ear] = [await RespPeer.open(to), await RespPeer.open(to)]
  await peer.one('CONFIG', 'SET', 'notify-keyspace-events', 'AE')
  await ear.one('PSUBSCRIBE', '__keyevent@*')
  return { peer, ear }
}

async function main(): Promise<void> {
  const args = benchArguments(['resp'], ['seeds', 'first', 'calls'], ['redis'])
  const dataDir = join(args.dir, 'varve')
  const flags = [
    '--resp.enabled',
    'true',
    '--resp.port',
    '0',
    '--ack.delay_max',
    '0s',
    '--flash.size',
    '1TiB'
  ]
  const varve = await startVarve({ program: args.program, dataDir, flags: [...flags, ...args.flags] })
  const { port } = JSON.parse(readFileSync(join(dataDir, 'run.json'), 'utf8')).resp
  const ours = await sideOf({ host: '127.0.0.1', port })
  const theirs = await sideOf({ path: await startRedis(args.text('redis') ?? 'redis-server', args.dir) })
  const [first, seeds, calls] = [
    args.number('first', 1),
    args.number('seeds', 200),
    args.number('calls', 300)
  ]
  let differing = 0
  for (let seed = first; seed < first + seeds; seed++) {
    const found = await runSeed(ours, theirs, seed, calls)
    if (found === null || found === CLOSE) continue
    differing++
    console.log(`VARVE_SEED=${seed}: ${found}`)
  }
  console.log(`${seeds} seeds of ${calls} commands: ${differing} differ`)
  for (const { peer, ear } of [ours, theirs]) for (const one of [peer, ear]) one.close()
  await varve.stop()
  process.exit(differing === 0 ? 0 : 1)
}

await main()
