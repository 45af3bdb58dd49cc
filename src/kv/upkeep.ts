// When entries move down: a flush once the memtable is large enough or the WAL runs short of files, and
// compaction when somebody asks; one of each at a time, a call meanwhile gets the one under way.
//
// Invariants: a flush that failed is tried again once a quarter more has come, not at every write.
// Not here: how they move (maintenance.ts), which segments are joined (engine/compaction-plan.ts).
import {
  type CompactionCounts,
  type CompactionOutcome,
  compactOnce,
  counted,
  NO_COMPACTIONS
} from './compaction.ts'
import { KV_KIND } from './host.ts'
import { type FlushOutcome, flushMemtable, type Maintained } from './maintenance.ts'

export interface UpkeepParts {
  /** What is worked on. @throws {VarveError} VARVE_CLOSED */
  readonly maintained: () => Omit<Maintained, 'walFull'>
  /** Memory of the memtable now, and that at which it is flushed, bytes. */
  readonly weight: () => number
  readonly memtableBytesMax: number
  /** Told when a flush made a segment: there may be something to join. */
  readonly onSegment: () => void
  /** Told of a flush that failed. */
  readonly onError: (error: unknown) => void
}

export class Upkeep {
  /** Compactions so far. */
  compactions: CompactionCounts = NO_COMPACTIONS
  private readonly parts: UpkeepParts
  private flushing: Promise<FlushOutcome> | null = null
  private compacting: Promise<CompactionOutcome> | null = null
  private flushWeight: number
  private full = Promise.withResolvers<void>()

  constructor(parts: UpkeepParts) {
    this.parts = parts
    this.flushWeight = parts.memtableBytesMax
  }

  /** @throws {VarveError} of the disk; nothing is lost then, and it may be tried again */
  flush(wanted: 'any' | 'segment'): Promise<FlushOutcome> {
    this.flushing ??= this.flushOnce(wanted).finally(() => {
      this.flushing = null
    })
    return this.flushing
  }

  /** @param nowUs  wall time; 0 where the clock is not known */
  compact(budgetBytes: number, nowUs: number): Promise<CompactionOutcome> {
    this.compacting ??= this.compactOnce(budgetBytes, nowUs).finally(() => {
      this.compacting = null
    })
    return this.compacting
  }

  /** Resolves when nothing is under way, failed or not. */
  async settled(): Promise<void> {
    await Promise.allSettled([this.flushing, this.compacting])
  }

  /** A write was taken. */
  written(): void {
    if (this.parts.weight() >= this.flushWeight && this.flushing === null) this.flushSoon('segment')
  }

  /** The WAL runs short of files that owners of these kinds pin. */
  pressed({ full, kinds }: { full: boolean; kinds: readonly number[] }): void {
    if (full) {
      this.full.resolve()
      this.full = Promise.withResolvers()
    }
    if (kinds.includes(KV_KIND) && this.flushing === null) this.flushSoon('any')
  }

  private async flushOnce(wanted: 'any' | 'segment'): Promise<FlushOutcome> {
    const outcome = await flushMemtable(this.maintained(), wanted)
    if (outcome === 'segment') this.parts.onSegment()
    return outcome
  }

  private async compactOnce(budgetBytes: number, nowUs: number): Promise<CompactionOutcome> {
    const outcome = await compactOnce(this.parts.maintained(), budgetBytes, nowUs)
    this.compactions = counted(this.compactions, outcome)
    return outcome
  }

  private maintained(): Maintained {
    return { ...this.parts.maintained(), walFull: () => this.full.promise }
  }

  private flushSoon(wanted: 'any' | 'segment'): void {
    const { weight, memtableBytesMax, onError } = this.parts
    this.flush(wanted).then(
      () => {
        this.flushWeight = memtableBytesMax
      },
      error => {
        this.flushWeight = weight() + memtableBytesMax / 4
        onError(error)
      }
    )
  }
}
