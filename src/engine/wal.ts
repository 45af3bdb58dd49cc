// The WAL as its owners see it: they note what is pending, are drained into one group, and learn when that
// group is on the medium. One write and one sync serve every owner (group commit); while a group is being
// synced the next collects with the owners.
//
// Invariants:
//  - groups are drained and written one at a time, in order; syncedGroup < pendingGroup;
//  - draining happens between turns of the event loop, never inside note(): what an owner appends and the
//    pendingGroup it reads in the same turn belong together;
//  - a group is told of as synced only after its write and its sync succeeded, and when the next one is on its way,
//    so that the medium works while replies are sent; one that turns out empty is synced when the one before is;
//  - a failed write or sync ends the WAL: `failure` is set, every waiter is rejected, nothing is acknowledged
//    any more, and every call throws VARVE_STORE_FAILED until the engine is opened anew. A later sync that
//    succeeds proves nothing, because the kernel may have dropped the pages.
//  - when no file is to be had the WAL is `full`: it waits, it says so (onPressure), and goes on by itself
//    when a checkpoint frees a file or the medium has room again. A group whose write met a full medium is
//    held: it is written again at the same place, before anything else; nothing of it was acknowledged.
// Not here: when (sync-pace.ts), where (wal-writer.ts), who needs which file (wal-needs.ts), replay (recovery.ts), the
// ordinals of groups on the medium (wal-record.ts): numbers here are those of this process.
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { reason, VarveError } from '../base/errors.ts'
import { PAGE_BYTES } from './format.ts'
import { GroupBuilder } from './group-builder.ts'
import { GroupTimer } from './group-timer.ts'
import { GroupWaiters, neverSynced } from './group-waiters.ts'
import type { WalMark } from './manifest-edit.ts'
import { EAGER, LAZY, NORMAL, type PaceOptions, SyncPace, type Urgency } from './sync-pace.ts'
import type { WalFiles } from './wal-files.ts'
import { WalNeeds } from './wal-needs.ts'
import type { WalOwner, WalPressure, WalStats } from './wal-owner.ts'
import { WalRotations } from './wal-rotations.ts'
import type { WalWriter } from './wal-writer.ts'

export { EAGER, LAZY, NORMAL, type Urgency, type WalOwner, type WalPressure }

/** What recovery hands over. */
export interface WalParts {
  readonly clock: Clock
  readonly owners: readonly WalOwner[]
  readonly files: WalFiles
  readonly writer: WalWriter
  readonly pace: PaceOptions
  /** Pending bytes above which admit() refuses. */
  readonly groupBytesMax: number
  /** Checkpoint of each owner's kind. */
  readonly checkpoints: ReadonlyMap<number, number>
}

/** How often a full WAL looks for room by itself, milliseconds. */
const FULL_RETRY_MS = 1000

export class Wal {
  /** The number of the group that collects now; grows by one for each group taken. */
  pendingGroup = 1
  /** Why the WAL ended; null while it is sound. */
  failure: VarveError | null = null
  /** No file is to be had: pending groups wait for a checkpoint. */
  full = false
  readonly stats: WalStats = { groups: 0, bytes: 0, paddingBytes: 0, lastSyncMs: 0, syncMsMax: 0 }

  private readonly parts: WalParts
  private readonly pace: SyncPace
  private readonly timer: GroupTimer
  private readonly needs: WalNeeds
  private readonly waiters = new GroupWaiters()
  private readonly rotations = new WalRotations()
  private readonly group: GroupBuilder
  /** `group` is the one before the pending one: the medium had no room for it yet. */
  private isHeld = false
  /** The newest group on the medium, until it is told; 0: it was. */
  private untold = 0
  private noted = 0
  private inFlight = 0
  private running: Promise<void> | null = null
  private closing = false

  constructor(parts: WalParts) {
    this.parts = parts
    this.group = new GroupBuilder(parts.owners)
    this.pace = new SyncPace(parts.pace, parts.clock.monotonicMs())
    this.timer = new GroupTimer(
      parts.clock,
      () => this.start(),
      () => this.schedule()
    )
    this.needs = new WalNeeds(parts.files, parts.owners, parts.checkpoints)
  }

  /** The newest group that is on the medium, with all before it. */
  get syncedGroup(): number {
    return this.waiters.synced
  }

  /** Bytes noted and not yet synced. */
  get pendingBytes(): number {
    return this.noted + this.inFlight
  }

  /** So much is pending that admit() will soon refuse: who can wait is to be made to. */
  get isCrowded(): boolean {
    return this.noted > this.parts.groupBytesMax / 2
  }

