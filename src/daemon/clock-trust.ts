// Whether the wall clock can be believed. Pure: what the machine says of its clock in, a verdict with its
// reason out.
//
// | the machine says                                              | then the wall is believed                |
// |---|---|
// | a time service has set it                                     | at once                                  |
// | the kernel set it from a battery clock, and it is plausible   | at once                                  |
// | this boot of the machine knew the time before, and it agrees  | at once (varve was restarted)            |
// | a time service is there, but has not set it                   | when it has, or when the wall steps ahead|
// | nobody will say (containers, no time service)                 | when it is plausible and the machine has |
// |                                                               | been up for five minutes                 |
//
// Plausible: not before anything that is known to have been, and not ten years after it. What a service has set
// is believed from the year of the program's making on. A step ahead to a
// plausible time counts as being set, since nothing else makes a running clock jump: it is how somebody sets
// it by hand, and how a container sees its host set it: on a Pi within minutes of its boot, so that only after
// these a clock that nobody vouches for is taken for the one there is.
// Not here: asking the machine (clock-source.ts), what follows from the verdict (clock-keeper.ts).
import { MADE_US } from '../base/version.ts'
import { TIME_MAX_US } from '../series/sample.ts'

/** What a machine says of its clock. */
export interface SyncState {
  /** nobody: there is no time service that could tell, or it cannot be asked. */
  readonly state: 'set' | 'waiting' | 'nobody'
  /** Who says so. */
  readonly by: string
  /** The kernel took the time from a clock with a battery. */
  readonly hasBattery: boolean
}

export interface ClockFacts {
  /** clock.source of the configuration. */
  readonly source: 'auto' | 'trusted'
  readonly sync: SyncState
  readonly wallUs: number
  /** The newest moment that is known to have been: stored, or that of the program's making. */
  readonly pastUs: number
  /** How long the machine has been up, ms. */
  readonly upMs: number
  /** The wall was stepped ahead by a step since the start. */
  readonly steppedAhead: boolean
  /** What the wall would show if it went on as an earlier run knew it, in the same boot; null: no such run. */
  readonly expectedUs: number | null
}

export interface Verdict {
  readonly isKnown: boolean
  readonly why: string
}

/**
 * A clock that is off by less is slewed and not stepped, which loses and repeats no time: 2 s are 67 minutes of
 * the 500 ppm that the kernel slews at most, and more than a restart of the machine's timers ever shows.
 */
export const STEP_US = 2_000_000
/** So long after a boot of the machine its clock may still be set by a service that we do not see. */
const SETTLE_MS = 5 * 60_000
const AHEAD_US_MAX = 10 * 365.25 * 86_400_000_000

/** Whether it may be this time, given a moment that has been. */
export function isPlausible(wallUs: number, pastUs: number): boolean {
  return wallUs >= pastUs && wallUs <= Math.min(pastUs + AHEAD_US_MAX, TIME_MAX_US)
}

export function judgeClock({
  source,
  sync,
  wallUs,
  pastUs,
  upMs,
  steppedAhead,
  expectedUs
}: ClockFacts): Verdict {
  const known = (why: string) => ({ isKnown: true, why })
  if (source === 'trusted') return known('clock.source says that it is right')
  // What was taken for the time before may have been wrong, so a clock that was set need not be after it.
  if (sync.state === 'set' && wallUs >= MADE_US && wallUs < TIME_MAX_US) return known(`set: ${sync.by}`)
  if (!isPlausible(wallUs, pastUs)) {
    const past = isoTime(pastUs)
    const odd = wallUs < pastUs ? `before ${past}, which has been` : `years after ${past}`
    return { isKnown: false, why: `the clock shows ${isoTime(wallUs)}, ${odd}` }
  }
  if (sync.hasBattery) return known('the kernel took it from a clock with a battery')
  if (expectedUs !== null && Math.abs(wallUs - expectedUs) < STEP_US) {
    return known('it was known before in this boot')
  }
  if (steppedAhead) return known('it was stepped ahead')
  if (sync.state === 'nobody' && upMs >= SETTLE_MS) return known(`plausible, and nobody can tell: ${sync.by}`)
  return { isKnown: false, why: `not set yet: ${sync.by}` }
}

export function isoTime(us: number): string {
  const date = new Date(us / 1000)
  return Number.isNaN(date.getTime()) ? `${us} us` : date.toISOString()
}
