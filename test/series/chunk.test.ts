// The chunk as a whole: every kind of column, presence, the head, and bytes that are not ours.
import t from 'tap'
import { ByteReader, ByteWriter } from '../../src/base/bytes.ts'
import { Random } from '../../src/base/random.ts'
import { CHUNK_ROWS_MAX, encodeChunk } from '../../src/series/chunk.ts'
import { ChunkView } from '../../src/series/chunk-view.ts'
import { readTerms } from '../../src/series/codec-sibling.ts'
import type { Column, Run } from '../../src/series/run.ts'
import { KIND, type Kind } from '../../src/series/sample.ts'
import { seeds } from '../kit/seeds.ts'
import {
  anyNumbers,
  anyRows,
  damage,
  differsAt,
  exampleOf,
  readerOf,
  survives,
  written
} from './codec-kit.ts'

function anyColumn(random: Random, field: number, kind: Kind, rows: number): Column {
  const chance = random.pick([0, 0, 0.02, 0.5, 1])
  const bits = Uint8Array.from({ length: rows }, () => (random.chance(chance) ? 0 : 1))
  const ones = bits.reduce((sum, bit) => sum + bit, 0)
  const present = ones < rows ? bits : null
  if (kind === KIND.number) {
    return { field, kind, present, count: ones, numbers: anyNumbers(random, ones), texts: null }
  }
  if (kind === KIND.boolean) {
    const flips = random.pick([0.01, 0.5])
    let state = 0
    const numbers = Float64Array.from(
      { length: ones },
      () => (state = random.chance(flips) ? 1 - state : state)
    )
    return { field, kind, present, count: ones, numbers, texts: null }
  }
  const offsets = new Uint32Array(ones + 1)
  const words = random.pick([3, 100_000])
  const parts = Array.from({ length: ones }, (_, i) => {
    const part = Buffer.from(`text ${random.below(words)}`)
    offsets[i + 1] = offsets[i]! + part.length
    return part
  })
  const texts = { bytes: new Uint8Array(Buffer.concat(parts)), offsets }
  return { field, kind, present, count: ones, numbers: null, texts }
}

/** A column made from earlier ones, as energy is from power: exactly, nearly, or bent. */
function derived(random: Random, from: readonly Column[], field: number, rows: number): Column {
  const source = random.pick(from).numbers!
  const other = random.pick(from).numbers!
  const style = random.below(4)
  const slope = random.pick([1, -3, 0.1, 0.3331, 41.7])
  let total = 0
  const numbers = Float64Array.from(source, (value, i) => {
    total += value
    const made = style === 0 ? total : style === 1 ? slope * value : value * (style === 2 ? value : other[i]!)
    const rounded = Math.round(made * 100 + random.below(2)) / 100
    return Number.isFinite(rounded) && Math.abs(rounded) < 1e13 ? rounded : 1
  })
  return { field, kind: KIND.number, present: null, count: rows, numbers, texts: null }
}

function anyRun(random: Random, rows = anyRows(random)): Run {
  const times = new Float64Array(rows)
  const step = random.pick([1, 1000, 10_000_000, 31_536_000_000_000 / 4096])
  let at = Math.floor(random.unit() * 1.7e15)
  for (let row = 0; row < rows; row++) times[row] = at += random.chance(0.3) ? step : 1 + random.below(step)
  const columns: Column[] = []
  for (let field = 0; field < 5; field++) {
    if (random.chance(0.3)) continue
    const full = columns.filter(({ kind, present }) => kind === KIND.number && present === null)
    if (full.length > 0 && random.chance(0.5)) {
      columns.push(derived(random, full, field, rows))
      continue
    }
    columns.push(anyColumn(random, field, random.pick([0, 0, 0, 1, 2, 3]) as Kind, rows))
  }
  return { rows, times, columns }
}