  /** The ordinal of the newest group on the medium or on its way there; 0 when there is none. */
  get ordinal(): number {
    const { nextOrdinal, isWriting } = this.parts.writer
    return isWriting ? nextOrdinal : nextOrdinal - 1
  }

  /** The newest group on the medium and its file; null when there is none. */
  get mark(): WalMark | null {
    const { nextOrdinal, sequence } = this.parts.writer
    return nextOrdinal === 1 ? null : { walFile: sequence, ordinal: nextOrdinal - 1 }
  }

  /** Bytes of all files. */
  get fileBytes(): number {
    return this.parts.files.bytes
  }

  /** Makes a file ready in the background, so that the first group does not wait for it. */
  prepare(): void {
    this.parts.writer.prepare().catch(error => this.fail(error))
  }

  /** The state of the WAL's files. */
  get pressure(): WalPressure {
    return this.needs.pressure(this.full)
  }

  /**
   * To be asked before something of about `bytes` bytes is accepted.
   * @throws {VarveError} VARVE_STORE_FAILED, VARVE_WAL_FULL (too much is pending: try again later)
   */
  admit(bytes: number): void {
    this.check()
    if (this.noted + bytes <= this.parts.groupBytesMax) return
    throw this.needs.refusal(bytes, this.noted, this.parts.groupBytesMax, this.full)
  }

  /**
   * Something of about `bytes` bytes is pending (0: only someone who waits).
   * @throws {VarveError} VARVE_STORE_FAILED
   */
  note(bytes: number, urgency: Urgency): void {
    if (this.failure !== null || this.closing) this.check()
    const before = this.noted
    this.noted = before + bytes
    const { trigger } = this.pace
    if (this.pace.waiting(urgency) && (this.noted < trigger || before >= trigger)) return
    this.pace.note(urgency, this.parts.clock.monotonicMs())
    this.schedule()
  }

  /** Resolves when group g is on the medium. @throws {VarveError} VARVE_SYNC_FAILED when it never will be */
  synced(group: number): Promise<void> {
    if (group <= this.syncedGroup) return Promise.resolve()
    if (this.failure !== null) return Promise.reject(neverSynced(group, this.failure))
    assert(group <= this.pendingGroup, 'only a group that exists is waited for')
    const synced = this.waiters.wait(group)
    if (group === this.pendingGroup) this.note(0, NORMAL)
    return synced
  }

  /** Called after each sync with the highest durable group. */
  onSynced(listener: (group: number) => void): void {
    this.waiters.onSynced(listener)
  }

  /** Called once, when the WAL ends by a failure; soon when it has, as it may while the store is opened. */
  onFailed(listener: (error: VarveError) => void): void {
    const { failure } = this
    if (failure === null) this.waiters.onFailed(listener)
    else queueMicrotask(() => listener(failure))
  }

  /** Called when files run short (two or fewer left) and when the WAL becomes full: owners have to flush. */
  onPressure(listener: (pressure: WalPressure) => void): void {
    this.needs.onPressure(listener)
  }

  /** Changes the pace from now on. */
  setPace(pace: Partial<PaceOptions>): void {
    this.pace.set(pace)
    this.schedule()
  }

  /**
   * Ends the current file after the pending group; resolves with the sequence number of the next file: the
   * checkpoint that an owner may set once everything that it drained before is in segments. When the WAL is
   * full, the pending group goes to that next file although its data may go into the segment as well.
   * @throws {VarveError} VARVE_STORE_FAILED
   */
  rotate(): Promise<number> {
    this.check()
    if (this.full) return Promise.resolve(this.parts.writer.nextSequence)
    const next = this.rotations.ask()
    this.schedule()
    return next
  }

  /** An owner's checkpoint is durable: files before all checkpoints become free. */
  checkpoint(kind: number, walFile: number): void {
    const freed = this.needs.checkpoint(kind, walFile, this.parts.writer.nextSequence)
    if (this.full && !this.isHeld && freed > 0) {
      this.full = false
      this.schedule()
    }
  }

  /** Writes what is pending, if it can, and ends; who still waits then is told that it will not be synced. */
  async close(): Promise<void> {
    if (this.failure === null && !this.closing) {
      await this.rotate().catch(error => {
        if (error !== this.failure) throw error
      })
    }
    this.closing = true
    this.timer.cancel()
    await this.running
    this.tell()
    this.waiters.rejectAll(this.failure)
    await this.parts.writer.close()
  }

