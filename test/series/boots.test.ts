// Rows and segments of a boot whose clock was not known, and what corrects them.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { ByteWriter } from '../../src/base/bytes.ts'
import { Random } from '../../src/base/random.ts'
import type { SegmentInfo } from '../../src/engine/manifest.ts'
import { Boots } from '../../src/series/boots.ts'
import { Head, type HeadView, PagePool } from '../../src/series/head.ts'
import { moveRows, type RowMove } from '../../src/series/head-move.ts'
import { HeadReader } from '../../src/series/head-read.ts'
import { KIND } from '../../src/series/sample.ts'
import { Shapes } from '../../src/series/shape.ts'
import { RowEncoder } from '../../src/series/wal-rows.ts'
import { RowDecoder } from '../../src/series/wal-rows-read.ts'
import { seeds } from '../kit/seeds.ts'
import { anyRows, appendRow, Model, type ModelRow, runLines } from './model.ts'

const DELTA_US = 31_536_000_000_000
const MAX = Number.MAX_SAFE_INTEGER

function example(path: string): Uint8Array {
  const header = readFileSync(path, 'utf8').split('\nimport ')[0]!.replaceAll('\n//', ' ')
  const hex = /Example.*?=\s+((?:[0-9a-f]{2}\s+)+)/.exec(header)![1]!
  return new Uint8Array(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'))
}

t.test('Boots.decode() reads the example in the header, and encode() writes it', async t => {
  const bytes = example('src/series/boots.ts')
  const boots = Boots.decode(bytes)
  t.same([boots.newest, boots.kernel, boots.zeroUs], [3, 'k', 1])
  t.same([boots.deltaUs(1), boots.deltaUs(2), boots.deltaUs(3)], [null, null, 2])
  t.same(boots.encode(), bytes)
  t.throws(() => Boots.decode(Uint8Array.of(2, ...bytes.subarray(1))), { code: 'VARVE_FORMAT_NEWER' })
  for (let cut = 1; cut < bytes.length; cut++) {
    if (cut === 12 || cut === 22) continue // ends of entries
    t.throws(() => Boots.decode(bytes.subarray(0, cut)), { code: 'VARVE_TRUNCATED' }, `cut at ${cut}`)
  }
})

t.test(
  'Boots gives out a number once, goes on with it in its kernel, and forgets what nothing bears',
  async t => {
    const boots = new Boots()
    t.equal(boots.begin(7, 'a', 0), 8, 'numbers that anything bears are taken')
    t.ok(boots.goesOn('a'))
    t.notOk(boots.goesOn('b') || boots.goesOn(''))
    t.equal(boots.begin(0, 'b', 0), 9)
    t.notOk(boots.goesOn('a'), 'another boot was in between')
    t.ok(boots.settle(500))
    t.notOk(boots.settle(600), 'once')
    boots.correct(9, 5)
    t.notOk(boots.goesOn('b'), 'its clock is known')
    const info = { boot: 8, bucketUs: 0, timeMinUs: 10, timeMaxUs: 20 } as SegmentInfo
    t.match(boots.place(info), { notBeforeUs: 500, timeMinUs: 10 })
    t.match(boots.place({ ...info, boot: 9 }), { shiftUs: 5, bucketUs: 5, timeMinUs: 15, timeMaxUs: 25 })
    t.equal(
      boots.place({ ...info, boot: 99 }).notBeforeUs,
      Number.POSITIVE_INFINITY,
      'a lost note drops nothing'
    )
    boots.keepOnly(new Set())
    t.equal(boots.encode().length, new Boots().encode().length + 1 + 10, 'the newest stays')
  }
)

t.test('moveRows() moves the rows of a boot for new views and leaves old ones alone', async t => {
  for (const seed of seeds(40)) {
    const random = new Random(seed)
    const [head, shapes] = [new Head(new PagePool()), new Shapes()]
    const [before, after] = [new Model(), new Model()]
    const rows: ModelRow[] = []
    for (const row of anyRows(random, 1 + random.below(400), 4, 6)) {
      const isOfBoot = random.chance(0.4)
      appendRow(head, shapes, row, isOfBoot ? 5 : 0)
      before.write(row)
      rows.push(isOfBoot ? { ...row, timeUs: row.timeUs + DELTA_US } : row)
      after.write(rows.at(-1)!)
    }
    const old = new HeadReader(head.view(), shapes)
    const moves = new Map<number, RowMove>()
    for (const [id, { boot }] of [...shapes.all].entries()) {
      if (boot === 5) moves.set(id, { shape: shapes.twin(id, 0), deltaUs: DELTA_US })
    }
    moveRows(head, shapes.all, moves)
    const moved = new HeadReader(head.view(), shapes)
    t.equal(head.boots.size, 0)
    const fresh = new Head(new PagePool())
    for (const row of rows) appendRow(fresh, shapes, row)
    const facts = ({ disorder, latest }: HeadView) => [[...disorder], [...latest]]
    t.same(facts(head.view()), facts(fresh.view()), `VARVE_SEED=${seed} facts`)
    for (let group = 0; group < 4; group++) {
      const lines = (reader: HeadReader) => {
        const run = reader.run(group, null, 0, MAX)
        return run === null ? [] : runLines([run])
      }
      t.same(lines(old), before.lines(group), `VARVE_SEED=${seed} old`)
      t.same(lines(moved), after.lines(group), `VARVE_SEED=${seed} moved`)
      const fields = new Set([0, 1, 2, 3, 4, 5])
      const newest = new Map<number, number>()
      for (const [timeUs, values] of after.groups.get(group) ?? []) {
        for (const field of values.keys()) newest.set(field, Math.max(newest.get(field) ?? 0, timeUs))
      }
      const found = new Map<number, number>()
      moved.newestValues(group, MAX, fields, last => found.set(last.field, last.timeUs))
      t.same(found, newest, `VARVE_SEED=${seed} newest`)
    }
    // What follows goes on in the copy.
    const row = { group: 0, timeUs: MAX - 1, values: [{ field: 0, kind: KIND.number, value: 1 }] }
    appendRow(head, shapes, row)
    after.write(row)
    const run = new HeadReader(head.view(), shapes).run(0, null, 0, MAX)
    t.same(runLines([run!]), after.lines(0), `VARVE_SEED=${seed} appended`)
  }
})

t.test('moveRows() finds rows in order that were not', async t => {
  const [head, shapes] = [new Head(new PagePool()), new Shapes()]
  const values = [{ field: 0, kind: KIND.number, value: 1 }]
  appendRow(head, shapes, { group: 0, timeUs: 1000, values }, 1)
  appendRow(head, shapes, { group: 0, timeUs: 500, values })
  t.equal(head.disorder[0], 1)
  moveRows(head, shapes.all, new Map([[0, { shape: shapes.twin(0, 0), deltaUs: -900 }]]))
  t.equal(head.disorder[0], 0)
  t.same([head.timeMinUs, head.timeMaxUs], [100, 500])
})

t.test('the WAL tells rows of a boot from others', async t => {
  const [head, shapes] = [new Head(new PagePool()), new Shapes()]
  const values = [{ field: 0, kind: KIND.number, value: 1.5 }]
  appendRow(head, shapes, { group: 0, timeUs: 1000, values })
  appendRow(head, shapes, { group: 0, timeUs: 2000, values }, 300)
  const out = new ByteWriter()
  new RowEncoder().encode(head, { page: 0, word: 0 }, shapes.all, new Uint8Array(0), true, out)
  const found: number[][] = []
  const boots: number[] = []
  new RowDecoder().decode(out.written(), {
    define: () => {},
    shape: (_, boot) => boots.push(boot) - 1,
    begin: (shape, timeUs) => found.push([boots[shape]!, timeUs]),
    number: () => {},
    text: () => {},
    end: () => {}
  })
  t.same(found, [
    [0, 1000],
    [300, 2000]
  ])
})
