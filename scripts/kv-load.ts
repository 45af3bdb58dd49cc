// The load of bench-kv-peers.ts on our store, in a process of its own so that its bytes, its CPU and its memory are its
// own. Prints one line of JSON.
//
//   node scripts/kv-load.ts DIR fill KEYS [SHARE]          all keys once, in batches; values as kv-values.ts makes them of SHARE (0.5)
//   node scripts/kv-load.ts DIR overwrite KEYS PUTS N [SHARE]    random keys, N callers, each waits for its put
//   node scripts/kv-load.ts DIR get KEYS GETS              random keys among 20,000, after one round of them
//   node scripts/kv-load.ts DIR open KEYS                  how long until the first get after the process before
import { Random } from '../src/base/random.ts'
import { bytes } from '../src/embedded/codec.ts'
import type { DatabaseStatistics } from '../src/embedded/database.ts'
import { open } from '../src/embedded/open.ts'
import { ValueSource } from './kv-values.ts'

const HOT_KEYS = 20_000
const BATCH = 1000

const [dir, act, ...numbers] = process.argv.slice(2)
const [keys = 0, count = 0, callers = 0] = numbers.map(Number)
const random = new Random(7)
const values = new ValueSource(Number(numbers[act === 'fill' ? 1 : 3] ?? 0.5))
const keyOf = (n: number) => String(n).padStart(16, '0')

/** Bytes written as segments so far. */
const written = ({ segmentBytes, compactions }: DatabaseStatistics) =>
  segmentBytes + compactions.bytesIn - compactions.bytesOut

const openMs = performance.now()
const db = await open(dir!)
const entries = db.namespace('bench', bytes)
await entries.get(keyOf(keys - 1))
const openedMs = performance.now() - openMs

const before = written(db.statistics())
const startMs = performance.now()
const cpu = process.cpuUsage()
const thread = process.threadCpuUsage()
if (act === 'fill') {
  for (let n = 0; n < keys; n += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, keys - n) }, (_, i) =>
      entries.putting(keyOf(n + i), values.next())
    )
    await db.batch(batch)
  }
} else if (act === 'overwrite') {
  let left = count
  const caller = async () => {
    while (left-- > 0) await entries.put(keyOf(random.below(keys)), values.next())
  }
  await Promise.all(Array.from({ length: callers }, caller))
} else if (act === 'get') {
  const hot = Array.from({ length: Math.min(keys, HOT_KEYS) }, () => keyOf(random.below(keys)))
  for (const key of hot) await entries.get(key)
  for (let i = 0; i < count; i++) await entries.get(hot[i % hot.length]!)
}
const tookMs = performance.now() - startMs
const { user, system } = process.cpuUsage(cpu)
const own = process.threadCpuUsage(thread)
// Peers wait for theirs as well: what is owed belongs to the bytes of these puts.
if (act === 'overwrite') await db.compact()
const statistics = db.statistics()
console.log(
  JSON.stringify({
    openedMs,
    tookMs,
    userS: user / 1e6,
    systemS: system / 1e6,
    mainS: (own.user + own.system) / 1e6,
    rssBytes: process.memoryUsage().rss,
    syncs: statistics.syncs,
    walBytes: statistics.walBytes,
    walPaddingBytes: statistics.walPaddingBytes,
    flushBytes: written(statistics) - before,
    compactionBytes: statistics.compactions.bytesOut,
    segments: statistics.segments
  })
)
// A load that is killed leaves its memtable in the WAL: what the next open has to do.
if (act === 'open') await db.close()
else process.kill(process.pid, 'SIGKILL')
