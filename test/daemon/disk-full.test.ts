// The guard of the medium's free space over a medium that is a number: buckets go first, rows are refused when
// that does not help, and both end by themselves. What goes first is tested with series/retention.ts; a real
// medium is filled by scripts/soak-disk-full.ts.
import t from 'tap'
import type { VarveError } from '../../src/base/errors.ts'
import { DiskGuard } from '../../src/daemon/disk-guard.ts'
import { problemOf, varveFace } from '../../src/http/problem.ts'
import { HandClock } from '../kit/hand-clock.ts'

const reserveBytes = 1000

/** A medium with so much free, and so much more in buckets that may go. */
function medium(freeBytes: number, droppable: number) {
  const state = {
    freeBytes,
    droppable,
    wanted: [] as number[],
    told: [] as number[],
    refusal: null as VarveError | null
  }
  const clock = new HandClock()
  const guard = new DiskGuard({
    clock,
    reserveBytes,
    freeBytes: () => state.freeBytes,
    free: async wanted => {
      state.wanted.push(wanted)
      const freed = Math.min(wanted, state.droppable)
      state.droppable -= freed
      state.freeBytes += freed
      return freed
    },
    refuse: error => {
      state.refusal = error
    },
    onLow: free => state.told.push(free),
    onError: error => t.fail(String(error))
  })
  t.teardown(() => guard.stop())
  const look = async () => {
    guard.look()
    await new Promise(resolve => setImmediate(resolve))
  }
  return { state, guard, look }
}

t.test(
  'a medium that runs low drops buckets up to twice the reserve, is told once, and refuses nothing',
  async t => {
    const { state, guard, look } = medium(999, 10_000)
    await look()
    t.same(state.wanted, [1001])
    t.same(state.told, [999])
    t.equal(state.refusal, null)
    t.ok(guard.isLow, 'until the next look')
    await look()
    t.notOk(guard.isLow)
    t.equal(state.told.length, 1)
  }
)

t.test('a medium that stays full refuses rows with 507, and takes them when space comes back', async t => {
  const { state, guard, look } = medium(400, 0)
  await look()
  t.ok(guard.isFull)
  t.equal(state.refusal?.code, 'VARVE_DISK_FULL')
  const reply = varveFace(problemOf(state.refusal, 'r1'))
  t.equal(reply.status, 507)
  t.equal(reply.headers?.['retry-after'], '1')
  await look()
  t.equal(state.told.length, 1, 'it is told once, not at every look')
  state.freeBytes = 600
  await look()
  t.equal(state.refusal, null, 'half of the reserve is enough to take rows')
  t.ok(guard.isLow, 'and buckets that close will still go')
  state.freeBytes = 5000
  await look()
  t.notOk(guard.isLow || guard.isFull)
})
