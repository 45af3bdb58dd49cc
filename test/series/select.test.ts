// Which series match, held to each matcher asked about each series by itself.
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { Catalog, seriesName } from '../../src/series/catalog.ts'
import { labelValue, makeLabels } from '../../src/series/label.ts'
import { compileMatcher, MATCHER_OPS, NAME_LABEL } from '../../src/series/matcher.ts'
import { selectSeries } from '../../src/series/select.ts'
import { seeds } from '../kit/seeds.ts'

const NAMES = ['a', 'a_b', 'é', 'room']
const FIELDS = ['value', 'b', 'b_value', '\ufffd']
const VALUES = ['', 'x', 'xy', 'é', '\ufffd', '\ud800']

t.test('selectSeries() finds what the matchers say of each series', async t => {
  for (const seed of seeds(60)) {
    const random = new Random(seed)
    const of = <T>(all: readonly T[]): T => all[random.below(all.length)]!
    const catalog = new Catalog({ seriesMax: 1000, fieldsPerGroupMax: 100 })
    for (let n = 0; n < 30; n++) {
      const labels = ['k', 'key', 'é'].map(name => [name, of(VALUES.slice(0, 5))] as const)
      const group = catalog.group(of(NAMES), makeLabels(labels.filter(([, value]) => value !== '')))
      for (let k = 0; k < 3; k++) catalog.field(group, of(FIELDS))
    }
    for (let n = 0; n < 20; n++) {
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
      const found = [...selectSeries(catalog, matchers, null, 1000)]
      if (String(found) !== String(wanted)) t.fail(`VARVE_SEED=${seed} ${JSON.stringify(matchers)}`)
    }
  }
  t.pass('all as they should be')
})
