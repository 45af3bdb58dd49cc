// Label sets as PromQL changes them. A label of value '' is one that is not there.
import { type Labels, labelValue } from '../../series/label.ts'
import { NAME_LABEL } from '../../series/matcher.ts'

export const NO_LABELS: Labels = []

/** A text that is equal for equal label sets only. */
export function labelKey(labels: Labels): string {
  let key = ''
  for (const [name, value] of labels) key += `${name.length},${value.length}:${name}${value}`
  return key
}

/** The label set of a series, its name among the labels. */
export function withName(name: string, labels: Labels): Labels {
  return withLabel(labels, NAME_LABEL, name)
}

export function withoutName(labels: Labels): Labels {
  return labelValue(labels, NAME_LABEL) === '' ? labels : labels.filter(([name]) => name !== NAME_LABEL)
}

/** The set with one label set, or taken away where the value is ''. */
export function withLabel(labels: Labels, name: string, value: string): Labels {
  const others = labels.filter(pair => pair[0] !== name)
  if (value === '') return others
  let at = others.findIndex(pair => pair[0] > name)
  if (at < 0) at = others.length
  return [...others.slice(0, at), [name, value], ...others.slice(at)]
}

/** The labels of these names. */
export function onlyLabels(labels: Labels, names: ReadonlySet<string>): Labels {
  return labels.filter(([name]) => names.has(name))
}

/** The labels of all other names. */
export function exceptLabels(labels: Labels, names: ReadonlySet<string>): Labels {
  return labels.filter(([name]) => !names.has(name))
}

/** Order of label sets as Prometheus sorts its answers. */
export function compareLabels(a: Labels, b: Labels): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) {
    const [nameA, valueA] = a[i]!
    const [nameB, valueB] = b[i]!
    if (nameA !== nameB) return nameA < nameB ? -1 : 1
    if (valueA !== valueB) return valueA < valueB ? -1 : 1
  }
  return a.length - b.length
}

/** As Prometheus shows a label set in messages: {__name__="n", a="b"}. */
export function shownLabels(labels: Labels): string {
  return `{${labels.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(', ')}}`
}
