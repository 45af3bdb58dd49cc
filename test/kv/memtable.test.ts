// The memtable beside a map: what it gives is what was written last, and a pinned view never changes.
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import type { SortedCursor } from '../../src/engine/merge-iterator.ts'
import type { Entry } from '../../src/kv/entry.ts'
import type { ValuePart } from '../../src/kv/entry-log.ts'
import { KeyBytes } from '../../src/kv/key-bytes.ts'
import { Memtable } from '../../src/kv/memtable.ts'
import type { MemtableView } from '../../src/kv/memtable-view.ts'
import { seeds } from '../kit/seeds.ts'

interface Said {
  readonly version: number
  readonly expiresUs: number
  /** Null: a tombstone. */
  readonly value: string | null
}

type Model = Map<string, Said>

function saidBy({ version, expiresUs, value, deleted }: Entry): Said {
  return { version, expiresUs, value: deleted ? null : Buffer.from(value).toString('latin1') }
}

function read(cursor: SortedCursor<Entry>): [string, Said][] {
  const found: [string, Said][] = []
  for (; cursor.key !== null; cursor.next()) {
    const entry = cursor.value()
    found.push([entry.stored === cursor.key ? cursor.key : 'another key', saidBy(entry)])
  }
  return found
}

function rangeOf(model: Model, low: string, high: string | null, reverse: boolean): [string, Said][] {
  const found = [...model]
    .filter(([key]) => key >= low && (high === null || key < high))
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return reverse ? found.reverse() : found
}

function randomSaid(random: Random, version: number, longest: number): Said {
  if (random.chance(0.1)) return { version, expiresUs: 0, value: null }
  return {
    version: version * 2 ** 20,
    expiresUs: random.chance(0.3) ? 2 ** 50 + version : 0,
    value: String.fromCharCode(random.below(256)).repeat(random.below(longest))
  }
}

/** A value that lies among other bytes, or alone. */
function partOf(value: Buffer | null): ValuePart {
  if (value === null || value.length % 2 === 0) return { bytes: value, from: 0, to: value?.length ?? 0 }
  return { bytes: Buffer.concat([Buffer.from('__'), value, value]), from: 2, to: 2 + value.length }
}

function write(table: Memtable, key: string, { version, expiresUs, value }: Said): void {
  table.write(
    KeyBytes.of(key),
    version,
    expiresUs,
    partOf(value === null ? null : Buffer.from(value, 'latin1'))
  )
}

function found(table: Memtable, key: string): Said | undefined {
  const address = table.find(KeyBytes.of(key))
  return address < 0 ? undefined : saidBy(table.log.entry(address))
}

t.test('Memtable agrees with a map, and a pinned view never changes, whatever is packed', async t => {
  for (const seed of seeds(40)) {
    const random = new Random(seed)
    const table = new Memtable()
    const model: Model = new Map()
    const views: { view: MemtableView; model: Model }[] = []
    const keys = 1 + random.below(5000)
    const longest = random.pick([5, 200, 9000])
    const key = () => `${String(random.below(keys)).padStart(random.below(3), '0')}\u00e9`
    for (let i = 1; i <= (longest > 1000 ? 400 : 4000); i++) {
      const at = key()
      const said = randomSaid(random, i, longest)
      write(table, at, said)
      model.set(at, said)
      if (random.chance(0.003)) views.push({ view: table.pin(), model: new Map(model) })
      if (random.chance(0.002)) table.pack()
      if (i % 50 === 0) t.strictSame(found(table, at), said, `VARVE_SEED=${seed}: what was just written`)
    }
    views.push({ view: table.pin(), model })
    for (const { view, model } of views) {
      const reverse = random.chance(0.5)
      const low = random.chance(0.3) ? '' : key()
      const high = random.chance(0.3) ? null : key()
      const range = read(view.cursor(low, high, reverse))
      if (JSON.stringify(range) !== JSON.stringify(rangeOf(model, low, high, reverse)))
        t.fail(`VARVE_SEED=${seed}: range`)
      const one = view.get(low)
      if (JSON.stringify(one && saidBy(one)) !== JSON.stringify(model.get(low)) || view.size !== model.size)
        t.fail(`VARVE_SEED=${seed}: get`)
    }
    t.equal(table.size, model.size, `VARVE_SEED=${seed}`)
  }
})

t.test('Memtable keeps its order when more keys come than it lets wait, and counts its bytes', async t => {
  for (const seed of seeds(2)) {
    const random = new Random(seed)
    const table = new Memtable()
    const model: Model = new Map()
    for (let i = 1; i <= 60_000; i++) {
      const key = `k${random.below(50_000)}`
      const said = randomSaid(random, i, 20)
      write(table, key, said)
      model.set(key, said)
    }
    t.ok(model.size > 16_384, 'it is ordered twice without a view')
    t.equal(
      JSON.stringify(read(table.pin().cursor('', null))),
      JSON.stringify(rangeOf(model, '', null, false)),
      `VARVE_SEED=${seed}: scan`
    )
    const all = [...table.all()].map(entry => [entry.stored, saidBy(entry)])
    t.equal(JSON.stringify(all), JSON.stringify([...model]), `VARVE_SEED=${seed}: all()`)
    for (const [key, said] of model) {
      if (JSON.stringify(found(table, key)) !== JSON.stringify(said)) t.fail(`VARVE_SEED=${seed}: find()`)
    }
    t.equal(found(table, 'k'), undefined)
    let bytes = 0
    for (const [key, { value }] of model) bytes += key.length + (value?.length ?? 0)
    t.equal(table.contentBytes, bytes, `VARVE_SEED=${seed}: bytes of keys and values`)
    const before = table.log.bytes
    const dead = table.deadBytes
    t.ok(dead > 0)
    table.pack()
    t.equal(table.deadBytes, 0)
    t.ok(Math.abs(before - dead - table.log.bytes) < before / 50, 'what is dead is what packing frees')
  }
})

t.test('what is noted is kept beside what a key leads to', async t => {
  const table = new Memtable()
  write(table, 'a', { version: 5, expiresUs: 0, value: 'new' })
  const address = table.note(KeyBytes.of('a'), 3, 0, partOf(Buffer.from('old')))
  t.strictSame(saidBy(table.log.entry(address)), { version: 3, expiresUs: 0, value: 'old' })
  t.equal(found(table, 'a')?.value, 'new')
  t.equal(table.deadBytes, table.log.recordBytes(address))
})

t.test('large values that are overwritten go at once, but not from a view', async t => {
  const table = new Memtable()
  const said = (n: number) => ({
    version: n,
    expiresUs: 0,
    value: String.fromCharCode(n % 256).repeat(50_000)
  })
  write(table, 'small', { version: 1, expiresUs: 0, value: 'v' })
  write(table, 'large', said(2))
  const view = table.pin()
  for (let n = 3; n < 200_000; n += n < 1000 ? 1 : 40_000) write(table, 'large', said(n))
  t.ok(table.weight < 200_000, `${table.weight} bytes, of one large value and one small`)
  t.equal(table.deadBytes, 0)
  t.strictSame(saidBy(view.get('large')!), said(2))
  t.strictSame(
    read(view.cursor('', null)).map(([key]) => key),
    ['large', 'small']
  )
  t.equal(found(table, 'large')?.version, 161_000)
})
