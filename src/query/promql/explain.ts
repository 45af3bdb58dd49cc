// What a query read for each of its selectors: from samples ("raw") and from which tiers, and how much.
import type { TierSpan } from '../../series/source.ts'

/** What was read of one place. */
export interface Reads {
  readonly from: string
  /** us; both are part of it. */
  start_us: number
  end_us: number
  /** Parts of groups. */
  stretches: number
  /** Chunks of segments of which something was read; what is in memory is in none. */
  blocks: number
  windows: number
  samples: number
}

/** The reads of one selector. */
export class ReadLog {
  readonly selector: string
  readonly reads = new Map<string, Reads>()

  constructor(selector: string) {
    this.selector = selector
  }

  /** Adds a stretch, [fromUs, toUs). @param from  'raw' or the name of a tier */
  add(from: string, { fromUs, toUs }: TierSpan, blocks: number, windows: number, samples: number): void {
    let reads = this.reads.get(from)
    if (reads === undefined) {
      reads = { from, start_us: fromUs, end_us: toUs - 1, stretches: 0, blocks: 0, windows: 0, samples: 0 }
      this.reads.set(from, reads)
    }
    reads.start_us = Math.min(reads.start_us, fromUs)
    reads.end_us = Math.max(reads.end_us, toUs - 1)
    reads.stretches++
    reads.blocks += blocks
    reads.windows += windows
    reads.samples += samples
  }
}

/** The logs of a whole query, in the order in which its selectors were read. */
export class Explain {
  private readonly logs: ReadLog[] = []

  log(selector: string): ReadLog {
    const log = new ReadLog(selector)
    this.logs.push(log)
    return log
  }

  /** As it is answered. */
  toJSON(): object[] {
    return this.logs.map(({ selector, reads }) => ({ selector, reads: [...reads.values()] }))
  }
}