/** Where two runs differ, or nothing. */
function difference(a: Run, b: Run): string | null {
  if (a.rows !== b.rows || a.columns.length !== b.columns.length) return 'shape'
  if (differsAt(a.times, b.times, a.rows) >= 0) return 'times'
  for (const [i, column] of a.columns.entries()) {
    const other = b.columns[i]!
    const head = `column ${i}`
    if (column.field !== other.field || column.kind !== other.kind || column.count !== other.count)
      return head
    if ((column.present === null) !== (other.present === null)) return `${head} presence`
    if (column.present?.some((bit, row) => bit !== other.present![row])) return `${head} presence`
    if (column.numbers !== null && differsAt(column.numbers, other.numbers!, column.count) >= 0)
      return `${head} numbers`
    if (column.texts === null) continue
    if (Buffer.compare(column.texts.bytes, other.texts!.bytes) !== 0) return `${head} bytes`
    if (column.texts.offsets.some((offset, at) => offset !== other.texts!.offsets[at]))
      return `${head} offsets`
  }
  return null
}

/** Decodes all of it, or throws. */
const readAll = (bytes: Uint8Array) => new ChunkView(new ByteReader(bytes)).run()

t.test('the Example in the header of chunk.ts reads back', async t => {
  const view = new ChunkView(new ByteReader(exampleOf('chunk.ts')))
  t.match(view, { rows: 3, timeFirstUs: 1e6, timeLastUs: 3e6 })
  t.match(view.columns[0], {
    field: 0,
    kind: KIND.number,
    count: 3,
    first: 21.4,
    min: 21.3,
    max: 21.5,
    sum: 64.2
  })
  t.match(view.columns[1], { field: 1, kind: KIND.boolean, count: 2, first: 0, last: 1, sum: 1 })
  const { times, columns } = view.run()
  t.same([...times], [1e6, 2e6, 3e6])
  t.same([...columns[0]!.numbers!], [21.4, 21.5, 21.3])
  t.same([...columns[1]!.present!], [1, 0, 1])
  t.same([...columns[1]!.numbers!], [0, 1])
  t.equal(Buffer.from(columns[2]!.texts!.bytes).toString(), 'ononoff')
})

t.test('decodeChunk(encodeChunk(run)) gives back the same bits', async t => {
  for (const seed of seeds(300)) {
    const random = new Random(seed)
    const run = anyRun(random)
    const cold = random.chance(0.7)
    // A chunk stands anywhere in a block, at any alignment.
    const out = new ByteWriter()
    out.zeros(random.below(9))
    const at = out.length
    encodeChunk(run, out, { cold })
    const end = out.length
    out.zeros(random.below(3))
    const found = difference(run, new ChunkView(new ByteReader(out.copy(), at, end)).run())
    if (found !== null) t.fail(`VARVE_SEED=${seed}: ${found}`)
  }
})

t.test('the same run gives the same bytes whatever was encoded before', async t => {
  for (const seed of seeds(30)) {
    const run = anyRun(new Random(seed))
    const before = written(out => encodeChunk(run, out))
    encodeChunk(anyRun(new Random(seed + 1000)), new ByteWriter())
    if (
      Buffer.compare(
        before,
        written(out => encodeChunk(run, out))
      ) !== 0
    )
      t.fail(`VARVE_SEED=${seed}`)
  }
})

t.test('encodeChunk() takes one row, 4096 rows, no columns and columns without a value', async t => {
  const times = Float64Array.from({ length: CHUNK_ROWS_MAX }, (_, row) => row * 1e6)
  const empty = { field: 3, kind: KIND.number, count: 0, numbers: new Float64Array(0), texts: null }
  for (const rows of [1, CHUNK_ROWS_MAX]) {
    const run = { rows, times: times.slice(0, rows), columns: [{ ...empty, present: new Uint8Array(rows) }] }
    t.equal(difference(run, readAll(written(out => encodeChunk(run, out)))), null)
    const bare = { ...run, columns: [] }
    t.equal(difference(bare, readAll(written(out => encodeChunk(bare, out)))), null)
  }
  const big = { rows: CHUNK_ROWS_MAX + 1, times, columns: [] }
  t.throws(() => encodeChunk(big, new ByteWriter()), { name: 'AssertionError' })
})

