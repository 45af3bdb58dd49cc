// A rehearsal asks what a thread will be asked, and ends when somebody asks in earnest.
import t from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { VarveError } from '../../src/base/errors.ts'
import { DEFAULT_QUERY_LIMITS } from '../../src/query/limits.ts'
import { rehearse } from '../../src/query/rehearsal.ts'
import { makeLabels } from '../../src/series/label.ts'
import { FakeSource } from './fake-source.ts'

const rows = Array.from({ length: 50 }, (_, i) => ({ timeUs: 1e15 + i * 1e7, cells: [i] }))
const groups = [0, 1, 2].map(i => ({
  name: 'room',
  labels: makeLabels([['device', `"${i}"`]]),
  fields: ['t'],
  rows
}))

/** Counts what is asked of it. */
class Counting extends FakeSource {
  selected = 0
  empty = 0
  override select(...parts: Parameters<FakeSource['select']>): Uint32Array {
    this.selected++
    const ids = super.select(...parts)
    if (ids.length === 0) this.empty++
    return ids
  }
}

function run(source: FakeSource, isCancelled: () => boolean, msMax = 60_000): void {
  rehearse(source, groups.length, { limits: DEFAULT_QUERY_LIMITS, clock: systemClock, isCancelled }, msMax)
}

t.test('rehearse() asks each way of a few groups, and each question finds its series', async t => {
  const source = new Counting(groups)
  run(source, () => false)
  t.ok(source.selected >= 6 * 3 * 9, `${source.selected} questions`)
  t.equal(source.empty, 0)
  t.ok(source.runsRead > 0, 'rows are read')
})

t.test('rehearse() ends when it is cancelled, or its time is up', async t => {
  const source = new Counting(groups)
  run(source, () => source.selected >= 5)
  t.equal(source.selected, 5)
  const late = new Counting(groups)
  run(late, () => false, -1)
  t.equal(late.selected, 0)
})

t.test('rehearse() goes on past what a question cannot read, and hides no bug', async t => {
  const damaged = new Counting(groups)
  damaged.runs = () => {
    throw new VarveError('VARVE_IO', 'Cannot read')
  }
  run(damaged, () => false)
  t.ok(damaged.selected > 9)
  const broken = new Counting(groups)
  broken.runs = () => {
    throw new TypeError('a bug')
  }
  t.throws(() => run(broken, () => false), TypeError)
})
