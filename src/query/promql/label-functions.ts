// label_replace and label_join: from the labels of a series to other labels.
import { VarveError } from '../../base/errors.ts'
import { type Labels, labelValue } from '../../series/label.ts'
import { RegexGroups } from '../../series/regex-groups.ts'
import { withLabel } from './label-set.ts'

/**
 * Any text but the empty one names a label; under the 2.x rule only letters, digits and underscores do.
 * @throws {VarveError} VARVE_PROMQL_EVAL for a name that no label can have
 */
export function checkLabelName(name: string, what: string, isRule2: boolean): void {
  const isGood = isRule2
    ? /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)
    : name !== '' && !/[\ud800-\udfff]/u.test(name)
  if (!isGood) throw new VarveError('VARVE_PROMQL_EVAL', `invalid ${what}: ${name}`)
}

/**
 * @param texts  destination, replacement, source, regular expression
 * @throws {VarveError} VARVE_PROMQL_EVAL for a bad name or expression; the result may throw VARVE_REGEX_COST
 */
export function labelReplace(texts: readonly string[], isRule2: boolean): (labels: Labels) => Labels {
  const [destination, replacement, source, pattern] = texts as [string, string, string, string]
  let regex: RegexGroups
  try {
    regex = new RegexGroups(pattern)
  } catch (cause) {
    if (!(cause instanceof VarveError)) throw cause
    const message = `invalid regular expression in label_replace(): ${pattern}`
    throw new VarveError('VARVE_PROMQL_EVAL', message, { cause })
  }
  checkLabelName(destination, 'destination label name in label_replace()', isRule2)
  return labels => {
    const taken = regex.match(labelValue(labels, source))
    return taken === null ? labels : withLabel(labels, destination, regex.expand(replacement, taken))
  }
}

/**
 * @param texts  destination, separator, sources
 * @throws {VarveError} VARVE_PROMQL_EVAL for a bad name
 */
export function labelJoin(texts: readonly string[], isRule2: boolean): (labels: Labels) => Labels {
  const [destination, separator, ...sources] = texts as [string, string, ...string[]]
  for (const source of sources) checkLabelName(source, 'source label name in label_join()', isRule2)
  checkLabelName(destination, 'destination label name in label_join()', isRule2)
  return labels =>
    withLabel(labels, destination, sources.map(source => labelValue(labels, source)).join(separator))
}
