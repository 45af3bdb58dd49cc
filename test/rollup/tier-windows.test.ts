// Windows of a tier in columns: only where they are numbers and nothing else, and only what their marks say.
import t from 'tap'
import { COLUMN, MARK, type TierColumn, tierField } from '../../src/rollup/tier.ts'
import { figuresOf } from '../../src/rollup/tier-windows.ts'
import type { Column, Run } from '../../src/series/run.ts'
import { KIND } from '../../src/series/sample.ts'

function column(
  which: TierColumn,
  numbers: readonly number[],
  present: readonly number[] | null = null
): Column {
  return {
    field: tierField(2, which),
    kind: KIND.number,
    present: present === null ? null : Uint8Array.from(present),
    count: numbers.length,
    numbers: Float64Array.from(numbers),
    texts: null
  }
}

function rows(...columns: readonly Column[]): Run {
  return { rows: 3, times: Float64Array.of(0, 60e6, 120e6), columns }
}

const counts = column(COLUMN.count, [6, 5, 6])
const sums = column(COLUMN.sum, [1, 2, 3])

t.test('figuresOf() gives what is asked for, and the samples at starts where a mark says so', async t => {
  // The second value at a start is of an earlier form of its window.
  const marks = column(COLUMN.marks, [MARK.at, MARK.noCounter, 0])
  const ats = column(COLUMN.at, [7, 8], [1, 1, 0])
  const figures = figuresOf(rows(counts, sums, marks, ats), 2, ['sum'])!
  t.same(figures.counts, counts.numbers)
  t.same(figures.sums, sums.numbers)
  t.equal(figures.mins, null)
  t.same(figures.ats, Float64Array.of(7, Number.NaN, Number.NaN))
})

t.test('figuresOf() leaves windows of anything but numbers to be told one by one', async t => {
  const plain = column(COLUMN.marks, [0, 0, 0])
  t.ok(figuresOf(rows(counts, sums, plain), 2, ['sum']))
  t.equal(figuresOf(rows(counts, plain), 2, ['sum']), null, 'a sum that is not there')
  t.equal(figuresOf(rows(counts, column(COLUMN.sum, [1, 2], [1, 1, 0]), plain), 2, ['sum']), null, 'a gap')
  for (const mark of [MARK.others, MARK.stales, MARK.booleans]) {
    const marks = column(COLUMN.marks, [0, mark, 0])
    t.equal(figuresOf(rows(counts, sums, marks), 2, ['sum']), null, `mark ${mark}`)
  }
  const at = column(COLUMN.marks, [MARK.at, 0, 0])
  t.equal(figuresOf(rows(counts, sums, at), 2, ['sum']), null, 'a sample at a start that is not there')
})