  private check(): void {
    if (this.failure !== null) {
      throw new VarveError('VARVE_STORE_FAILED', `Cannot write: the store failed (${this.failure.message})`, {
        cause: this.failure
      })
    }
    if (this.closing) throw new VarveError('VARVE_CLOSED', 'Cannot write: the store is closed')
  }

  /** Sees to it that run() is called when the pending group is due. */
  private schedule(): void {
    if (this.running || this.full || this.failure !== null || this.closing) return
    const isUrgent = this.rotations.isAsked || this.isHeld
    this.timer.set(isUrgent ? 0 : this.pace.waitMs(this.noted, this.parts.clock.monotonicMs()))
  }

  private start(): void {
    if (this.running || this.failure !== null || this.closing) return
    this.running = this.run().then(
      () => this.stopped(),
      error => {
        this.running = null
        this.fail(error)
      }
    )
  }

  private stopped(): void {
    this.running = null
    this.schedule()
  }

  private async run(): Promise<void> {
    const { clock, writer } = this.parts
    while (!this.closing) {
      const waitMs = this.isHeld ? 0 : this.pace.waitMs(this.noted, clock.monotonicMs())
      if (waitMs > 0 && (!this.rotations.isAsked || waitMs === Infinity)) break
      if (!(await this.writeGroup())) return this.becomeFull()
      // Under load something is always pending: a rotation waits for one group, not for a quiet moment.
      if (this.rotations.isAsked) this.rotations.end(writer.endFile())
    }
    if (this.rotations.isAsked) this.rotations.end(writer.endFile())
  }

  /** False when there is no room for it now: it is not drained then, or held. */
  private async writeGroup(): Promise<boolean> {
    if (!this.isHeld && !(await this.drainGroup())) return false
    const { group } = this
    if (!group.isEmpty) {
      const startMs = this.parts.clock.monotonicMs()
      const padding = await this.parts.writer.write(group.out)
      // What is written ahead may fail meanwhile: then this group's sync proves nothing.
      if (this.failure !== null) throw this.failure
      this.isHeld = padding === null
      if (padding === null) return false
      this.count(padding, startMs)
      group.written()
    }
    this.inFlight = 0
    // A tick runs when all microtasks have: the next group, if one is due, is on its way then.
    if (this.untold === 0) process.nextTick(this.tell)
    this.untold = this.pendingGroup - 1
    this.parts.writer.writeAhead().catch(error => this.fail(error))
    this.prepareNext()
    return true
  }

  private readonly tell = (): void => {
    if (this.untold > this.syncedGroup && this.failure === null) this.waiters.announce(this.untold)
    this.untold = 0
  }

  /** Takes what is pending from its owners. False, and nothing is taken, when there is no file for it. */
  private async drainGroup(): Promise<boolean> {
    const { writer } = this.parts
    if (!(await writer.reserve(this.noted + (this.noted >> 2) + PAGE_BYTES))) return false
    this.pendingGroup++
    this.inFlight = this.noted
    this.noted = 0
    this.pace.taken()
    this.group.build(writer.restart)
    return true
  }

  private count(padding: number, startMs: number): void {
    const { stats } = this
    const endMs = this.parts.clock.monotonicMs()
    this.pace.charge(padding, endMs)
    stats.groups++
    stats.bytes += this.group.out.length
    stats.paddingBytes += padding
    stats.lastSyncMs = endMs - startMs
    stats.syncMsMax = Math.max(stats.syncMsMax, stats.lastSyncMs)
  }

  /** Makes the next file ready while the current one still has room, and warns when files run short. */
  private prepareNext(): void {
    if (!this.needs.isNextDue(this.parts.writer.used)) return
    this.prepare()
    if (this.needs.areShort) this.needs.press(this.full)
  }

  private becomeFull(): void {
    this.full = true
    this.rotations.end(this.parts.writer.nextSequence)
    this.needs.press(this.full)
    this.parts.clock.after(FULL_RETRY_MS, () => {
      if (!this.full) return
      this.full = false
      this.schedule()
    })
  }

  private fail(error: unknown): void {
    if (this.failure !== null) return
    this.failure = new VarveError('VARVE_STORE_FAILED', `Cannot write the WAL: ${reason(error)}`, {
      cause: error
    })
    this.timer.cancel()
    this.rotations.fail(this.failure)
    this.waiters.fail(this.failure)
    // A bug of ours is not the medium's failure: it must end the process.
    if (!(error instanceof VarveError)) throw error
  }
}
