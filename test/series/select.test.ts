// Which series match and what they are called, held to each series asked by itself.
import t, { type Test } from 'tap'
import { Random } from '../../src/base/random.ts'
import { Catalog } from '../../src/series/catalog.ts'
import { seriesName } from '../../src/series/catalog-names.ts'
import { labelValue, makeLabels } from '../../src/series/label.ts'
import { compileMatcher, MATCHER_OPS, type Matcher, NAME_LABEL } from '../../src/series/matcher.ts'
import { selectSeries } from '../../src/series/select.ts'
import type { SeriesNames } from '../../src/series/source.ts'
import { plainNames } from '../kit/plain-names.ts'
import { seeds } from '../kit/seeds.ts'

const NAMES = ['', 'a', 'a_b', 'é', 'room']
const FIELDS = ['value', 'b', 'b_value', '\ufffd']
const VALUES = ['', 'x', 'xy', 'é', '\ufffd', '\ud800']

/** What the packed names say of some series is what a walk over them says. */
function isSameNames(t: Test, catalog: Catalog, ids: Uint32Array, seed: string): void {
  const all = Array.from({ length: catalog.seriesCount }, (_, id) => {
    const place = catalog.place(id)
    const group = catalog.at(place.group)
    const own = group.fields[place.field]!
    const key = group.name === '' ? own : group.name
    return { name: seriesName(group.name, own), labels: group.labels, group: group.id, key }
  })
  const told = (names: SeriesNames) =>
    JSON.stringify([
      [...names.groupsOf(ids)],
      ...[NAME_LABEL, 'k', 'é', 'none', '\ud800'].map(label => names.labelValues(label, ids).sort()),
      names.labelNames(ids).sort(),
      Array.from(names.byGroupName(), ([key, of]) => `${key} ${of}`).sort()
    ])
  const [packed, plain] = [told(catalog.names), told(plainNames(all))]
  if (packed !== plain) t.fail(`${seed} ${packed} is not ${plain}`)
}

t.test('selectSeries() finds what the matchers say of each series', async t => {
  for (const seed of seeds(60)) {
    const random = new Random(seed)
    const of = <T>(all: readonly T[]): T => all[random.below(all.length)]!
    const catalog = new Catalog({ seriesMax: 1000, fieldsPerGroupMax: 100 })
    const add = () => {
      const labels = ['k', 'key', 'é'].map(name => [name, of(VALUES.slice(0, 5))] as const)
      const group = catalog.group(of(NAMES), makeLabels(labels.filter(([, value]) => value !== '')))
      for (let k = 0; k < 3; k++) catalog.field(group, of(FIELDS))
    }
    // Columns that were made before grow with the catalog.
    for (let n = 0; n < 30; n++) {
      add()
      const matchers = Array.from({ length: random.below(4) }, () => {
        const name = of([NAME_LABEL, 'k', 'key', 'é', 'none'])
        const value = name === NAME_LABEL ? seriesName(of(NAMES), of(FIELDS)) : of(VALUES)
        return { name, op: of(MATCHER_OPS), value }
      })
      const wanted: number[] = []
      for (let id = 0; id < catalog.seriesCount; id++) {
        const place = catalog.place(id)
        const { field } = place
        const group = catalog.at(place.group)
        const passes = matchers.every(matcher => {
          const own = seriesName(group.name, group.fields[field]!)
          return compileMatcher(matcher)(
            matcher.name === NAME_LABEL ? own : labelValue(group.labels, matcher.name)
          )
        })
        if (passes) wanted.push(id)
      }
      const found = selectSeries(catalog, matchers, null, 1000)
      if (String(found) !== String(wanted)) t.fail(`VARVE_SEED=${seed} ${JSON.stringify(matchers)}`)
      const among = Uint32Array.from({ length: catalog.seriesCount }, (_, id) => id).filter(() =>
        random.chance(0.5)
      )
      const some = selectSeries(catalog, matchers, null, 1000, among)
      const wantedSome = wanted.filter(id => among.includes(id))
      if (String(some) !== String(wantedSome)) t.fail(`VARVE_SEED=${seed} among ${among}`)
      isSameNames(t, catalog, found, `VARVE_SEED=${seed}`)
    }
  }
  t.pass('all as they should be')
})

/** 40,000 series of one site; each topic and field is there once, and 3 kinds of devices. */
function many(): Catalog {
  const catalog = new Catalog({ seriesMax: 50_000, fieldsPerGroupMax: 10 })
  for (let i = 0; i < 40_000; i++) {
    const labels: [string, string][] = [
      ['kind', `kind-${i % 3}`],
      ['topic', `site/${i}`]
    ]
    catalog.field(catalog.group('', makeLabels(labels)), 't')
  }
  return catalog
}

t.test(
  'a regular expression costs the distinct values of its label, and only those that are in question',
  async t => {
    const catalog = many()
    // 3,700 instructions: tried on each series it would be beyond what one expression may cost.
    const dear = (value: string) => `(?:${value}|u{900}|x{900}|y{900}|z{900})`
    const select = (...matchers: Matcher[]) => selectSeries(catalog, matchers, null, 50_000).length
    const kind: Matcher = { name: 'kind', op: '=~', value: dear('kind-1') }
    t.equal(select(kind), 13_333)
    const topic: Matcher = { name: 'topic', op: '=~', value: dear('site/77') }
    t.throws(() => select(topic), { code: 'VARVE_REGEX_COST' })
    t.equal(select(topic, { name: 'topic', op: '=', value: 'site/77' }), 1)
    t.equal(select(topic, { name: NAME_LABEL, op: '=', value: 'none' }), 0)
    t.equal(select(topic, { name: 'kind', op: '=', value: 'none' }), 0)
    const names: Matcher = { name: NAME_LABEL, op: '!~', value: dear('t') }
    t.equal(select(names), 0)
  }
)

t.test('columns of values are bounded in memory, and answer the same when they are made anew', async t => {
  const catalog = many()
  const before = catalog.names.bytes
  t.equal(before, 0)
  const ids = selectSeries(catalog, [], null, 50_000)
  for (let round = 0; round < 3; round++) {
    for (const label of ['topic', ...Array.from({ length: 60 }, (_, i) => `none-${i}`)])
      t.equal(catalog.names.labelValues(label, ids).length, label === 'topic' ? 40_000 : 0)
  }
  t.ok(catalog.names.bytes < 6.5 * 1024 ** 2, `${catalog.names.bytes} bytes`)
  t.ok(catalog.names.bytes > 1024 ** 2, `${catalog.names.bytes} bytes`)
})

t.test('a replica has columns of its own that follow what it is given', async t => {
  const catalog = many()
  const replica = new Catalog({ seriesMax: 50_000, fieldsPerGroupMax: 10 })
  replica.adopt(catalog.view())
  const found = (value: string) => selectSeries(replica, [{ name: 'topic', op: '=', value }], null, 10).length
  t.equal(found('site/39999'), 1)
  t.equal(found('new'), 0)
  catalog.field(catalog.group('', makeLabels([['topic', 'new']])), 't')
  t.equal(found('new'), 0)
  replica.adopt(catalog.view())
  t.equal(found('new'), 1)
})
