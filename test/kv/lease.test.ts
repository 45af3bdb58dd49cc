// Leases: one holder at a time, tokens that only grow, over time, starts and power cuts.
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { decodeLease, type LeaseLimits, Leases } from '../../src/kv/lease.ts'
import { KvStore } from '../../src/kv/store.ts'
import { HandClock } from '../kit/hand-clock.ts'
import { seeds } from '../kit/seeds.ts'
import { examplesOf } from './example.ts'
import { Medium, openOn } from './sim-host.ts'

async function opened(
  medium = new Medium(new Random(1)),
  clock = new HandClock(),
  limits: Partial<LeaseLimits> = {}
) {
  const store = new KvStore({ clock, onError: error => t.fail(String(error)) })
  const wal = await openOn(medium, store)
  const leases = new Leases(store, clock, limits)
  return { store, wal, clock, leases, medium }
}

t.test('acquire() gives a name to one owner until it is released or over', async t => {
  const { leases, clock } = await opened()
  const { lease } = leases.acquire('pump', 'a', 1000)!
  t.match(lease, { name: 'pump', owner: 'a', leftMs: 1000 })
  t.equal(leases.acquire('pump', 'b', 1000), null)
  t.equal(leases.acquire('pump', 'a', 1000), null, 'nor to its owner a second time')
  t.ok(leases.acquire('valve', 'b', 1000), 'another name is free')
  clock.advance(999)
  t.equal(leases.get('pump')?.owner, 'a')
  leases.renew('pump', lease.token, 1000)
  clock.advance(999)
  t.equal(leases.acquire('pump', 'b', 1000), null)
  clock.advance(1)
  t.equal(leases.get('pump'), null)
  t.throws(() => leases.renew('pump', lease.token, 1000), { code: 'VARVE_LEASE_LOST' })
  const next = leases.acquire('pump', 'b', 1000)!.lease
  t.ok(next.token > lease.token)
  t.throws(() => leases.release('pump', lease.token), { code: 'VARVE_LEASE_LOST' })
  leases.release('pump', next.token)
  t.ok(leases.acquire('pump', 'c', 1000))
})

t.test('a wall clock that steps changes no lease', async t => {
  const { leases, clock } = await opened()
  leases.acquire('pump', 'a', 1000)
  clock.setWall(clock.nowUs() + 10 * 365 * 86_400_000_000)
  t.equal(leases.acquire('pump', 'b', 1000), null)
  clock.setWall(0)
  clock.advance(1000)
  t.ok(leases.acquire('pump', 'b', 1000))
})

t.test('after a start a lease is held for its whole time, and tokens grow on', async t => {
  const first = await opened()
  const { lease, group } = first.leases.acquire('pump', 'a', 5000)!
  await first.wal.synced(group)
  first.clock.advance(4000)
  t.equal(first.leases.renew('pump', lease.token, 5000), 0, 'a renewal is not written')
  const second = await opened(first.medium, new HandClock(0))
  t.match(second.leases.get('pump'), { owner: 'a', token: lease.token, leftMs: 5000 })
  t.equal(second.leases.renew('pump', lease.token, 100), 0)
  second.clock.advance(100)
  t.ok(second.leases.acquire('pump', 'b', 5000)!.lease.token > lease.token)
})

t.test('a renewal for longer than is stored is written, and keeps the token', async t => {
  const first = await opened()
  const { lease } = first.leases.acquire('pump', 'a', 1000)!
  const group = first.leases.renew('pump', lease.token, 9000)
  t.ok(group > 0)
  await first.wal.synced(group)
  const second = await opened(first.medium)
  t.match(second.leases.get('pump'), { token: lease.token, leftMs: 9000 })
})

