import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { GroupFold } from '../../src/rollup/aggregate.ts'
import { EVERY_GROUP } from '../../src/rollup/coverage.ts'
import { RollupProgress } from '../../src/rollup/progress.ts'
import { Head, PagePool } from '../../src/series/head.ts'
import { HeadReader } from '../../src/series/head-read.ts'
import type { Run } from '../../src/series/run.ts'
import { Shapes } from '../../src/series/shape.ts'
import type { TierWindow } from '../../src/series/source.ts'
import { seeds } from '../kit/seeds.ts'
import { differences, foldedWindows, isNear, tierWindows } from '../kit/tier-windows.ts'
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

/** Rows of one group with gaps, several kinds, stale marks, falls and samples at the very start of windows. */
function anyRun(random: Random, rows: number): Run {
  const [head, shapes] = [new Head(new PagePool()), new Shapes()]
  for (const row of anyRows(random, rows, 1, 3)) appendRow(head, shapes, row)
  return new HeadReader(head.view(), shapes).run(0, null, 0, Number.MAX_SAFE_INTEGER)!
}

t.test('GroupFold answers what a plain model answers for every window', async t => {
  for (const seed of seeds(100)) {
    const random = new Random(seed)
    const raw = anyRun(random, 1 + random.below(300))
    const stepUs = random.pick([1000, 60_000_000, 3_600_000_000])
    const expected = new Map<string, { numbers: number[]; others: number; at: number | null }>()
    for (let row = 0; row < raw.rows; row++) {
      for (const column of raw.columns) {
        if (column.present !== null && column.present[row] === 0) continue
        const i = column.present === null ? row : column.present.subarray(0, row).reduce((a, b) => a + b, 0)
        const startUs = Math.floor(raw.times[row]! / stepUs) * stepUs
        const key = `${startUs} ${column.field}`
        const known = expected.get(key) ?? { numbers: [], others: 0, at: null }
        if (column.numbers === null) known.others++
        else if (raw.times[row] === startUs) known.at = column.numbers[i]!
        else known.numbers.push(column.numbers[i]!)
        expected.set(key, known)
      }
    }
    const found = foldedWindows([raw], stepUs)
    t.same([...found.keys()].sort(), [...expected.keys()].sort(), `VARVE_SEED=${seed}`)
    for (const [key, { numbers, others, at }] of expected) {
      const { count, sum, min, max, first, last, ...rest } = found.get(key)!
      const most = numbers.reduce((a, b) => Math.max(a, Math.abs(b)), 0) * numbers.length
      const said = numbers.length === 0 ? [] : model(numbers)
      const isSame =
        said.every((value, a) => {
          const own = Number([count, sum, min, max, first, last][a]!)
          return a === 1 ? isNear(own, value, most) : Object.is(own, value)
        }) &&
        count === numbers.length &&
        rest.others === others &&
        Object.is(rest.at === null ? null : Number(rest.at), at)
      t.ok(isSame, `VARVE_SEED=${seed} ${key}`)
    }
  }
})

t.test('GroupFold makes the same windows of the windows of a finer tier', async t => {
  for (const seed of seeds(60)) {
    const random = new Random(seed)
    const raw = anyRun(random, 1 + random.below(400))
    const [finer, stepUs] = random.pick([
      [1000, 60_000_000],
      [60_000_000, 3_600_000_000],
      [3_600_000_000, 86_400_000_000]
    ] as const)
    const coarse = new GroupFold(stepUs, 2)
    for (const window of foldedWindows([raw], finer, 1).values()) coarse.addWindow(window)
    const found = tierWindows([coarse.finish()!])
    const due = foldedWindows([raw], stepUs, 2)
    t.same([...found.keys()].sort(), [...due.keys()].sort(), `VARVE_SEED=${seed}`)
    for (const [place, window] of due) {
      const other = found.get(place)!
      t.same(differences(window, other), [], `VARVE_SEED=${seed} ${place}`)
      const spread = ({ sketch }: TierWindow) => (sketch === null ? null : [...sketch.values()])
      t.same(spread(other), spread(window), `VARVE_SEED=${seed} ${place}: sketches`)
    }
  }
})

t.test('RollupProgress reads back what it wrote, and its example', async t => {
  const progress = new RollupProgress()
  progress.done.set('1m', { doneUs: 3600e6, spells: [{ sinceUs: 0, coverage: EVERY_GROUP }] })
  progress.markLate(5, 10)
  t.equal(Buffer.from(progress.encode()).toString('hex'), '010102316d80c8ceb40d0100000001000105')
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
