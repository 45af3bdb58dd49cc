// Benchmarks of the key-value store, on a disk in memory or in a directory. Prints machine, workload and the
// bound each figure guards; exits 1 where a bound that does not depend on the machine's load is broken.
//
//   node scripts/bench-kv.ts              1 M entries of 16 + 100 bytes: memory, bytes written, reads, reopening
//   node scripts/bench-kv.ts --entries 10000000      the same with more; the bounds are those of 1 M
//   (the memory bound holds with the flags of the service: MALLOC_ARENA_MAX=1 node --optimize-for-size
//   --max-semi-space-size=1; without them V8 keeps 230 MB of garbage under this load, 45 MB of it alive)
//   node scripts/bench-kv.ts --memtable   the memtable against a Map with keys sorted on demand
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { systemClock } from '../src/base/clock.ts'
import { Random } from '../src/base/random.ts'
import { NodeDisk } from '../src/disk/node-disk.ts'
import { Engine } from '../src/engine/engine.ts'
import { engineFiles } from '../src/kv/engine-files.ts'
import { KeyBytes } from '../src/kv/key-bytes.ts'
import { Memtable } from '../src/kv/memtable.ts'
import { KvStore } from '../src/kv/store.ts'
import { ValueSource } from './kv-values.ts'

const USUAL_ENTRIES = 1_000_000
const { values: given } = parseArgs({
  options: { memtable: { type: 'boolean' }, entries: { type: 'string', default: String(USUAL_ENTRIES) } }
})
const ENTRIES = Number(given.entries)
const BATCH = 1000
/** 1 M keys of 16 bytes with 100 bytes of value take at most this in all, the runtime included. */
const RSS_MB_MAX = 150
/** And are back within this after a process that did not close them. */
const REOPEN_MS_MAX = 1000

const mb = (bytes: number) => Math.round(bytes / 2 ** 20)
const keyOf = (n: number) => `key:${String(n).padStart(12, '0')}`

function collect(): void {
  ;(globalThis as { gc?: () => void }).gc?.()
}

async function open(dir: string) {
  const disk = new NodeDisk(dir)
  const store = new KvStore({ clock: systemClock, onError: error => console.error(error) })
  const engine = await Engine.open({ disk, owners: [store], pace: { delayMaxMs: 0 } })
  await store.attach({ wal: engine.wal, manifest: engine.manifest, files: engineFiles(disk) })
  return { store, engine }
}

async function compactAll(store: KvStore): Promise<void> {
  for (;;) {
    const { job, why } = await store.compact()
    if (job === null) return
    console.log(`  compaction of ${mb(job.costBytes)} MB, ${why}`)
  }
}

function rate(count: number, startMs: number): string {
  const ms = performance.now() - startMs
  return `${Math.round(count / ms)} k/s (${Math.round((ms * 1e6) / count)} ns each)`
}

