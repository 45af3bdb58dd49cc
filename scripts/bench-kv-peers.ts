// The store in the own process beside others, in one run: durable puts of a hundred callers, the bytes that reach the
// device for each, cached gets, and how soon a killed process is back. As root on an ext4 image on a loop device that
// only the store under test uses.
//
//   node scripts/bench-kv-peers.ts [--dir DIR] [--keys 1000000] [--puts 2000000] [--share 0.5] [--only varve,rocksdb,leveldb]
//                                  [--before SCRIPTS]
//
// --before measures our store of another source tree too, by its scripts: /tmp/old/scripts. CPU is of the whole process,
// joining included; the main thread's is what a put costs whoever serves by it.
// Peers: RocksDB by its own db_bench (Debian's rocksdb-tools), LevelDB by python3-plyvel; each with a memtable of as
// many bytes as ours, its usual compression (snappy), and a sync before each acknowledgement. Values are those of
// db_bench (kv-values.ts): a compressor can make half of them; with --share 1 nothing shrinks them, and the peers do not
// try. LevelDB's threads are Python's: its bytes are its own, its speed is Python's too.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { benchArguments } from './bench-arguments.ts'
import { judge, printHead, printTable, round } from './bench-report.ts'
import { valuePool } from './kv-values.ts'
import { type Medium, makeMedium } from './loop-disk.ts'

const NAMES = ['varve', 'rocksdb', 'leveldb'] as const
type Name = (typeof NAMES)[number]

/** Callers, and for each which part of the puts: one that waits for each sync is slow. */
const LOADS = [
  [100, 1],
  [10, 0.1],
  [1, 0.01]
] as const
type Callers = (typeof LOADS)[number][0]
const MANY = LOADS[0][0]
const MEMTABLE_BYTES = 16 * 2 ** 20
const MEDIUM_BYTES = 3 * 2 ** 30
const PUTS_A_SECOND_MIN = 100_000
const GETS_A_SECOND_MIN = 1_000_000
const RECOVERY_MS_MAX = 1000
const BYTES_OF_PEERS_MAX = 0.5

const given = benchArguments(NAMES, ['keys', 'puts', 'gets', 'share'], ['before'])
const keys = given.number('keys', 1_000_000)
const puts = given.number('puts', 2_000_000)
const gets = given.number('gets', 5_000_000)
const share = given.number('share', 0.5)
const isSqueezed = share < 1

interface Puts {
  readonly rate: number
  /** Device bytes for a put, in all that was written until the store had gone. */
  readonly bytes: number
  /** What of them the store wrote, by its own count, as far as it tells. */
  readonly parts: Parts
}

type Parts = Readonly<Record<string, number>>

interface Ran {
  readonly seconds: number
  readonly parts: Parts
}

interface Figures {
  readonly puts: ReadonlyMap<Callers, Puts>
  readonly getRate?: number
  readonly reopenedMs?: number
}

/** Runs each load; `overwrite` says what it took, and the bytes of each part of the store. */
function measured(medium: Medium, overwrite: (count: number, callers: number) => Ran): Map<Callers, Puts> {
  const found = new Map<Callers, Puts>()
  for (const [callers, part] of LOADS) {
    const count = Math.ceil((puts * part) / callers) * callers
    const before = medium.writtenBytes(process.pid)
    const { seconds, parts } = overwrite(count, callers)
    const bytes = (medium.writtenBytes(process.pid) - before) / count
    const perPut = Object.entries(parts).map(([part, all]) => [part, all / count] as const)
    found.set(callers, { rate: count / seconds, bytes, parts: Object.fromEntries(perPut) })
  }
  return found
}

function run(command: string, args: readonly string[], input = ''): string {
  const ran = spawnSync(command, args, { encoding: 'utf8', input, maxBuffer: 2 ** 26 })
  const isOurs = command === process.execPath
  if (ran.error !== undefined || (ran.status !== 0 && !isOurs)) {
    throw new Error(`Cannot run ${command}: ${ran.error?.message ?? ran.stderr.slice(-2000)}`)
  }
  return ran.stdout
}

interface Load {
  readonly openedMs: number
  readonly tookMs: number
  readonly userS: number
  readonly systemS: number
  readonly mainS: number
  readonly syncs: number
  readonly walBytes: number
  readonly walPaddingBytes: number
  readonly flushBytes: number
  readonly compactionBytes: number
}

function ours(scripts: string, dir: string, act: string, ...numbers: number[]): Load {
  const out = run(process.execPath, [join(scripts, 'kv-load.ts'), dir, act, ...numbers.map(String)])
  return JSON.parse(out.trim().split('\n').at(-1)!) as Load
}

function varve(medium: Medium, scripts = import.meta.dirname): Figures {
  const dir = join(medium.path, 'varve')
  ours(scripts, dir, 'fill', keys, share)
  const found = measured(medium, (count, callers) => {
    const load = ours(scripts, dir, 'overwrite', keys, count, callers, share)
    const { walPaddingBytes: padding, walBytes, flushBytes: flushed, compactionBytes: joined } = load
    const parts = { WAL: walBytes - padding, padding, flushed, joined }
    const cpuUs = (load.userS + load.systemS) * 1e6
    const figures = { 'CPU us': cpuUs, 'main us': load.mainS * 1e6, 'syncs/1000': load.syncs * 1000 }
    return { seconds: load.tookMs / 1000, parts: { ...parts, ...figures } }
  })
  // The process before was killed.
  const { openedMs } = ours(scripts, dir, 'open', keys)
  const got = ours(scripts, dir, 'get', keys, gets)
  return { puts: found, getRate: (gets / got.tookMs) * 1000, reopenedMs: openedMs }
}

