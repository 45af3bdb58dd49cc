import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { ascending } from '../../src/engine/key-sort.ts'
import { MergeIterator, type SortedCursor } from '../../src/engine/merge-iterator.ts'
import { lowerBound, type PlacedKeys, type Run, SortedRuns } from '../../src/engine/sorted-runs.ts'
import { seeds } from '../kit/seeds.ts'

function read<V>(cursor: SortedCursor<V>): [string, V][] {
  const found: [string, V][] = []
  for (; cursor.key !== null; cursor.next()) found.push([cursor.key, cursor.value()])
  return found
}

function rangeOf(
  model: Map<string, number>,
  low: string,
  high: string | null,
  reverse: boolean
): [string, number][] {
  const found = [...model]
    .filter(([key]) => key >= low && (high === null || key < high))
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return reverse ? found.reverse() : found
}

function cursorOf<V>(pairs: [string, V][]): SortedCursor<V> {
  let at = 0
  return {
    get key() {
      return pairs[at]?.[0] ?? null
    },
    value: () => pairs[at]![1],
    next: () => at++
  }
}

/** Byte strings by place. */
class Strings implements PlacedKeys {
  private readonly keys: readonly string[]

  constructor(keys: readonly string[]) {
    this.keys = keys
  }

  compare(a: number, b: number): number {
    return this.compareTo(a, this.keys[b]!)
  }

  compareTo(place: number, key: string): number {
    const own = this.keys[place]!
    return own < key ? -1 : own > key ? 1 : 0
  }

  shared(a: number, b: number): number {
    const [one, other] = [this.keys[a]!, this.keys[b]!]
    let at = 0
    while (at < one.length && one[at] === other[at]) at++
    return at
  }

  four(place: number, at: number): number {
    return Buffer.from(this.keys[place]!.slice(at, at + 4).padEnd(4, '\0'), 'latin1').readUInt32BE()
  }
}

t.test('SortedRuns has every place once, in few runs, and a pinned one never changes', async t => {
  for (const seed of seeds(40)) {
    const random = new Random(seed)
    const list: string[] = []
    const keys = new Strings(list)
    const known = new Set<string>()
    const runs = new SortedRuns()
    const pinned: { runs: readonly Run[]; text: string }[] = []
    for (let step = 0; step < 60; step++) {
      for (let left = random.below(random.pick([3, 200])); left > 0; left--) {
        const key = `k${random.below(1e6)}`
        if (!known.has(key)) list.push(key)
        known.add(key)
      }
      runs.order(list.length, keys)
      pinned.push({ runs: runs.pin(), text: JSON.stringify(runs.pin().map(run => [...run])) })
      const all = runs.pin().flatMap(run => [...run])
      const isWhole = all.length === list.length && new Set(all).size === all.length
      if (!isWhole || runs.count !== list.length) t.fail(`VARVE_SEED=${seed}: places`)
      for (const run of runs.pin()) {
        const sorted = [...run].map(place => list[place]!)
        if (sorted.some((key, i) => i > 0 && key <= sorted[i - 1]!)) t.fail(`VARVE_SEED=${seed}: order`)
        const probe = random.pick(list)
        const wanted = sorted.filter(key => key < probe).length
        if (lowerBound(run, keys, probe) !== wanted) t.fail(`VARVE_SEED=${seed}: lowerBound()`)
      }
      t.ok(
        runs.pin().length <= 1 + Math.log2(list.length + 1),
        `VARVE_SEED=${seed}: ${runs.pin().length} runs`
      )
    }
    for (const { runs, text } of pinned) t.equal(JSON.stringify(runs.map(run => [...run])), text)
  }
})

t.test('ascending() orders places as < orders their keys', async t => {
  for (const seed of seeds(300)) {
    const random = new Random(seed)
    const start = 'abcdef'.slice(0, random.below(7))
    const bytes = random.chance(0.5) ? 3 : 256
    const longest = 1 + random.below(9)
    const keys = new Set<string>()
    for (let left = 1 + random.below(200); left > 0; left--) {
      let key = start
      for (let n = random.below(longest); n > 0; n--) key += String.fromCharCode(random.below(bytes))
      keys.add(key)
    }
    const list = [...keys]
    const from = random.below(list.length)
    const found = [...ascending(from, list.length, new Strings(list))].map(place => list[place])
    t.same(found, list.slice(from).toSorted(), `VARVE_SEED=${seed}`)
  }
})

t.test('MergeIterator gives each key once, from the first cursor that holds it', async t => {
  for (const seed of seeds(200)) {
    const random = new Random(seed)
    const reverse = random.chance(0.5)
    const model = new Map<string, number>()
    const tables = Array.from({ length: 1 + random.below(6) }, (_, nth) => {
      const table = new Map<string, number>()
      for (let left = random.below(60); left > 0; left--) table.set(String(random.below(80)), nth)
      return table
    })
    for (const table of [...tables].reverse()) for (const [key, nth] of table) model.set(key, nth)
    const merged = new MergeIterator(
      tables.map(table => cursorOf(rangeOf(table, '', null, reverse))),
      reverse
    )
    t.same(read(merged), rangeOf(model, '', null, reverse), `VARVE_SEED=${seed}`)
  }
})
