// Joins the store's progress with those who wait for it: connections with acknowledgements, the daemon's own
// publishes, senders that stand still, and, while the store is too far behind, every publisher.
//
// Invariants: a group that failed acknowledges nothing, and closes who waits; publishers go on when half of
// what made them stop is synced. Not here: the acknowledgements (publisher.ts), the sync itself (engine).
import type { Clock } from '../base/clock.ts'
import { VarveError } from '../base/errors.ts'
import type { Door } from './door.ts'
import type { SyncGate } from './intake.ts'
import { REASON } from './packet.ts'
import type { BrokerStats } from './stats.ts'
import { EAGER, quietMs } from './urgency.ts'

export class SyncWatch {
  /** The store has too much to sync, or the broker closes: nobody is read. */
  isBehind = false
  private isClosing = false
  private readonly gate: SyncGate
  private readonly clock: Clock
  private readonly stats: BrokerStats
  private readonly pendingBytesMax: number
  private readonly onGoOn: () => void
  /** Doors that are isWaiting, and closed ones that were. */
  private waiting: Door[] = []
  private readonly quiet = new Set<Door>()
  private promises: { group: number; resolve: () => void; reject: (error: Error) => void }[] = []

  /** @param onGoOn  called when publishers may be read again */
  constructor(
    parts: { gate: SyncGate; clock: Clock; stats: BrokerStats; pendingBytesMax: number },
    onGoOn: () => void
  ) {
    this.gate = parts.gate
    this.clock = parts.clock
    this.stats = parts.stats
    this.pendingBytesMax = parts.pendingBytesMax
    this.onGoOn = onGoOn
    this.gate.onSynced(group => this.synced(group))
    this.gate.onFailed(error => this.failed(error))
  }

  /** The door has acknowledgements that wait. */
  add(door: Door): void {
    if (door.isWaiting) return
    door.isWaiting = true
    this.waiting.push(door)
  }

  /** The door is closed. */
  remove(door: Door): void {
    door.isWaiting = false
    this.quiet.delete(door)
  }

  /** Bytes were noted: are they too many? */
  noted(): void {
    if (this.isBehind || this.gate.pendingBytes <= this.pendingBytesMax) return
    this.isBehind = true
    this.stats.pausedPending++
  }

  /** Resolves when the group is on the medium; rejects when it never will be. */
  async durable(group: number): Promise<void> {
    if (group <= this.gate.syncedGroup) return
    await new Promise<void>((resolve, reject) => this.promises.push({ group, resolve, reject }))
  }

  /** The door's sender may stand still soon: ask it again after quietMs. */
  watchQuiet(door: Door): void {
    if (this.quiet.size === 0) this.clock.after(quietMs, () => this.quietPassed())
    this.quiet.add(door)
  }

  /** Stops reading and waits, at most drainMs, until everything taken is acknowledged. */
  async drain(drainMs: number): Promise<void> {
    this.isClosing = true
    this.isBehind = true
    const until = this.clock.monotonicMs() + drainMs
    if (this.isAwaited) this.gate.note(0, EAGER)
    while (this.isAwaited && this.clock.monotonicMs() < until) {
      await new Promise<void>(resolve => setTimeout(resolve, 5))
    }
  }

  private get isAwaited(): boolean {
    return this.waiting.some(door => door.isWaiting)
  }

  /** Nobody will be told any more. */
  close(): void {
    for (const { reject, group } of this.promises) {
      reject(new VarveError('VARVE_MQTT_CLOSED', `Cannot wait for group ${group}: the broker is closed`))
    }
    this.promises = []
  }

  private synced(group: number): void {
    if (this.isBehind && !this.isClosing && this.gate.pendingBytes <= this.pendingBytesMax / 2) {
      this.isBehind = false
      this.onGoOn()
    }
    // A door that is acknowledged goes on reading, and may wait again at once.
    const { waiting } = this
    this.waiting = []
    for (const door of waiting) {
      if (!door.isWaiting) continue
      door.isWaiting = false
      door.synced(group)
      if (door.publisher.acks.count > 0 && !door.isClosed) this.add(door)
    }
    if (this.promises.length === 0) return
    for (const promise of this.promises) if (promise.group <= group) promise.resolve()
    this.promises = this.promises.filter(promise => promise.group > group)
  }

  private failed(error: Error): void {
    for (const door of [...this.waiting]) if (door.isWaiting) door.end(REASON.unspecified)
    this.waiting = []
    for (const promise of this.promises) promise.reject(error)
    this.promises = []
  }

  private quietPassed(): void {
    const nowMs = this.clock.monotonicMs()
    let isStuck = false
    for (const door of this.quiet) {
      const { urgency, acks } = door.publisher
      if (urgency.isStuck(nowMs, acks.count)) isStuck = true
      else if (acks.count > 0 && urgency.waits) continue
      this.quiet.delete(door)
    }
    if (isStuck) {
      this.stats.eager++
      this.gate.note(0, EAGER)
    }
    if (this.quiet.size > 0) this.clock.after(quietMs, () => this.quietPassed())
  }
}