t.test('acquireWithin() serves who waits in turn, when a lease is released or over', async t => {
  const { leases, clock } = await opened()
  const { lease } = leases.acquire('pump', 'a', 1000)!
  const got: string[] = []
  const wait = async (owner: string, waitMs: number) => {
    const acquired = await leases.acquireWithin('pump', owner, 500, waitMs)
    got.push(`${owner} ${acquired === null ? 'in vain' : 'got it'}`)
    return acquired
  }
  const all = [wait('b', 5000), wait('c', 5000), wait('d', 800)]
  leases.release('pump', lease.token)
  t.equal((await all[0])!.lease.owner, 'b')
  t.equal(leases.acquire('pump', 'e', 1000), null)
  clock.advance(500)
  t.equal((await all[1])!.lease.owner, 'c', 'b did not give it back')
  clock.advance(300)
  t.equal(await all[2], null)
  t.same(got, ['b got it', 'c got it', 'd in vain'])
  clock.advance(200)
  t.ok(leases.acquire('pump', 'e', 1000), 'nobody waits any more')
})

t.test('acquire() refuses what is out of bounds, and sweeps before it refuses for room', async t => {
  const { leases, clock, store } = await opened(undefined, undefined, { leasesMax: 2, ttlMsMax: 1000 })
  for (const ttlMs of [0, 1.5, 1001, Number.NaN]) {
    t.throws(() => leases.acquire('x', 'a', ttlMs), { code: 'VARVE_LEASE' })
  }
  t.throws(() => leases.acquire('x', 'a'.repeat(257), 1000), { code: 'VARVE_LEASE' })
  t.throws(() => leases.acquire('x'.repeat(2000), 'a', 1000), { code: 'VARVE_KEY' })
  leases.acquire('x', 'a', 1000)
  leases.acquire('y', 'a', 500)
  t.throws(() => leases.acquire('z', 'a', 1000), { code: 'VARVE_LEASE_LIMIT' })
  clock.advance(500)
  t.ok(leases.acquire('z', 'a', 1000))
  t.notOk(store.has('$lease', 'y'))
  t.same(
    [...leases.all()].map(({ name }) => name),
    ['x', 'z']
  )
})

t.test('decodeLease() reads the example and refuses a newer one', async t => {
  const bytes = examplesOf('src/kv/lease.ts')[0]!
  t.same(decodeLease(bytes), { token: 7, ttlMs: 30_000, owner: 'pump' })
  bytes[0] = 2
  t.throws(() => decodeLease(bytes), { code: 'VARVE_FORMAT_NEWER' })
})

/** Clients that acquire, renew and release over power cuts; what they were told must never contradict itself. */
async function history(seed: number): Promise<string | null> {
  const random = new Random(seed)
  const medium = new Medium(random)
  const clock = new HandClock()
  let tokenMax = 0
  /** By name, what some client was told that it holds, and until when. */
  const told = new Map<string, { token: number; untilMs: number }>()
  for (let life = 0; life < 6; life++) {
    const { leases, wal, store } = await opened(medium, clock)
    medium.cutAt = medium.steps + random.below(30)
    try {
      for (let turn = 0; turn < 60; turn++) {
        clock.advance(random.below(40))
        const name = random.pick(['p', 'q', 'r'])
        const holder = told.get(name)
        const nowMs = clock.monotonicMs()
        if (holder !== undefined && holder.untilMs > nowMs && random.chance(0.5)) {
          if (random.chance(0.5)) {
            const ttlMs = 20 + random.below(100)
            const group = leases.renew(name, holder.token, ttlMs)
            if (group > 0) await wal.synced(group)
            holder.untilMs = nowMs + ttlMs
          } else {
            told.delete(name)
            await wal.synced(leases.release(name, holder.token))
          }
          continue
        }
        const acquired = leases.acquire(name, `c${turn}`, 20 + random.below(100))
        if (acquired === null) continue
        const { lease, group } = acquired
        if (holder !== undefined && holder.untilMs > nowMs) return `${name} was given to two`
        await wal.synced(group)
        if (lease.token <= tokenMax) return `token ${lease.token} after ${tokenMax}`
        tokenMax = lease.token
        told.set(name, { token: lease.token, untilMs: nowMs + lease.leftMs })
      }
    } catch (error) {
      if ((error as { code?: string }).code !== 'VARVE_IO') return String((error as Error).stack)
    }
    await store.close()
  }
  return null
}

t.test('over power cuts no lease is given to two, and tokens only grow', async t => {
  for (const seed of seeds(300)) {
    const wrong = await history(seed)
    if (wrong !== null) return t.fail(`VARVE_SEED=${seed}: ${wrong}`)
  }
  t.pass('no history contradicts itself')
})
