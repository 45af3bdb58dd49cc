// Leases: a name has one holder at a time, for a time, told apart by a fencing token that only grows. Whoever
// guards a resource with a lease hands the token along, and the resource refuses one that is smaller than it saw.
//
//   value := u8 version 1 | varint token | varint time to live, ms | text owner     under the name, in `$lease`
// Example: token 7 of "pump" for 30 s = 01 07 b0 ea 01 04 70 75 6d 70
//
// Time is monotonic: a wall clock that steps neither ends nor prolongs a lease. No monotonic time outlives the
// process, so after a start every stored lease counts as held for its whole time to live, from the start on: a
// holder that still believes in its lease is never doubled. For the same reason a renewal is not written: a start
// gives it at least the time that it asked for. Only one for longer than is stored is.
//
// Invariants: the token is the store's version of the write that made the lease: it grows over restarts and
// power cuts; between acquiring and losing a lease nobody else got one for the name; who is told of a lease has it
// on the medium (wait for the group).
// Not here: who may ask (faces), versions (store.ts).
import { assert } from '../base/assert.ts'
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import type { Clock } from '../base/clock.ts'
import { FormatError, VarveError } from '../base/errors.ts'
import type { KvStore } from './store.ts'

const NAMESPACE = '$lease'
const VERSION = 1

export interface LeaseLimits {
  /** Leases at once. */
  readonly leasesMax: number
  /** Longest time to live, ms. */
  readonly ttlMsMax: number
  /** Longest owner, bytes of UTF-8. */
  readonly ownerBytesMax: number
}

export const LEASE_LIMITS: LeaseLimits = { leasesMax: 10_000, ttlMsMax: 24 * 3600_000, ownerBytesMax: 256 }

export interface Lease {
  readonly name: string
  readonly owner: string
  /** Greater than that of every lease before, of any name. */
  readonly token: number
  /** Time left, ms; more than 0. */
  readonly leftMs: number
}

/** A lease that was got: tell its holder when the group is synced. */
export interface Acquired {
  readonly lease: Lease
  readonly group: number
}

interface Held {
  readonly owner: string
  readonly token: number
  /** What a start would give it, ms. */
  readonly storedTtlMs: number
  deadlineMs: number
}

interface Waiter {
  readonly owner: string
  readonly ttlMs: number
  resolve(acquired: Acquired): void
  reject(error: unknown): void
}

export class Leases {
  private readonly store: KvStore
  private readonly clock: Clock
  private readonly limits: LeaseLimits
  private readonly held = new Map<string, Held>()
  private readonly waiting = new Map<string, Waiter[]>()

  /** Leases of an open store: those that are stored are held from now on for their whole time. */
  constructor(store: KvStore, clock: Clock, limits: Partial<LeaseLimits> = {}) {
    this.store = store
    this.clock = clock
    this.limits = { ...LEASE_LIMITS, ...limits }
    const nowMs = clock.monotonicMs()
    for (const entry of store.scan(NAMESPACE)) {
      const { owner, token, ttlMs } = decodeLease(entry.value)
      this.held.set(entry.keyText, { owner, token, storedTtlMs: ttlMs, deadlineMs: nowMs + ttlMs })
    }
  }

  /**
   * Gets the lease of a name unless somebody holds it, whoever asks.
   * @param ttlMs  how long it lasts unless renewed, ms
   * @returns null when it is held
   * @throws {VarveError} VARVE_LEASE for a bad owner or time, VARVE_LEASE_LIMIT; as KvStore.put()
   */
  acquire(name: string, owner: string, ttlMs: number): Acquired | null {
    this.check(owner, ttlMs)
    // Who waits has come before.
    return this.get(name) !== null || this.waiting.has(name) ? null : this.take(name, owner, ttlMs)
  }

  /**
   * The same, waiting up to waitMs for the lease to be free; who came first gets it first.
   * @param signal  aborted when who waits is gone
   * @returns null when the time is over
   */
  acquireWithin(
    name: string,
    owner: string,
    ttlMs: number,
    waitMs: number,
    signal?: AbortSignal
  ): Promise<Acquired | null> {
    const now = this.acquire(name, owner, ttlMs)
    if (now !== null || waitMs <= 0) return Promise.resolve(now)
    const { promise, resolve, reject } = Promise.withResolvers<Acquired | null>()
    const waiters = this.waiting.get(name) ?? []
    const waiter = { owner, ttlMs, resolve, reject }
    this.waiting.set(name, waiters)
    waiters.push(waiter)
    const leave = () => {
      this.leave(name, waiter)
      resolve(null)
    }
    const cancel = this.clock.after(waitMs, leave)
    signal?.addEventListener('abort', leave)
    this.lookWhenFree(name)
    return promise.finally(() => {
      cancel()
      signal?.removeEventListener('abort', leave)
    })
  }

