// Remote write into the real store: what PromQL needs of it is the bits of a stale mark, whichever way a
// sample went (head, WAL and replay, segment), and that sending again changes nothing.
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { RemoteWrite } from '../../src/ingest/remote-write.ts'
import { CrashDisk } from '../kit/crash-disk.ts'
import { STALE_BITS, writeRequest } from '../kit/write-request.ts'
import { openStore, type TestStore } from '../series/test-store.ts'

const NOW_MS = 1_760_000_000_000
const QUIET_NAN = 0x7ff8000000000001n
const bitsOf = (value: number) => new BigUint64Array(new Float64Array([value]).buffer)[0]!

function stored(store: TestStore): [number, bigint][] {
  const found: [number, bigint][] = []
  const { source } = store.reader()
  for (const run of source.reader.runs(0, null, 0, 2 ** 52 - 1)) {
    const [column] = run.columns
    const bits = new BigUint64Array(column!.numbers!.slice(0, run.rows).buffer)
    for (let i = 0; i < run.rows; i++) found.push([run.times[i]! / 1000 - NOW_MS, bits[i]!])
  }
  source.close()
  return found
}

t.test('remote write keeps bits through WAL, head and segment; the later of two wins', async t => {
  const disk = new CrashDisk(new Random(1))
  const labels = [
    ['__name__', 'up'],
    ['job', 'j']
  ] as const
  const send = (store: TestStore, ...samples: (readonly [number, number | bigint])[]) => {
    const moved = samples.map(([ms, value]) => [NOW_MS + ms, value] as const)
    new RemoteWrite(store.series).store(writeRequest([{ labels, samples: moved }]), { nowUs: NOW_MS * 1000 })
    return store.synced()
  }
  let store = await openStore(disk)
  await send(store, [0, 1.5], [15, STALE_BITS], [30, QUIET_NAN], [45, 2])
  await send(store, [15, STALE_BITS], [30, QUIET_NAN], [45, 2])
  const wanted = [
    [0, bitsOf(1.5)],
    [15, STALE_BITS],
    [30, QUIET_NAN],
    [45, bitsOf(2)]
  ]
  t.strictSame(stored(store), wanted, 'in the head')
  const after = disk.afterCut()
  store = await openStore(after)
  t.strictSame(stored(store), wanted, 'replayed after a cut')
  await store.series.flush()
  t.strictSame(stored(store), wanted, 'in a segment')
  await send(store, [7, 9], [45, 3])
  const late = [wanted[0], [7, bitsOf(9)], wanted[1], wanted[2], [45, bitsOf(3)]]
  t.strictSame(stored(store), late, 'late and twice')
  await store.series.flush()
  t.strictSame(stored(store), late, 'late and twice, in segments')
  t.strictSame(store.damage, [])
})
