// Gives the lines of an answer one by one, no faster than a rate.
//
// Invariant: the answer is asked for its next piece only when the lines of the one before are given, so a slow replay
// holds little. Not here: whose lines, and where they go (query-topics.ts).
import type { Clock } from '../base/clock.ts'

const TURN_MS = 50
const LF = 10

/**
 * @param rate  lines a second
 * @returns how many were given until the end, or the signal
 */
export async function replay(
  pieces: AsyncIterable<Uint8Array>,
  rate: number,
  clock: Clock,
  signal: AbortSignal,
  give: (line: Uint8Array) => void
): Promise<number> {
  const beganMs = clock.monotonicMs()
  let given = 0
  let rest = Buffer.alloc(0)
  for await (const piece of pieces) {
    rest = Buffer.concat([rest, piece])
    let from = 0
    for (let end = rest.indexOf(LF); end >= 0; end = rest.indexOf(LF, from)) {
      const dueMs = beganMs + (given / rate) * 1000
      if (dueMs > clock.monotonicMs())
        await pause(clock, Math.max(TURN_MS, dueMs - clock.monotonicMs()), signal)
      if (signal.aborted) return given
      if (end > from) {
        give(rest.subarray(from, end))
        given++
      }
      from = end + 1
    }
    rest = rest.subarray(from)
  }
  return given
}

/** Resolves after so long, or at the signal. */
function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.after(ms, done)
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })
}
