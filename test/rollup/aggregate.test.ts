import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { rollUp } from '../../src/rollup/aggregate.ts'
import { RollupProgress } from '../../src/rollup/progress.ts'
import { AGGREGATES, COLUMNS_PER_FIELD } from '../../src/rollup/tier.ts'
import { Head, PagePool } from '../../src/series/head.ts'
import { HeadReader } from '../../src/series/head-read.ts'
import { Shapes } from '../../src/series/shape.ts'
import { seeds } from '../kit/seeds.ts'
import { anyRows, appendRow } from '../series/model.ts'

/** What Prometheus' *_over_time functions say of some values. */
function model(values: readonly number[]): number[] {
  const known = values.filter(value => !Number.isNaN(value))
  return [
    values.length,
    values.reduce((a, b) => a + b),
    known.length === 0 ? Number.NaN : known.reduce((a, b) => (b < a ? b : a)),
    known.length === 0 ? Number.NaN : known.reduce((a, b) => (b > a ? b : a)),
    values[0]!,
    values.at(-1)!
  ]
}

t.test('rollUp() answers what a plain model answers for every window', async t => {
  for (const seed of seeds(100)) {
    const random = new Random(seed)
    const [head, shapes] = [new Head(new PagePool()), new Shapes()]
    for (const row of anyRows(random, 1 + random.below(300), 1, 3)) appendRow(head, shapes, row)
    const raw = new HeadReader(head.view(), shapes.all).run(0, null, 0, Number.MAX_SAFE_INTEGER)!
    const stepUs = random.pick([1000, 60_000_000, 3_600_000_000])
    const expected = new Map<string, { numbers: number[]; others: number }>()
    for (let row = 0; row < raw.rows; row++) {
      for (const column of raw.columns) {
        if (column.present !== null && column.present[row] === 0) continue
        const i = column.present === null ? row : column.present.subarray(0, row).reduce((a, b) => a + b, 0)
        const key = `${column.field} ${Math.floor(raw.times[row]! / stepUs) * stepUs}`
        const known = expected.get(key) ?? { numbers: [], others: 0 }
        if (column.numbers === null) known.others++
        else known.numbers.push(column.numbers[i]!)
        expected.set(key, known)
      }
    }
    const run = rollUp([raw], stepUs)
    const found = new Map<string, number[]>()
    for (const column of run?.columns ?? []) {
      let i = 0
      for (let row = 0; row < run!.rows; row++) {
        if (column.present !== null && column.present[row] === 0) continue
        const key = `${Math.floor(column.field / COLUMNS_PER_FIELD)} ${run!.times[row]}`
        const values = found.get(key) ?? []
        values[column.field % COLUMNS_PER_FIELD] = column.numbers![i++]!
        found.set(key, values)
      }
    }
    t.equal(found.size, expected.size, `VARVE_SEED=${seed}`)
    for (const [key, { numbers, others }] of expected) {
      const answer = found.get(key) ?? []
      const said = numbers.length === 0 ? [0] : model(numbers)
      t.ok(
        said.every((value, a) => Object.is(value, answer[a])) && answer[6] === others,
        `VARVE_SEED=${seed} ${key} ${AGGREGATES}`
      )
    }
  }
})

t.test('RollupProgress reads back what it wrote, and its example', async t => {
  const progress = new RollupProgress()
  progress.doneUs.set('1m', 3600e6)
  progress.markLate(5, 10)
  t.equal(Buffer.from(progress.encode()).toString('hex'), '010102316d80c8ceb40d0001000105')
  const copy = RollupProgress.decode(progress.encode())
  t.same(copy.encode(), progress.encode())
  t.equal(copy.frontierUs, 3600e6)
})

t.test('RollupProgress keeps its dirty pairs bounded by marking whole hours', async t => {
  const progress = new RollupProgress()
  for (let group = 0; group < 150_000; group++) progress.markLate(group, 5)
  t.equal(progress.dirty.get(0), 'all')
  const taken = progress.takeDirty()
  t.equal(progress.dirty.size, 0)
  progress.putBack()
  t.equal(taken.size, 1)
  t.equal(progress.dirty.get(0), 'all')
})
