// Concurrent clients of a store in memory, of its leases and of its queues: what each asked, when, and what it was
// told, for the test of linearizability and for the script that runs thousands of them. Flushes and compactions run
// meanwhile; the store loses power at a random step, and what was under way then never answered.
import { Random } from '../../src/base/random.ts'
import { Leases } from '../../src/kv/lease.ts'
import { Queues } from '../../src/kv/queue.ts'
import { KvStore } from '../../src/kv/store.ts'
import { ConflictError } from '../../src/kv/write.ts'
import { HandClock } from '../kit/hand-clock.ts'
import { isLinearizable, type Operation } from '../kit/linearizable.ts'
import { Medium, openOn, type SimWal } from './sim-host.ts'

const CLIENTS = 4

/** A register: values are unique, so that a value names the write that made it. */
export type RegisterOp =
  | { readonly kind: 'read'; readonly value: string | null }
  | { readonly kind: 'put'; readonly value: string | null }
  | {
      readonly kind: 'swap'
      readonly expected: string | null
      readonly value: string
      readonly swapped: boolean | null
    }

export function stepRegister(state: string | null, op: RegisterOp, isPending: boolean) {
  if (op.kind === 'read') return op.value === state ? state : undefined
  if (op.kind === 'put') return op.value
  const matches = op.expected === state
  // One that never answered did whatever it did.
  if (isPending || op.swapped === null) return matches ? op.value : state
  if (op.swapped !== matches) return undefined
  return matches ? op.value : state
}

class World {
  readonly random: Random
  readonly clock = new HandClock()
  readonly medium: Medium
  store!: KvStore
  wal!: SimWal
  private at = 0

  constructor(seed: number) {
    this.random = new Random(seed)
    this.medium = new Medium(this.random)
  }

  /** A moment; each call gives a later one. */
  now(): number {
    return ++this.at
  }

  async open(): Promise<void> {
    const { random, clock } = this
    this.store = new KvStore({
      clock,
      onError: () => {},
      limits: {
        memtableBytesMax: 4000,
        carryBytesMax: random.pick([0, 500]),
        hotBytesMax: random.pick([0, 100_000]),
        compaction: { segmentsMax: 4, tierMin: 2, tierRatio: 2, gainMin: 0.3 }
      }
    })
    this.wal = await openOn(this.medium, this.store)
  }

  async pause(): Promise<void> {
    for (let turns = this.random.below(4); turns > 0; turns--) await Promise.resolve()
    if (this.random.chance(0.2)) await new Promise(resolve => setImmediate(resolve))
  }

  /** Runs clients beside flushes and compactions, until they end or power goes. */
  async together(clients: readonly (() => Promise<void>)[]): Promise<void> {
    let ended = false
    const upkeep = async () => {
      while (!ended && !this.medium.dead) {
        await this.pause()
        if (this.random.chance(0.3)) await this.store.flush(this.random.pick(['any', 'segment']))
        if (this.random.chance(0.2)) await this.store.compact()
        await new Promise(resolve => setImmediate(resolve))
      }
    }
    const background = upkeep().catch(error => {
      if (!this.medium.dead) throw error
    })
    const results = await Promise.allSettled(clients.map(client => client()))
    ended = true
    await background
    for (const result of results) {
      if (result.status === 'rejected' && !this.medium.dead) throw result.reason
    }
  }
}

/** Compare-and-set, puts, deletes and reads of a few keys over power cuts; what is wrong, or null. */
export async function registerHistory(seed: number): Promise<string | null> {
  const world = new World(seed)
  const { random } = world
  const keys = ['a', 'b', 'c']
  const histories = new Map<string, Operation<RegisterOp>[]>(keys.map(key => [key, []]))
  let count = 0
  const client = async () => {
    for (let turn = 0; turn < 5; turn++) {
      await world.pause()
      const key = random.pick(keys)
      const history = histories.get(key)!
      if (history.length >= 28) continue
      await registerOp(world, key, history, `v${++count}`)
    }
  }
  for (let life = 0; life < 3; life++) {
    await world.open()
    world.medium.cutAt = life < 2 ? world.medium.steps + 2 + random.below(25) : Number.POSITIVE_INFINITY
    await world.together(Array.from({ length: CLIENTS }, () => client))
    if (life === 2) for (const key of keys) await registerRead(world, key, histories.get(key)!)
    await world.store.close()
  }
  for (const [key, history] of histories) {
    if (!isLinearizable(history, null, stepRegister, String)) return `${key}: ${JSON.stringify(history)}`
  }
  return null
}

async function registerOp(world: World, key: string, history: Operation<RegisterOp>[], value: string) {
  const { random, store, wal } = world
  const draw = random.below(10)
  if (draw < 3) return registerRead(world, key, history)
  const start = world.now()
  if (draw < 5) {
    const isDelete = random.chance(0.4)
    const pending: { op: RegisterOp; start: number; end: number } = {
      op: { kind: 'put', value: isDelete ? null : value },
      start,
      end: Number.POSITIVE_INFINITY
    }
    history.push(pending)
    const group = isDelete ? store.delete('n', key) : store.put('n', key, Buffer.from(value))
    await wal.synced(group)
    pending.end = world.now()
    return
  }
  const seen = store.get('n', key)
  await world.pause()
  const expected = seen === undefined ? null : Buffer.from(seen.value).toString()
  const pending = {
    op: { kind: 'swap', expected, value, swapped: null as boolean | null } as const,
    start: world.now(),
    end: Number.POSITIVE_INFINITY
  }
  history.push(pending)
  const set = (swapped: boolean) =>
    Object.assign(pending, { op: { ...pending.op, swapped }, end: world.now() })
  try {
    await wal.synced(store.put('n', key, Buffer.from(value), { ifVersion: seen?.version ?? 0 }))
    set(true)
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error
    // What made it fail may not be on the medium yet: the answer waits for it.
    await wal.synced(store.lastGroup)
    set(false)
  }
}

