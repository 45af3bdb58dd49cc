// Who wants to know what becomes of the groups of the WAL: those that wait for one, and those that listen to
// all. A group is synced, or it never will be: every waiter gets one of the two answers, once.
//
// Invariant: `synced` only grows; waiters of a group are answered before listeners hear of it.
// Not here: when a group is synced (wal.ts).
import { VarveError } from '../base/errors.ts'

export class GroupWaiters {
  /** The newest group that is on the medium, with all before it. */
  synced = 0
  private readonly syncedListeners: ((group: number) => void)[] = []
  private readonly failedListeners: ((error: VarveError) => void)[] = []
  private readonly waiters = new Map<number, PromiseWithResolvers<void>>()

  /** Called after each sync with the highest durable group. */
  onSynced(listener: (group: number) => void): void {
    this.syncedListeners.push(listener)
  }

  /** Called once, when no group will be synced any more because of a failure. */
  onFailed(listener: (error: VarveError) => void): void {
    this.failedListeners.push(listener)
  }

  /** Resolves when group g, which is not synced yet, is. */
  wait(group: number): Promise<void> {
    const known = this.waiters.get(group)
    if (known) return known.promise
    const waiter = Promise.withResolvers<void>()
    this.waiters.set(group, waiter)
    return waiter.promise
  }

  /** Group g and all before it are on the medium. */
  announce(group: number): void {
    this.synced = group
    for (const [awaited, waiter] of this.waiters) {
      if (awaited > group) continue
      this.waiters.delete(awaited)
      waiter.resolve()
    }
    for (const listener of this.syncedListeners) listener(group)
  }

  /** Tells who waits that it is in vain. @param failure  null: the store was closed */
  rejectAll(failure: VarveError | null): void {
    for (const [group, waiter] of this.waiters) waiter.reject(neverSynced(group, failure))
    this.waiters.clear()
  }

  /** The same because of a failure, of which listeners hear too. */
  fail(failure: VarveError): void {
    this.rejectAll(failure)
    for (const listener of this.failedListeners) listener(failure)
  }
}

/** What a waiter gets whose group will never be on the medium. */
export function neverSynced(group: number, failure: VarveError | null): VarveError {
  return new VarveError(
    'VARVE_SYNC_FAILED',
    `Cannot sync group ${group}: the store ${failure ? 'failed' : 'is closed'}`,
    { cause: failure }
  )
}
