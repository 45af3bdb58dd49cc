// Dead letters: messages that could not be stored, kept so that someone can see what a device really sends.
// Every failure is counted by code; a capped ring keeps the newest of them with the first bytes of the
// payload. How fast letters are kept is bounded, so that a flood of bad messages wears no flash and makes no
// garbage: past the rate they are only counted.
//
// Invariants: at most `capacity` letters; at most ratePerSecond letters a second over time, in bursts of at
// most `burst`.
// Not here: where letters are stored (the daemon passes a store over kv).
import type { Clock } from '../base/clock.ts'
import { FAILURE_CODES, type FailureCode } from './limits.ts'

export interface DeadLetter {
  /** Grows by one per letter kept; the slot of a letter is its sequence modulo the capacity. */
  readonly sequence: number
  readonly topic: string
  readonly timeUs: number
  readonly code: FailureCode
  readonly reason: string
  /** The first bytes of the payload. */
  readonly payload: Uint8Array
  /** How long the payload was. */
  readonly payloadBytes: number
}

/** Where letters outlive the process. A letter put at a slot replaces the one there. */
export interface DeadLetterStore {
  put(slot: number, letter: DeadLetter): void
}

export interface DeadLettersOptions {
  readonly clock: Clock
  readonly store?: DeadLetterStore
  /** Letters that were stored before, in any order. */
  readonly stored?: Iterable<DeadLetter>
  readonly capacity?: number
  /** Letters kept a second over time; 0.1 unless told: about 5 MB of letters a day. */
  readonly ratePerSecond?: number
  readonly burst?: number
}

/** Bytes of a payload, and characters of a topic, that a letter keeps. */
const keptMax = 256

export class DeadLetters {
  /** Failures by code since the start, kept or not. */
  readonly counts: Record<FailureCode, number>
  /** Failures that were only counted because letters came too fast. */
  countedOnly = 0
  private readonly clock: Clock
  private readonly store: DeadLetterStore | undefined
  private readonly capacity: number
  private readonly ratePerSecond: number
  private readonly burst: number
  private readonly ring: (DeadLetter | undefined)[]
  private sequence = 0
  private allowance: number
  private refilledMs: number

  constructor(options: DeadLettersOptions) {
    this.clock = options.clock
    this.store = options.store
    this.capacity = options.capacity ?? 256
    this.ratePerSecond = options.ratePerSecond ?? 0.1
    this.burst = options.burst ?? 32
    this.allowance = this.burst
    this.refilledMs = this.clock.monotonicMs()
    this.ring = new Array(this.capacity)
    this.counts = Object.fromEntries(FAILURE_CODES.map(code => [code, 0])) as Record<FailureCode, number>
    for (const letter of options.stored ?? []) {
      const slot = letter.sequence % this.capacity
      if ((this.ring[slot]?.sequence ?? -1) < letter.sequence) this.ring[slot] = letter
      this.sequence = Math.max(this.sequence, letter.sequence + 1)
    }
  }

  /** Notes that bytes[start, end), published to `topic`, could not be stored. */
  add(
    topic: string,
    timeUs: number,
    code: FailureCode,
    reason: string,
    bytes: Uint8Array,
    start: number,
    end: number
  ): void {
    this.counts[code]++
    if (!this.allowed()) {
      this.countedOnly++
      return
    }
    const letter: DeadLetter = {
      sequence: this.sequence++,
      topic: topic.slice(0, keptMax),
      timeUs,
      code,
      reason,
      payload: bytes.slice(start, Math.min(end, start + keptMax)),
      payloadBytes: end - start
    }
    const slot = letter.sequence % this.capacity
    this.ring[slot] = letter
    this.store?.put(slot, letter)
  }

  /** The letters kept, newest first. */
  newest(): DeadLetter[] {
    return this.ring.filter(letter => letter !== undefined).sort((a, b) => b.sequence - a.sequence)
  }

  private allowed(): boolean {
    if (this.allowance < 1) {
      const nowMs = this.clock.monotonicMs()
      const earned = ((nowMs - this.refilledMs) / 1000) * this.ratePerSecond
      this.refilledMs = nowMs
      this.allowance = Math.min(this.burst, this.allowance + earned)
      if (this.allowance < 1) return false
    }
    this.allowance--
    return true
  }
}
