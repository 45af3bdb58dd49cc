// What is wrong with texts that have a grammar of their own: MQTT filters, topic templates, regular
// expressions. Each returns a phrase, or null for sound text, so that `varve config check` finds the
// mistake with its line instead of the daemon at its start.
// Not here: matching topics (broker, ingest), which also hold templates against their own rules.
import { reason } from '../base/errors.ts'

/** MQTT 3.1.1 section 4.7.1: + stands alone in its level, # stands alone and last. "" matches everything. */
export function filterFault(filter: string): string | null {
  const levels = filter.split('/')
  for (const [i, level] of levels.entries()) {
    if (level.includes('#') && (level !== '#' || i !== levels.length - 1)) {
      return 'the wildcard # must be the whole last level'
    }
    if (level.includes('+') && level !== '+') return 'the wildcard + must be a whole level'
  }
  return null
}

/** A filter in which a level may hold one {label} between texts; no label twice. */
export function templateFault(template: string): string | null {
  const names = new Set<string>()
  for (const level of template.split('/')) {
    if (!/[{}]/.test(level)) continue
    const name = /^[^{}+#]*\{([^{}+#]+)\}[^{}+#]*$/.exec(level)?.[1]
    if (name === undefined) return 'a level must be text, +, # or hold one {label}'
    if (name === '__name__') return 'a label cannot be named __name__'
    if (names.has(name)) return `the label ${name} is given twice`
    names.add(name)
  }
  return filterFault(template)
}

/** An anchored regular expression as query matchers take it. */
export function regexFault(expression: string): string | null {
  try {
    new RegExp(`^(?:${expression})$`, 'u')
    return null
  } catch (error) {
    return reason(error)
  }
}