/** A read that is answered when what it saw is on the medium. */
async function registerRead(world: World, key: string, history: Operation<RegisterOp>[]) {
  const { store, wal } = world
  const start = world.now()
  const seen = store.get('n', key)
  const value = seen === undefined ? null : Buffer.from(seen.value).toString()
  await wal.synced(store.lastGroup)
  history.push({ op: { kind: 'read', value }, start, end: world.now() })
}

/** A lease whose time is never over: who holds its token, and the greatest token that there was. */
export interface LeaseState {
  readonly holder: number | null
  readonly newest: number
}
export type LeaseOp =
  | { readonly kind: 'acquire'; readonly token: number | null }
  | { readonly kind: 'release'; readonly token: number; readonly released: boolean }

export function stepLease(state: LeaseState, op: LeaseOp): LeaseState | undefined {
  if (op.kind === 'release') {
    if (op.released !== (state.holder === op.token)) return undefined
    return op.released ? { ...state, holder: null } : state
  }
  if (op.token === null) return state.holder === null ? undefined : state
  if (state.holder !== null || op.token <= state.newest) return undefined
  return { holder: op.token, newest: op.token }
}

/** Clients that acquire, some of them waiting, and release; what is wrong, or null. */
export async function leaseHistory(seed: number): Promise<string | null> {
  const world = new World(seed)
  const { random } = world
  await world.open()
  const leases = new Leases(world.store, world.clock)
  const history: Operation<LeaseOp>[] = []
  let [holders, waiting] = [0, 0]
  const client = async () => {
    for (let turn = 0; turn < 3; turn++) {
      await world.pause()
      const start = world.now()
      // Somebody has to be left who gives it back.
      const isPatient = random.chance(0.5) && waiting < CLIENTS - 1 && holders > 0
      if (isPatient) waiting++
      const got = isPatient
        ? await leases.acquireWithin('pump', 'c', 1e7, 1e6)
        : leases.acquire('pump', 'c', 1e7)
      if (isPatient) waiting--
      if (got !== null) holders++
      await world.wal.synced(got?.group ?? world.store.lastGroup)
      const token = got?.lease.token ?? null
      history.push({ op: { kind: 'acquire', token }, start, end: world.now() })
      if (token === null) continue
      await world.pause()
      const from = world.now()
      const group = leases.release('pump', token)
      holders--
      await world.wal.synced(group)
      history.push({ op: { kind: 'release', token, released: true }, start: from, end: world.now() })
    }
  }
  await world.together(Array.from({ length: CLIENTS }, () => client))
  await world.store.close()
  if (isLinearizable(history, { holder: null, newest: 0 }, stepLease, JSON.stringify)) return null
  return JSON.stringify(history)
}

/** A queue: what is ready, in the order of sending, and what receivers hold. */
export interface QueueState {
  readonly ready: readonly { readonly body: string; readonly priority: number }[]
  readonly held: readonly { readonly body: string; readonly priority: number }[]
}
export type QueueOp =
  | { readonly kind: 'send'; readonly body: string; readonly priority: number }
  | { readonly kind: 'receive'; readonly body: string | null }
  | { readonly kind: 'ack'; readonly body: string }

export function stepQueue({ ready, held }: QueueState, op: QueueOp): QueueState | undefined {
  if (op.kind === 'send') return { ready: [...ready, { body: op.body, priority: op.priority }], held }
  if (op.kind === 'ack') {
    const kept = held.filter(({ body }) => body !== op.body)
    return kept.length === held.length ? undefined : { ready, held: kept }
  }
  const most = Math.max(...ready.map(({ priority }) => priority))
  const next = ready.find(({ priority }) => priority === most)
  if ((next?.body ?? null) !== op.body) return undefined
  return next === undefined
    ? { ready, held }
    : { ready: ready.filter(one => one !== next), held: [...held, next] }
}

/** Clients that send, receive and acknowledge; what is wrong, or null. */
export async function queueHistory(seed: number): Promise<string | null> {
  const world = new World(seed)
  const { random, wal } = { random: world.random, wal: () => world.wal }
  await world.open()
  const queues = new Queues(world.store, world.clock)
  const history: Operation<QueueOp>[] = []
  let count = 0
  const client = async () => {
    for (let turn = 0; turn < 4 && history.length < 26; turn++) {
      await world.pause()
      const start = world.now()
      if (random.chance(0.5)) {
        const [body, priority] = [`m${++count}`, random.below(3)]
        const { group } = queues.send('q', Buffer.from(body), { priority })
        await wal().synced(group)
        history.push({ op: { kind: 'send', body, priority }, start, end: world.now() })
        continue
      }
      const [delivery] = queues.receive('q', { visibilityMs: 1e6 })
      const body = delivery === undefined ? null : Buffer.from(delivery.body).toString()
      await world.pause()
      history.push({ op: { kind: 'receive', body }, start, end: world.now() })
      if (delivery === undefined || body === null || random.chance(0.3)) continue
      const from = world.now()
      await wal().synced(queues.ack('q', delivery.id, delivery.token))
      history.push({ op: { kind: 'ack', body }, start: from, end: world.now() })
    }
  }
  await world.together(Array.from({ length: CLIENTS }, () => client))
  await world.store.close()
  if (isLinearizable(history, { ready: [], held: [] }, stepQueue, JSON.stringify)) return null
  return JSON.stringify(history)
}
