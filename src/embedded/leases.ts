// Leases as a program holds them: one holder at a time, given back at the end of a block.
//
//   await using lease = await db.leases.acquire('pump', { ttlMs: 30_000, waitMs: 10_000 })
//   await pump.run(lease.token)           whoever guards the pump refuses a token smaller than it saw
// Not here: what a lease promises (kv/lease.ts).
import { VarveError } from '../base/errors.ts'
import type { Acquired, Lease, Leases } from '../kv/lease.ts'

export interface AcquireChoices {
  /** How long it lasts unless it is renewed, ms; default: 30 s. */
  readonly ttlMs?: number
  /** How long to wait while another holds it, ms; default: not at all. */
  readonly waitMs?: number
  /** Who asks, for people; default: the process. */
  readonly owner?: string
  readonly signal?: AbortSignal
}

const TTL_MS = 30_000

export class Coordination {
  private readonly leases: Leases
  private readonly synced: (group: number) => Promise<void>

  constructor(leases: Leases, synced: (group: number) => Promise<void>) {
    this.leases = leases
    this.synced = synced
  }

  /**
   * Gets a lease, or throws when another holds it until the wait is over.
   * @throws {VarveError} VARVE_LEASE_HELD, VARVE_LEASE, VARVE_LEASE_LIMIT
   */
  async acquire(name: string, choices: AcquireChoices = {}): Promise<HeldLease> {
    const held = await this.tryAcquire(name, choices)
    if (held !== null) return held
    const holder = this.leases.get(name)?.owner ?? 'another'
    throw new VarveError('VARVE_LEASE_HELD', `Cannot acquire ${name}: ${holder} holds it`)
  }

  /** The same; null when another holds it. */
  async tryAcquire(name: string, choices: AcquireChoices = {}): Promise<HeldLease | null> {
    const { ttlMs = TTL_MS, waitMs = 0, owner = `pid ${process.pid}`, signal } = choices
    const acquired = await this.leases.acquireWithin(name, owner, ttlMs, waitMs, signal)
    if (acquired === null) return null
    await this.synced(acquired.group)
    return new HeldLease(this.leases, this.synced, acquired, ttlMs)
  }

  /** Who holds a name. */
  get(name: string): Lease | null {
    return this.leases.get(name)
  }
}

/** A lease that was got. */
export class HeldLease {
  readonly name: string
  /** Greater than that of every lease before. */
  readonly token: number
  private readonly leases: Leases
  private readonly synced: (group: number) => Promise<void>
  private readonly ttlMs: number

  constructor(leases: Leases, synced: (group: number) => Promise<void>, { lease }: Acquired, ttlMs: number) {
    this.leases = leases
    this.synced = synced
    this.ttlMs = ttlMs
    this.name = lease.name
    this.token = lease.token
  }

  /** Time left, ms; 0 when it is over. */
  get leftMs(): number {
    const lease = this.leases.get(this.name)
    return lease?.token === this.token ? lease.leftMs : 0
  }

  /** Lets it last from now on. @throws {VarveError} VARVE_LEASE_LOST when it is over or another's */
  async renew(ttlMs = this.ttlMs): Promise<void> {
    const group = this.leases.renew(this.name, this.token, ttlMs)
    if (group !== 0) await this.synced(group)
  }

  /** Gives it back. @throws {VarveError} VARVE_LEASE_LOST when it is over or another's */
  async release(): Promise<void> {
    await this.synced(this.leases.release(this.name, this.token))
  }

  /** Gives it back unless it is over. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.leftMs > 0) await this.release()
  }
}
