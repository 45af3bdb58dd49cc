// When samples are read although a tier would tell the same.
import t from 'tap'
import { isRawCheap, ROWS_PER_FIGURE, ROWS_PER_WINDOW } from '../../src/query/raw-cost.ts'
import type { ReadCost, SeriesSource } from '../../src/series/source.ts'

const MINUTE_US = 60e6

function source(rows: number, spanUs: number, rawFromUs = 0, chunks = Math.ceil(rows / 4096)): SeriesSource {
  const cost: ReadCost = { rows, chunks, spanUs }
  return { costOf: () => cost, rawFromUs: () => rawFromUs } as unknown as SeriesSource
}

function isCheap(from: SeriesSource, tierStepUs = MINUTE_US, rowsPerWindow = ROWS_PER_WINDOW): boolean {
  return isRawCheap(from, 0, 1000, 1e12, 1e9, 0, tierStepUs, rowsPerWindow)
}

t.test('isRawCheap() weighs rows against windows of the tier', async t => {
  const dayUs = 1440 * MINUTE_US
  t.ok(isCheap(source(8640, dayUs)), 'a sample every 10 s beside a tier of a minute')
  t.notOk(isCheap(source(8640, dayUs), MINUTE_US, ROWS_PER_FIGURE), 'the same in columns')
  t.notOk(isCheap(source(8640, dayUs, 0, 100)), 'the same in many short chunks')
  t.notOk(isCheap(source(86_400, dayUs)), 'one every second')
  t.notOk(isCheap(source(86_400 * 30, 30 * dayUs), 60 * MINUTE_US), 'a month')
  t.ok(isCheap(source(0, 30 * dayUs, 0, 25), 60 * MINUTE_US), 'a month of chunks that their heads tell')
  t.ok(isCheap(source(360, 60 * MINUTE_US), 60 * MINUTE_US), 'a few rows are never worth a tier')
})

t.test('isRawCheap() is false where samples are gone', async t => {
  t.ok(isCheap(source(1, 1, 1000)))
  t.notOk(isCheap(source(1, 1, 1001)))
})

t.test('isRawCheap() lets the count end where no span of rows would make it cheap', async t => {
  let rowsMax = 0
  const costOf = (...parts: Parameters<SeriesSource['costOf']>): ReadCost => {
    rowsMax = parts[5]
    return { rows: rowsMax, chunks: 0, spanUs: 1e12 - 1000 }
  }
  t.ok(
    isCheap({ costOf, rawFromUs: () => 0 } as unknown as SeriesSource),
    'so many in all of the span are cheap'
  )
  t.equal(rowsMax, 1536 + ((1e12 - 1000) / MINUTE_US) * 10)
})