t.test('a column with present bits that are all 1 comes back dense', async t => {
  const numbers = Float64Array.of(1, 2)
  const column = { field: 0, kind: KIND.number, present: Uint8Array.of(1, 1), count: 2, numbers, texts: null }
  const run = readAll(
    written(out => encodeChunk({ rows: 2, times: Float64Array.of(1, 2), columns: [column] }, out))
  )
  t.equal(run.columns[0]!.present, null)
})

/** Power in W; energy, its sum; current by another scale; a bent one; a plain one. */
function meterRun(rows: number): Run {
  const random = new Random(8)
  let watts = 500
  let energy = 0
  const fields = Array.from({ length: 5 }, () => new Float64Array(rows))
  for (let row = 0; row < rows; row++) {
    watts = Math.max(0, watts + random.below(201) - 100)
    energy += watts
    fields[0]![row] = watts / 10
    fields[1]![row] = energy / 1000
    fields[2]![row] = Math.round(watts / 2.3) / 10
    fields[3]![row] = Math.round(watts * watts * 0.001 + watts)
    fields[4]![row] = random.below(1000)
  }
  const columns = fields.map((numbers, field) => ({
    field,
    kind: KIND.number,
    present: null,
    count: rows,
    numbers,
    texts: null
  }))
  return { rows, times: Float64Array.from({ length: rows }, (_, row) => row * 60e6), columns }
}

t.test('the Example of codec-sibling.ts reads back', async t => {
  t.same(readTerms(readerOf(exampleOf('codec-sibling.ts'))), [{ column: 0, feature: 0, slope: 2 }])
})

t.test('columns that follow from siblings cost little, and read alone, in any order', async t => {
  const run = meterRun(1000)
  const view = new ChunkView(new ByteReader(written(out => encodeChunk(run, out))))
  const bytes = view.columns.map(column => column.bytes)
  t.ok(bytes[1]! < 60, `energy follows from power: ${bytes[1]} bytes`)
  t.ok(bytes[2]! < bytes[0]! / 3, `current follows from power: ${bytes[2]} bytes`)
  t.ok(bytes[3]! < bytes[0]! / 3, `a square follows from power: ${bytes[3]} bytes`)
  const other = new ChunkView(new ByteReader(written(out => encodeChunk(anyRun(new Random(3), 1000), out))))
  const into = new Float64Array(1000)
  for (const order of [[3], [1, 0, 2], [4, 3, 2, 1, 0], [2, 2, 1, 1]]) {
    const fresh = new ChunkView(new ByteReader(written(out => encodeChunk(run, out))))
    for (const i of order) {
      fresh.numbers(i, into)
      t.equal(differsAt(into, run.columns[i]!.numbers!, 1000), -1, `column ${i} of ${order}`)
      other.run()
    }
  }
})

t.test('a chunk whose columns follow themselves, or each other too deep, is refused', async t => {
  const random = new Random(2)
  const rows = 600
  let watts = 100
  const fields = Array.from({ length: 5 }, () => new Float64Array(rows))
  const totals = [0, 0, 0, 0]
  for (let row = 0; row < rows; row++) {
    fields[0]![row] = watts = Math.max(0, watts + random.below(21) - 10)
    // Each is the sum of the one before.
    for (let i = 1; i < 5; i++) fields[i]![row] = totals[i - 1] = totals[i - 1]! + fields[i - 1]![row]!
  }
  const times = Float64Array.from({ length: rows }, (_, row) => row * 1e6)
  const columns = fields.map((numbers, field) => {
    return { field, kind: KIND.number, present: null, count: rows, numbers, texts: null }
  })
  const bytes = written(out => encodeChunk({ rows, times, columns }, out))
  t.equal(difference({ rows, times, columns }, readAll(bytes)), null)
  // One term of slope 1 each: count 1, column and feature, float32 1.
  const terms: number[] = []
  for (let at = 0; at + 6 <= bytes.length; at++) {
    const one = bytes[at] === 1 && bytes[at + 2] === 0 && bytes[at + 3] === 0
    if (one && bytes[at + 4] === 0x80 && bytes[at + 5] === 0x3f) terms.push(at + 1)
  }
  t.ok(terms.length >= 2, 'energy follows power')
  const patched = (changes: [number, number][]) => {
    const copy = bytes.slice()
    for (const [at, value] of changes) copy[at] = value
    return () => new ChunkView(new ByteReader(copy))
  }
  t.throws(patched([[terms[0]!, 4 + 1]]), { code: 'VARVE_CHUNK', message: /no such sibling/ })
  const chain = terms.map((at, i): [number, number] => [at, i * 4 + 1])
  t.throws(patched(chain), { code: 'VARVE_CHUNK', message: /too many siblings/ })
})

