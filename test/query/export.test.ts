import t from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { Random } from '../../src/base/random.ts'
import { exportRows } from '../../src/query/export.ts'
import { Budget, DEFAULT_QUERY_LIMITS } from '../../src/query/limits.ts'
import { readExport } from '../../src/query/parameters.ts'
import { anyGroups, FakeSource, seeds } from './fake-source.ts'

function ask(source: FakeSource, given: Record<string, string>) {
  const request = readExport(new Map(Object.entries(given).map(([name, value]) => [name, [value]])), 0)
  const budget = new Budget(DEFAULT_QUERY_LIMITS, systemClock, () => false)
  const text = [...exportRows(source, request, budget)].map(piece => Buffer.from(piece).toString()).join('')
  return text
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
}

t.test('pages of any size give every row once, in one order', async t => {
  for (const seed of seeds(60)) {
    const random = new Random(seed)
    const groups = anyGroups(random, 1 + random.below(5), 30).map(group => ({
      ...group,
      rows: group.rows.filter(({ timeUs }) => timeUs >= 0)
    }))
    const source = () => new FakeSource(groups, seed, 4)
    const [head, ...whole] = ask(source(), {})
    const rows = whole.slice(0, -1)
    t.match(head, { export: 1, group: 0, groups: groups.length })
    t.same(whole.at(-1), { end: true, rows: rows.length, more: false })
    const limit = 1 + random.below(9)
    const paged: { name: string; labels: object; time_us: number }[] = []
    for (let more = true; more; ) {
      const last = paged.at(-1)
      const after = last && JSON.stringify({ name: last.name, labels: last.labels, time_us: last.time_us })
      const [, ...page] = ask(source(), { limit: String(limit), ...(after === undefined ? {} : { after }) })
      const end = page.pop()
      t.ok(page.length <= limit && end.rows === page.length)
      more = end.more
      paged.push(...page)
    }
    if (JSON.stringify(paged) !== JSON.stringify(rows)) return t.same(paged, rows, `VARVE_SEED=${seed}`)
  }
})

t.test('a place that is in no group, and parameters that are none, are refused', async t => {
  const source = new FakeSource(anyGroups(new Random(1), 2, 5))
  const after = JSON.stringify({ name: 'nobody', labels: {}, time_us: 1 })
  t.throws(() => ask(source, { after }), { code: 'VARVE_EXPORT_PLACE' })
  for (const given of [
    { after: 'x' },
    { after: '{}' },
    { after: '[]' },
    { limit: '0' },
    { from: 'x' },
    { step: '1m' }
  ]) {
    t.throws(
      () => ask(source, given as Record<string, string>),
      { code: 'VARVE_PARAMETER' },
      JSON.stringify(given)
    )
  }
})
