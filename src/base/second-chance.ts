// What is kept up to a bound of weight: the oldest goes first, but one that was used since its turn came round
// stays one round more. On a hit only a flag is set, where a list kept by last use would move an element at
// every read.
// Source: the clock algorithm; F. J. Corbato, A paging experiment with the Multics system, 1968.
//
// Invariants: weight <= weightMax after every call; what weighs more than weightMax / share alone is not kept.
// Not here: what is worth keeping, and when it is no longer true (the callers).

interface Kept<V> {
  readonly value: V
  readonly weight: number
  used: boolean
}

export class SecondChance<K, V> {
  /** Of all that is kept. */
  weight = 0
  private readonly weightMax: number
  private readonly oneMax: number
  private readonly kept = new Map<K, Kept<V>>()

  /** @param share  one value takes 1 / share of the room at most */
  constructor(weightMax: number, share: number) {
    this.weightMax = weightMax
    this.oneMax = weightMax / share
  }

  get size(): number {
    return this.kept.size
  }

  get(key: K): V | undefined {
    const found = this.kept.get(key)
    if (found === undefined) return undefined
    found.used = true
    return found.value
  }

  fits(weight: number): boolean {
    return weight <= this.oneMax
  }

  /** Keeps a value in place of the one that its key has, when it fits. */
  put(key: K, value: V, weight: number): void {
    this.delete(key)
    if (!this.fits(weight)) return
    this.kept.set(key, { value, weight, used: false })
    this.weight += weight
    for (const [oldest, one] of this.kept) {
      if (this.weight <= this.weightMax) break
      this.kept.delete(oldest)
      if (one.used) {
        one.used = false
        this.kept.set(oldest, one)
      } else this.weight -= one.weight
    }
  }

  delete(key: K): void {
    const known = this.kept.get(key)
    if (known === undefined) return
    this.kept.delete(key)
    this.weight -= known.weight
  }

  /** Lets go of all that the test says. */
  deleteWhere(test: (key: K, value: V) => boolean): void {
    for (const [key, { value }] of this.kept) if (test(key, value)) this.delete(key)
  }

  clear(): void {
    this.kept.clear()
    this.weight = 0
  }
}