function rocksdb(medium: Medium): Figures {
  const usual = [
    ...[`--db=${join(medium.path, 'rocksdb')}`, `--num=${keys}`, '--key_size=16', '--value_size=100'],
    ...[`--write_buffer_size=${MEMTABLE_BYTES}`, `--compression_ratio=${share}`, '--seed=7'],
    `--compression_type=${isSqueezed ? 'snappy' : 'none'}`
  ]
  run('db_bench', ['--benchmarks=fillrandom,waitforcompaction', '--sync=0', ...usual])
  const overwrite = (count: number, callers: number) => {
    const out = run('db_bench', [
      ...['--benchmarks=overwrite,waitforcompaction', '--use_existing_db=1', '--sync=1'],
      ...[`--threads=${callers}`, `--writes=${count / callers}`, ...usual]
    ])
    const rate = Number(/^overwrite\s*:.*?([\d.]+) ops\/sec/m.exec(out)?.[1])
    return { seconds: count / rate, parts: {} }
  }
  return { puts: measured(medium, overwrite) }
}

/** Waits at the end until LevelDB's background thread has nothing to do. */
const LEVELDB = `
import plyvel, random, sys, threading, time
act, path, pool, compression = sys.argv[1:5]
keys, puts, callers, memtable = map(int, sys.argv[5:9])
db = plyvel.DB(path, create_if_missing=True, write_buffer_size=memtable, compression=None if compression == 'none' else compression)
pool = open(pool, 'rb').read()
at = 0
def value():
  global at
  at = at + 100 if at + 200 <= len(pool) else 0
  return pool[at:at + 100]
if act == 'fill':
  for n in range(0, keys, 1000):
    with db.write_batch() as batch:
      for i in range(n, min(n + 1000, keys)): batch.put(b'%016d' % i, value())
else:
  def caller(seed):
    draw = random.Random(seed)
    for _ in range(puts // callers): db.put(b'%016d' % draw.randrange(keys), value(), sync=True)
  threads = [threading.Thread(target=caller, args=(n,)) for n in range(callers)]
  start = time.monotonic()
  for thread in threads: thread.start()
  for thread in threads: thread.join()
  print(time.monotonic() - start)
  time.sleep(2)
db.close()
`

function leveldb(medium: Medium): Figures {
  const pool = join(given.dir, 'values')
  writeFileSync(pool, valuePool(share))
  const load = (act: string, count: number, callers: number) => {
    const numbers = [keys, count, callers, MEMTABLE_BYTES].map(String)
    const kind = isSqueezed ? 'snappy' : 'none'
    return run('/usr/bin/python3', ['-', act, join(medium.path, 'leveldb'), pool, kind, ...numbers], LEVELDB)
  }
  load('fill', 0, 1)
  return {
    puts: measured(medium, (count, callers) => ({
      seconds: Number(load('overwrite', count, callers)),
      parts: {}
    }))
  }
}

const stores: Record<Name, (medium: Medium) => Figures> = { varve, rocksdb, leveldb }

printHead('the store in the own process beside others', {
  workload: `${keys} keys of 16 bytes, values of 100 that shrink to ${share}; ${puts} random overwrites by ${LOADS.map(([callers]) => callers).join(', ')} callers (a tenth and a hundredth of them by the fewer), each acknowledged after its sync; memtables of ${MEMTABLE_BYTES / 2 ** 20} MiB`,
  bounds: [
    `at least ${round(PUTS_A_SECOND_MIN)} durable puts/s, ${round(GETS_A_SECOND_MIN)} cached gets/s on one core`,
    `at most ${BYTES_OF_PEERS_MAX} of the device bytes that RocksDB and LevelDB write for a put`,
    `back within ${RECOVERY_MS_MAX} ms with all keys after a kill`
  ]
})
const found = new Map<Name | 'before', Figures>()
function measure(name: Name | 'before', figuresOf: (medium: Medium) => Figures): void {
  const medium = makeMedium(given.dir, name, MEDIUM_BYTES)
  if (found.size === 0) console.log(`device    ${medium.how}`)
  found.set(name, figuresOf(medium))
  medium.close()
}
const before = given.text('before')
if (before !== undefined) measure('before', medium => varve(medium, before))
for (const name of given.names) measure(name, stores[name])
printTable(
  [...found].flatMap(([store, { puts: of }]) =>
    [...of].map(([callers, { rate, bytes, parts }]) => ({
      store,
      callers,
      'puts/s': round(rate),
      'device bytes/put': round(bytes),
      ...Object.fromEntries(Object.entries(parts).map(([part, of]) => [part, round(of)]))
    }))
  )
)
console.log('')
const own = found.get('varve')
if (own !== undefined) {
  judge(`durable puts/s of ${MANY} callers`, own.puts.get(MANY)!.rate, '>=', PUTS_A_SECOND_MIN)
  judge('cached gets/s', own.getRate!, '>=', GETS_A_SECOND_MIN)
  judge('reopened after a kill', own.reopenedMs!, '<=', RECOVERY_MS_MAX, ' ms')
}
for (const [name, figures] of found) {
  if (own === undefined || name === 'varve' || name === 'before') continue
  for (const [callers, { bytes }] of figures.puts) {
    const share = own.puts.get(callers)!.bytes / bytes
    judge(`bytes of a put to those of ${name}, ${callers} callers`, share, '<=', BYTES_OF_PEERS_MAX)
  }
}
