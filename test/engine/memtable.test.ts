import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { ascending } from '../../src/engine/key-sort.ts'
import { Memtable, type MemtableView } from '../../src/engine/memtable.ts'
import { MergeIterator, type SortedCursor } from '../../src/engine/merge-iterator.ts'
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

t.test('Memtable agrees with a map, and a pinned view never changes', async t => {
  for (const seed of seeds(40)) {
    const random = new Random(seed)
    const table = new Memtable<number>()
    const model = new Map<string, number>()
    const views: { view: MemtableView<number>; model: Map<string, number> }[] = []
    const keys = 1 + random.below(5000)
    const key = () => String(random.below(keys)).padStart(random.below(3), '0')
    for (let i = 0; i < 4000; i++) {
      const at = key()
      const before = table.put(at, i)
      if (before !== model.get(at)) t.fail(`VARVE_SEED=${seed}: put() returned ${before}`)
      model.set(at, i)
      if (random.chance(0.003)) views.push({ view: table.pin(), model: new Map(model) })
    }
    views.push({ view: table.pin(), model })
    for (const { view, model } of views) {
      const reverse = random.chance(0.5)
      const low = random.chance(0.3) ? '' : key()
      const high = random.chance(0.3) ? null : key()
      const found = read(view.cursor(low, high, reverse))
      if (JSON.stringify(found) !== JSON.stringify(rangeOf(model, low, high, reverse)))
        t.fail(`VARVE_SEED=${seed}: range`)
      if (view.get(low) !== model.get(low) || view.size !== model.size) t.fail(`VARVE_SEED=${seed}: get`)
    }
    t.equal(table.size, model.size, `VARVE_SEED=${seed}`)
  }
})

t.test(
  'Memtable keeps its order when more changes than it lets wait, and holds every value once',
  async t => {
    for (const seed of seeds(2)) {
      const random = new Random(seed)
      const table = new Memtable<number>()
      const model = new Map<string, number>()
      for (let i = 0; i < 60_000; i++) {
        const key = `k${random.below(50_000)}`
        if (table.put(key, i) !== model.get(key)) t.fail(`VARVE_SEED=${seed}: put()`)
        model.set(key, i)
      }
      t.ok(model.size > 16_384, 'the tree is told twice without a view')
      t.same(read(table.pin().cursor('', null)), rangeOf(model, '', null, false), `VARVE_SEED=${seed}: scan`)
      t.same([...table.all()].sort(), [...model.values()].sort(), `VARVE_SEED=${seed}: all()`)
      for (const [key, value] of model) if (table.get(key) !== value) t.fail(`VARVE_SEED=${seed}: get()`)
      t.equal(table.get('k'), undefined)
    }
  }
)

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
    const found = ascending(from, list.length, list).map(place => list[place])
    t.same(found, list.slice(from).toSorted(), `VARVE_SEED=${seed}`)
  }
})

t.test('MergeIterator gives each key once, from the first cursor that holds it', async t => {
  for (const seed of seeds(200)) {
    const random = new Random(seed)
    const reverse = random.chance(0.5)
    const model = new Map<string, number>()
    const tables = Array.from({ length: 1 + random.below(6) }, (_, nth) => {
      const table = new Memtable<number>()
      for (let left = random.below(60); left > 0; left--) table.put(String(random.below(80)), nth)
      return table
    })
    for (const table of [...tables].reverse())
      for (const [key, nth] of read(table.pin().cursor('', null))) model.set(key, nth)
    const merged = new MergeIterator(
      tables.map(table => table.pin().cursor('', null, reverse)),
      reverse
    )
    t.same(read(merged), rangeOf(model, '', null, reverse), `VARVE_SEED=${seed}`)
  }
})
