import t from 'tap'
import { ByteWriter } from '../../src/base/bytes.ts'
import { VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { Head, PagePool } from '../../src/series/head.ts'
import { HeadReader } from '../../src/series/head-read.ts'
import { KIND } from '../../src/series/sample.ts'
import { Shapes } from '../../src/series/shape.ts'
import { RowEncoder } from '../../src/series/wal-rows.ts'
import { RowDecoder, type RowSink } from '../../src/series/wal-rows-read.ts'
import { seeds } from '../kit/seeds.ts'
import { anyRows, appendRow, Model, runLines } from './model.ts'

/** Puts decoded rows into a head, as recovery does. */
function sinkInto(head: Head, shapes: Shapes): RowSink & { definitions: number } {
  return {
    definitions: 0,
    define(from) {
      this.definitions += from.left
    },
    shape: (group, boot, fields, kinds) =>
      shapes.intern(group, fields, kinds, Number.POSITIVE_INFINITY, boot),
    begin: (shape, timeUs) => head.begin(shape, shapes.all[shape]!, timeUs),
    number(i, value) {
      head.slots[head.at + i] = value
    },
    text: (i, source, start, end) => head.text(i, source, start, end),
    end: () => head.end()
  }
}

t.test('HeadReader.run() gives back what was appended, the later write winning', async t => {
  for (const seed of seeds(60)) {
    const random = new Random(seed)
    const [head, shapes, model] = [new Head(new PagePool()), new Shapes(), new Model()]
    for (const row of anyRows(random, 1 + random.below(400), 4, 6)) {
      appendRow(head, shapes, row)
      model.write(row)
    }
    const reader = new HeadReader(head.view(), shapes)
    for (let group = 0; group < 4; group++) {
      const run = reader.run(group, null, 0, Number.MAX_SAFE_INTEGER)
      t.same(run === null ? [] : runLines([run]), model.lines(group), `VARVE_SEED=${seed}`)
    }
  }
})

t.test('a view does not see what is appended after it', async t => {
  const [head, shapes] = [new Head(new PagePool()), new Shapes()]
  appendRow(head, shapes, { group: 0, timeUs: 1, values: [{ field: 0, kind: KIND.number, value: 1 }] })
  const reader = new HeadReader(head.view(), shapes)
  appendRow(head, shapes, { group: 0, timeUs: 2, values: [{ field: 0, kind: KIND.number, value: 2 }] })
  t.same([...reader.run(0, null, 0, 10)!.times], [1])
})

t.test('RowDecoder reads what RowEncoder wrote, over many sections and restart points', async t => {
  for (const seed of seeds(60)) {
    const random = new Random(seed)
    const [head, shapes] = [new Head(new PagePool()), new Shapes()]
    const [copy, copyShapes] = [new Head(new PagePool()), new Shapes()]
    const encoder = new RowEncoder()
    const decoder = new RowDecoder()
    const cursor = { page: 0, word: 0 }
    const sink = sinkInto(copy, copyShapes)
    let isFirst = true
    for (const row of anyRows(random, 1 + random.below(400), 4, 6)) {
      appendRow(head, shapes, row)
      if (!random.chance(0.1)) continue
      const out = new ByteWriter()
      encoder.encode(head, cursor, shapes.all, new Uint8Array(3), isFirst || random.chance(0.2), out)
      isFirst = false
      t.equal(decoder.decode(out.copy(), sink), true)
    }
    const last = new ByteWriter()
    encoder.encode(head, cursor, shapes.all, new Uint8Array(0), isFirst, last)
    decoder.decode(last.copy(), sink)
    const expected = new HeadReader(head.view(), shapes)
    const found = new HeadReader(copy.view(), copyShapes)
    for (let group = 0; group < 4; group++) {
      const run = expected.run(group, null, 0, Number.MAX_SAFE_INTEGER)
      const other = found.run(group, null, 0, Number.MAX_SAFE_INTEGER)
      t.same(other && runLines([other]), run && runLines([run]), `VARVE_SEED=${seed}`)
    }
  }
})

t.test('RowDecoder passes over sections after a gap until a fresh one', async t => {
  const [head, shapes, copy, copyShapes] = [
    new Head(new PagePool()),
    new Shapes(),
    new Head(new PagePool()),
    new Shapes()
  ]
  const encoder = new RowEncoder()
  const cursor = { page: 0, word: 0 }
  const sections = [true, false, false, true].map((fresh, i) => {
    appendRow(head, shapes, { group: 0, timeUs: i + 1, values: [{ field: 0, kind: KIND.number, value: i }] })
    const out = new ByteWriter()
    encoder.encode(head, cursor, shapes.all, new Uint8Array(0), fresh, out)
    return out.copy()
  })
  const decoder = new RowDecoder()
  const sink = sinkInto(copy, copyShapes)
  decoder.decode(sections[0]!, sink)
  decoder.lost()
  t.equal(decoder.decode(sections[2]!, sink), false)
  t.equal(decoder.decode(sections[3]!, sink), true)
  t.same([...new HeadReader(copy.view(), copyShapes).run(0, null, 0, 10)!.times], [1, 4])
})

t.test('the example in the header of wal-rows.ts decodes', async t => {
  const [head, shapes] = [new Head(new PagePool()), new Shapes()]
  appendRow(head, shapes, { group: 0, timeUs: 5e6, values: [{ field: 0, kind: KIND.number, value: 21.5 }] })
  appendRow(head, shapes, { group: 0, timeUs: 6e6, values: [{ field: 0, kind: KIND.number, value: 21.6 }] })
  const out = new ByteWriter()
  new RowEncoder().encode(head, { page: 0, word: 0 }, shapes.all, new Uint8Array(0), true, out)
  const { readFileSync } = await import('node:fs')
  const header = readFileSync(new URL('../../src/series/wal-rows.ts', import.meta.url), 'utf8')
  const example = /Example: [^=]*=\s*(?:\/\/ )?\s*((?:[0-9a-f]{2} ?)+)/.exec(
    header.replaceAll('\n//', '')
  )![1]!
  t.equal(Buffer.from(out.copy()).toString('hex'), example.replaceAll(' ', ''))
})

t.test('RowDecoder answers damaged sections with a VarveError', async t => {
  for (const seed of seeds(400)) {
    const random = new Random(seed)
    const [head, shapes] = [new Head(new PagePool()), new Shapes()]
    for (const row of anyRows(random, 30, 2, 4)) appendRow(head, shapes, row)
    const out = new ByteWriter()
    new RowEncoder().encode(head, { page: 0, word: 0 }, shapes.all, new Uint8Array(0), true, out)
    const bytes = out.copy()
    for (let flips = 1 + random.below(4); flips > 0; flips--)
      bytes[random.below(bytes.length)] = random.below(256)
    const [copy, copyShapes] = [new Head(new PagePool()), new Shapes()]
    try {
      new RowDecoder().decode(bytes, sinkInto(copy, copyShapes))
    } catch (error) {
      t.ok(error instanceof VarveError, `VARVE_SEED=${seed}: ${error}`)
    }
  }
  t.pass('no other error')
})
