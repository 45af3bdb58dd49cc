// The seeds of random tests. Every failure prints VARVE_SEED=n, and running the test file with that in the
// environment runs that seed alone.

/** n seeds, or only the one in VARVE_SEED. */
export function seeds(n: number): number[] {
  const only = process.env.VARVE_SEED
  return only === undefined ? Array.from({ length: n }, (_, i) => i + 1) : [Number(only)]
}
