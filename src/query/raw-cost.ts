// Whether samples are read as fast as a tier's windows of the same span. A window has up to fifteen columns
// where a sample has two, so a tier of a minute may be no gain over a sample every ten seconds; and where windows
// are longer than chunks, the heads of chunks are a tier of their own.
//
// Not here: which tier is exact (tiers.ts).
import type { SeriesSource } from '../series/source.ts'

/** Rows that are decoded in the time that a window of a tier is, when windows are taken one by one. */
export const ROWS_PER_WINDOW = 10
/** The same when they are taken in columns (TierFigures). */
export const ROWS_PER_FIGURE = 3
/** Rows that are decoded in the time that finding a chunk and reading its head takes. */
const ROWS_PER_CHUNK = 256
/** What a tier costs before its first window: a chunk of its own, and chunks of samples at the edges. */
const ROWS_FREE = 1536

/**
 * @param lengthUs  of the windows that are asked for, which follow each other from originUs
 * @param tierStepUs  of the tier that would be read
 * @param rowsPerWindow  what a window of it costs
 */
export function isRawCheap(
  source: SeriesSource,
  group: number,
  fromUs: number,
  toUs: number,
  lengthUs: number,
  originUs: number,
  tierStepUs: number,
  rowsPerWindow: number
): boolean {
  if (source.rawFromUs(group) > fromUs) return false
  const rowsMax = (spanUs: number) => ROWS_FREE + (spanUs / tierStepUs) * rowsPerWindow
  // The span of the rows is at most what is asked: of a month the first days tell.
  const max = rowsMax(toUs - fromUs)
  const { rows, chunks, spanUs } = source.costOf(group, fromUs, toUs, lengthUs, originUs, max)
  return rows + chunks * ROWS_PER_CHUNK <= rowsMax(spanUs)
}
