// How V8 sizes the heaps of this process: by what is alive, not by what the machine has. Left alone, V8 lets a
// heap grow to about three times what was alive before it collects, within a quarter of the machine's memory:
// a flood of new topics left 814 MB resident, of which 100 were alive. Here a heap may grow by
// GROWTH_PERCENT between two collections, so garbage is a bounded part of memory.max.
//
// The flags are set when the daemon starts and hold for the threads too, so they do not depend on how the
// process was started (executable, npm start, a test). A hard limit (--max-old-space-size) is not used: V8
// ends the process at it, and what keeps memory within bounds is to hold less (memory-account.ts says what is
// held). Owner of node:v8.
//
// Measured with a flood of 1 M topics, resident at most and CPU seconds: 405 MiB and 16.7 without; 50 %: 284 and
// 18.5; 20 %: 247 and 24.4. The value lies between the last two: a load of known topics pays little.
import { getHeapStatistics, setFlagsFromString } from 'node:v8'

/** What a heap may grow by from one full collection to the next. */
const GROWTH_PERCENT = 30

/** Makes all heaps of the process grow slowly, from now on. */
export function boundHeaps(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`)
  // The young generation stays at its first size, 1 MiB: larger ones save little time and are all resident.
  setFlagsFromString('--semi-space-growth-factor=1')
}

/** Bytes that this thread's heap has taken, with what it holds outside, such as typed arrays. */
export function heapBytes(): number {
  const { total_heap_size, external_memory } = getHeapStatistics()
  return total_heap_size + external_memory
}