async function benchStore(): Promise<boolean> {
  const dir = mkdtempSync(`${tmpdir()}/varve-kv-`)
  collect()
  const runtime = process.memoryUsage().rss
  try {
    let { store, engine } = await open(dir)
    const random = new Random(1)
    const values = new ValueSource(0.5)
    let start = performance.now()
    for (let n = 0; n < ENTRIES; n += BATCH) {
      for (let i = n; i < n + BATCH; i++) store.put('bench', keyOf(random.below(1e9)), values.next())
      await engine.wal.synced(store.lastGroup)
      if (store.statistics().memtableBytes > 24 * 2 ** 20) await store.flush('segment')
      if ((n / BATCH) % 50 === 0) await compactAll(store)
    }
    console.log(
      `puts in random order, a sync per ${BATCH}, flush and compaction inline: ${rate(ENTRIES, start)}`
    )
    await store.flush('segment')
    await compactAll(store)
    console.log('statistics', JSON.stringify(store.statistics()), 'WAL MB', mb(engine.stats.walBytes))
    // More in the memtable and the WAL than a close would leave there: up to what starts a flush.
    for (let n = 0; n < 30 * BATCH; n++) store.put('bench', keyOf(random.below(1e9)), values.next())
    await engine.wal.synced(store.lastGroup)
    await store.close()
    await engine.close()

    start = performance.now()
    ;({ store, engine } = await open(dir))
    const reopenMs = Math.round(performance.now() - start)
    console.log(`reopen with 30,000 entries in the WAL alone: ${reopenMs} ms, bound ${REOPEN_MS_MAX}`)
    let count = 0
    start = performance.now()
    for (const _ of store.scan('bench')) count++
    console.log(`scan of ${count} entries: ${rate(count, start)}`)
    const keys = [...store.scan('bench', { limit: 20_000 })].map(entry => entry.keyText)
    for (const key of keys) store.get('bench', key)
    start = performance.now()
    for (let round = 0; round < 10; round++) for (const key of keys) store.get('bench', key)
    console.log(`gets of segments' entries, blocks cached: ${rate(10 * keys.length, start)}`)
    start = performance.now()
    for (let i = 0; i < 200_000; i++) store.get('bench', `absent${i}`)
    console.log(`gets of absent keys: ${rate(200_000, start)}`)
    for (const key of keys) store.put('bench', key, values.next())
    start = performance.now()
    for (let round = 0; round < 10; round++) for (const key of keys) store.get('bench', key)
    console.log(`gets of the memtable's entries: ${rate(10 * keys.length, start)}`)
    collect()
    const rss = mb(process.memoryUsage().rss)
    const isBound = ENTRIES <= USUAL_ENTRIES
    const holds = !isBound || (rss <= RSS_MB_MAX && reopenMs <= REOPEN_MS_MAX)
    console.log(
      `RSS in all, ${mb(runtime)} MB of it the runtime's: ${rss} MB, bound ${isBound ? RSS_MB_MAX : 'none'}: ${holds ? 'holds' : 'BROKEN'}`
    )
    await store.close()
    await engine.close()
    return holds
  } finally {
    rmSync(dir, { recursive: true })
  }
}

/** A Map with an array of its keys that is sorted again when a scan finds it stale. */
function benchMemtable(): void {
  let found = 0
  const random = new Random(1)
  const keys = Array.from({ length: 70_000 }, () => `bench\0${keyOf(random.below(1e9))}`)
  collect()
  const table = new Memtable()
  const keyBytes = keys.map(KeyBytes.of)
  const value = { bytes: new Uint8Array(100), from: 0, to: 100 }
  const map = new Map<string, { n: number }>()
  for (let round = 0; round < 3; round++) {
    let start = performance.now()
    for (const key of keyBytes) table.write(key, 1, 0, value)
    console.log(`memtable: put ${rate(keys.length, start)}`)
    start = performance.now()
    for (const key of keyBytes) found += table.find(key) < 0 ? 0 : 1
    console.log(`memtable: get ${rate(keys.length, start)}`)
    start = performance.now()
    for (const key of keys) map.set(key, { n: 1 })
    console.log(`map: put ${rate(keys.length, start)}`)
    start = performance.now()
    for (const key of keys) found += map.get(key)!.n
    console.log(`map: get ${rate(keys.length, start)}`)
  }
  let start = performance.now()
  for (let i = 0; i < 1000; i++) {
    table.write(KeyBytes.of(`bench\0new${i}`), 1, 0, value)
    table.pin().cursor(keys[i]!, null).next()
  }
  console.log(`memtable: a put and a short scan ${rate(1000, start)}`)
  start = performance.now()
  for (let i = 0; i < 20; i++) {
    map.set(`bench\0new${i}`, { n: i })
    ;[...map.keys()].sort()
  }
  console.log(`${found} found`)
  console.log(`map: a put and a short scan ${rate(20, start)}`)
}

console.log(
  `${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}; ${ENTRIES} entries of 16 + 100 bytes`
)
// The WAL's timers keep no process alive.
const alive = setInterval(() => {}, 1000)
if (given.memtable === true) benchMemtable()
else if (!(await benchStore())) process.exitCode = 1
clearInterval(alive)
