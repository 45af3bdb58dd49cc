// Measures how long the event loop keeps others waiting, for status and metrics.
// Not here: where it is shown (status.ts, metrics.ts).
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { LoopDelay } from './parts.ts'

/** Starts measuring. */
export function watchLoop(): LoopDelay {
  const histogram = monitorEventLoopDelay({ resolution: 5 })
  histogram.enable()
  return { p99Ms: () => histogram.percentile(99) / 1e6, maxMs: () => histogram.max / 1e6 }
}
