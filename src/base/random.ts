// The one door to chance. Everything that draws takes a Random, so that a test replays a run from one
// seed. SplitMix32: small, fast, good enough for jitter and tests; never for secrets.
// Not here: secrets (node:crypto, at their owners).

/** A seeded source of chance: the same seed gives the same draws for ever. */
export class Random {
  private state: number

  constructor(seed: number) {
    this.state = seed | 0
  }

  /** A uniform integer in [0, 2^32). */
  u32(): number {
    this.state = (this.state + 0x9e3779b9) | 0
    let z = this.state
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return (z ^ (z >>> 15)) >>> 0
  }

  /** A uniform number in [0, 1). */
  unit(): number {
    return this.u32() / 0x100000000
  }

  /** A uniform integer in [0, n). */
  below(n: number): number {
    return Math.floor(this.unit() * n)
  }

  /** True with probability p. */
  chance(p: number): boolean {
    return this.unit() < p
  }

  /** One of the choices, each as likely. */
  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!
  }
}

/** A source seeded from the machine, for jitter. */
export function anyRandom(): Random {
  return new Random(Math.floor(Math.random() * 0x100000000))
}
