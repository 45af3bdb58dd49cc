// The seeds of a random test: n of them, or the one in VARVE_SEED, which a failure prints.
export function seeds(n: number): number[] {
  const one = process.env.VARVE_SEED
  return one === undefined ? Array.from({ length: n }, (_, i) => i + 1) : [Number(one)]
}
