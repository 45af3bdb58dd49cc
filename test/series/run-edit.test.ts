import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { Head, PagePool } from '../../src/series/head.ts'
import { HeadReader } from '../../src/series/head-read.ts'
import type { Run } from '../../src/series/run.ts'
import { clip, merge, slice } from '../../src/series/run-edit.ts'
import { Shapes } from '../../src/series/shape.ts'
import { seeds } from '../kit/seeds.ts'
import { anyRows, appendRow, Model, type ModelRow, runLines } from './model.ts'

/** The rows of group 0 as a run. */
function runOf(rows: readonly ModelRow[]): Run {
  const [head, shapes] = [new Head(new PagePool()), new Shapes()]
  for (const row of rows) appendRow(head, shapes, row)
  return new HeadReader(head.view(), shapes).run(0, null, 0, Number.MAX_SAFE_INTEGER)!
}

t.test('merge() lets the later run win field by field', async t => {
  for (const seed of seeds(100)) {
    const random = new Random(seed)
    const rows = anyRows(random, 2 + random.below(200), 1, 5)
    const cut = 1 + random.below(rows.length - 1)
    const model = new Model()
    for (const row of rows) model.write(row)
    const merged = merge(runOf(rows.slice(0, cut)), runOf(rows.slice(cut)))
    t.same(runLines([merged]), model.lines(0), `VARVE_SEED=${seed}`)
  }
})

t.test('clip() keeps exactly the rows of a span', async t => {
  for (const seed of seeds(100)) {
    const random = new Random(seed)
    const rows = anyRows(random, 1 + random.below(100), 1, 5)
    const model = new Model()
    for (const row of rows) model.write(row)
    const run = runOf(rows)
    const from = run.times[random.below(run.rows)]! + random.below(3) - 1
    const to = run.times[random.below(run.rows)]! + random.below(3) - 1
    const part = clip(run, from, to)
    t.same(part === null ? [] : runLines([part]), model.lines(0, from, to), `VARVE_SEED=${seed}`)
  }
})

t.test('slice() of neighbouring parts gives back the whole', async t => {
  for (const seed of seeds(50)) {
    const random = new Random(seed)
    const run = runOf(anyRows(random, 3 + random.below(100), 1, 5))
    const cut = random.below(run.rows + 1)
    const parts = [slice(run, 0, cut), slice(run, cut, run.rows)].filter(part => part !== null)
    t.same(runLines(parts), runLines([run]), `VARVE_SEED=${seed}`)
  }
})
