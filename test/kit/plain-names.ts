// SeriesNames as a plain walk over series that are objects: for sources over arrays, and the truth for the packed one.
import { type Labels, labelValue } from '../../src/series/label.ts'
import { NAME_LABEL } from '../../src/series/matcher.ts'
import type { SeriesNames } from '../../src/series/source.ts'

export interface PlainSeries {
  readonly name: string
  readonly labels: Labels
  readonly group: number
  /** The name of its group, or of its field where the group has none. */
  readonly key: string
}

/** @param all  by id */
export function plainNames(all: readonly PlainSeries[]): SeriesNames {
  const of = (ids: Uint32Array) => Array.from(ids, id => all[id]!)
  return {
    groupsOf: ids => Uint32Array.from(new Set(of(ids).map(({ group }) => group))),
    labelValues(label, ids) {
      const values = of(ids).map(({ name, labels }) =>
        label === NAME_LABEL ? name : labelValue(labels, label)
      )
      return [...new Set(values.filter(value => value !== ''))]
    },
    labelNames: ids => [...new Set(of(ids).flatMap(({ labels }) => labels.map(([name]) => name)))],
    byGroupName() {
      const keys = [...new Set(all.map(({ key }) => key))]
      const idsOf = (wanted: string) => all.flatMap(({ key }, id) => (key === wanted ? [id] : []))
      return new Map(keys.map(key => [key, Uint32Array.from(idsOf(key))]))
    }
  }
}