  /**
   * Lets a lease last for another ttlMs from now.
   * @returns the WAL group to wait for; 0 when nothing had to be written
   * @throws {VarveError} VARVE_LEASE_LOST when it is over or another's
   */
  renew(name: string, token: number, ttlMs: number): number {
    const held = this.owned(name, token)
    this.check(held.owner, ttlMs)
    const deadlineMs = this.clock.monotonicMs() + ttlMs
    if (ttlMs <= held.storedTtlMs) {
      held.deadlineMs = deadlineMs
      return 0
    }
    const group = this.write(name, held.owner, token, ttlMs)
    this.held.set(name, { owner: held.owner, token, storedTtlMs: ttlMs, deadlineMs })
    return group
  }

  /** Gives a lease back; the next who waits gets it. @returns the WAL group @throws as renew() */
  release(name: string, token: number): number {
    this.owned(name, token)
    const group = this.store.delete(NAMESPACE, name, { urgency: 2 })
    this.held.delete(name)
    this.serve(name)
    return group
  }

  /** Who holds a name. */
  get(name: string): Lease | null {
    const held = this.held.get(name)
    const leftMs = held === undefined ? 0 : held.deadlineMs - this.clock.monotonicMs()
    return held === undefined || leftMs <= 0 ? null : { name, owner: held.owner, token: held.token, leftMs }
  }

  /** Every lease that is held, by name. */
  *all(): Generator<Lease> {
    for (const name of this.held.keys()) {
      const lease = this.get(name)
      if (lease !== null) yield lease
    }
  }

  /** Forgets leases that are over, in memory and in the store. @returns how many */
  sweep(): number {
    let swept = 0
    for (const name of this.held.keys()) {
      if (this.get(name) !== null) continue
      this.store.delete(NAMESPACE, name, { urgency: 0 })
      this.held.delete(name)
      swept++
    }
    return swept
  }

  private take(name: string, owner: string, ttlMs: number): Acquired {
    if (!this.held.has(name) && this.held.size >= this.limits.leasesMax && this.sweep() === 0) {
      throw new VarveError('VARVE_LEASE_LIMIT', `Cannot acquire ${name}: ${this.held.size} leases are held`)
    }
    const token = this.store.lastVersion + 1
    const group = this.write(name, owner, token, ttlMs)
    assert(this.store.lastVersion === token, 'the token of a lease is the version of its write')
    this.held.set(name, {
      owner,
      token,
      storedTtlMs: ttlMs,
      deadlineMs: this.clock.monotonicMs() + ttlMs
    })
    return { lease: { name, owner, token, leftMs: ttlMs }, group }
  }

  private write(name: string, owner: string, token: number, ttlMs: number): number {
    return this.store.put(NAMESPACE, name, encodeLease({ owner, token, ttlMs }), { urgency: 2 })
  }

  /** Gives a free name to who has waited longest. */
  private serve(name: string): void {
    const waiter = this.waiting.get(name)?.[0]
    if (waiter === undefined) return
    if (this.get(name) === null) {
      this.leave(name, waiter)
      try {
        waiter.resolve(this.take(name, waiter.owner, waiter.ttlMs))
      } catch (error) {
        waiter.reject(error)
      }
    }
    if (this.waiting.has(name)) this.lookWhenFree(name)
  }

  private leave(name: string, waiter: Waiter): void {
    const waiters = this.waiting.get(name)
    const at = waiters?.indexOf(waiter) ?? -1
    if (waiters === undefined || at < 0) return
    waiters.splice(at, 1)
    if (waiters.length === 0) this.waiting.delete(name)
  }

  private lookWhenFree(name: string): void {
    const lease = this.get(name)
    this.clock.after(lease === null ? 0 : lease.leftMs, () => this.serve(name))
  }

  private owned(name: string, token: number): Held {
    const held = this.held.get(name)
    if (held === undefined || held.token !== token || this.get(name) === null) {
      throw new VarveError('VARVE_LEASE_LOST', `Cannot use lease ${name} of token ${token}: it is over`)
    }
    return held
  }

  private check(owner: string, ttlMs: number): void {
    const { ownerBytesMax, ttlMsMax } = this.limits
    if (Buffer.byteLength(owner) > ownerBytesMax) {
      throw new VarveError(
        'VARVE_LEASE',
        `Cannot acquire lease: the owner is longer than ${ownerBytesMax} bytes`
      )
    }
    if (!Number.isSafeInteger(ttlMs) || ttlMs < 1 || ttlMs > ttlMsMax) {
      throw new VarveError(
        'VARVE_LEASE',
        `Cannot acquire lease: ${ttlMs} ms to live, 1 to ${ttlMsMax} may be asked for`
      )
    }
  }
}

interface StoredLease {
  readonly owner: string
  readonly token: number
  readonly ttlMs: number
}

function encodeLease({ owner, token, ttlMs }: StoredLease): Uint8Array {
  const out = new ByteWriter(32)
  out.u8(VERSION)
  out.varint(token)
  out.varint(ttlMs)
  out.text(owner)
  return out.copy()
}

/** @throws {VarveError} VARVE_TRUNCATED, VARVE_FORMAT_NEWER */
export function decodeLease(value: Uint8Array): StoredLease {
  const from = new ByteReader(value)
  const version = from.u8()
  if (version > VERSION) throw new FormatError('a lease', version, VERSION)
  return { token: from.varint(), ttlMs: from.varint(), owner: from.text() }
}