t.test('nothing follows from a sibling in a packed chunk, or one with other rows', async t => {
  const run = meterRun(500)
  const packed = new ChunkView(new ByteReader(written(out => encodeChunk(run, out, { cold: false }))))
  t.ok(packed.columns[1]!.bytes > 200)
  const present = new Uint8Array(500).fill(1)
  present[7] = 0
  const sparse = run.columns.map((column, i) =>
    i === 0
      ? { ...column, present, count: 499, numbers: column.numbers!.filter((_, row) => row !== 7) }
      : column
  )
  const view = new ChunkView(new ByteReader(written(out => encodeChunk({ ...run, columns: sparse }, out))))
  t.ok(view.columns[2]!.bytes > 200)
})

t.test('a version or codec that this varve does not know is refused by name', async t => {
  const bytes = exampleOf('chunk.ts')
  const version = bytes.slice()
  version[0] = 2
  t.throws(() => new ChunkView(new ByteReader(version)), {
    code: 'VARVE_FORMAT_CHUNK',
    message: /version 2, this varve knows 1/
  })
  const codec = bytes.slice()
  codec[21] = 9
  t.throws(() => new ChunkView(new ByteReader(codec)), {
    code: 'VARVE_FORMAT_CHUNK',
    message: /codec 9 is unknown/
  })
})

t.test('a chunk of any damage throws VarveError at most, and never more than 4096 rows', async t => {
  let refused = 0
  for (const seed of seeds(4000)) {
    const random = new Random(seed)
    const run = anyRun(random, 1 + random.below(100))
    const bytes = damage(
      written(out => encodeChunk(run, out, { cold: random.chance(0.6) })),
      random
    )
    try {
      if (!survives(() => readAll(bytes))) refused++
    } catch (error) {
      t.fail(`VARVE_SEED=${seed}: ${error}`)
    }
  }
  t.ok(refused > 2000, `${refused} of 4000 were seen`)
})

t.test('a chunk cut short at any byte is refused', async t => {
  const bytes = written(out => encodeChunk(anyRun(new Random(5), 50), out))
  for (let end = 0; end < bytes.length; end++) {
    if (survives(() => new ChunkView(new ByteReader(bytes, 0, end)))) t.fail(`cut at ${end}`)
  }
})

t.test('five jittered fields cost less than 0.8 bytes a sample, all in', async t => {
  const random = new Random(1)
  const rows = 800
  const start = 1_760_000_000_000_000
  const times = Float64Array.from({ length: rows }, (_, row) => start + row * 1e7 + random.below(201) * 1000)
  const walk = (from: number, step: number, power: number) => {
    let at = from
    return Float64Array.from({ length: rows }, () => (at += random.below(2 * step + 1) - step) / power)
  }
  let battery = 3900
  const slow = Float64Array.from({ length: rows }, () => (random.chance(0.02) ? --battery : battery))
  let counter = 0
  const rising = Float64Array.from({ length: rows }, () => (counter += random.below(10)))
  const fields = [walk(214, 2, 10), walk(500, 3, 10), slow, walk(20_000, 40, 100), rising]
  const columns = fields.map((numbers, field) => ({
    field,
    kind: KIND.number,
    present: null,
    count: rows,
    numbers,
    texts: null
  }))
  const bytes = written(out => encodeChunk({ rows, times, columns }, out)).length
  t.ok(bytes / (5 * rows) < 0.8, `${bytes / (5 * rows)} bytes a sample`)
})
