// MQTT topic filters, matched against the label `topic` of series.
// Not here: the broker's own subscriptions (broker/topic).
import { VarveError } from '../base/errors.ts'

const FILTER_BYTES_MAX = 65_535

/**
 * Checks a topic filter by the rules of MQTT 3.1.1, section 4.7.
 * @throws {VarveError} VARVE_TOPIC_FILTER
 */
export function checkTopicFilter(filter: string): void {
  const bytes = Buffer.byteLength(filter)
  if (bytes === 0 || bytes > FILTER_BYTES_MAX) {
    throw new VarveError(
      'VARVE_TOPIC_FILTER',
      `Cannot use topic filter: ${bytes} bytes, 1 to ${FILTER_BYTES_MAX} are allowed`
    )
  }
  const levels = filter.split('/')
  levels.forEach((level, i) => {
    const hash = level.includes('#') && (level !== '#' || i !== levels.length - 1)
    if (hash || (level.includes('+') && level !== '+')) {
      throw new VarveError(
        'VARVE_TOPIC_FILTER',
        `Cannot use topic filter "${filter.slice(0, 80)}": # stands alone at the end, + alone in its level`
      )
    }
  })
}

/**
 * Whether a topic matches a checked filter. Topics that begin with $ need a filter that does. '' matches
 * nothing, since it means that a series has no topic.
 */
export function topicMatches(filter: string, topic: string): boolean {
  if (topic === '') return false
  if (topic[0] === '$' && (filter[0] === '#' || filter[0] === '+')) return false
  let f = 0
  let t = 0
  for (;;) {
    if (filter[f] === '#') return true
    const filterEnd = levelEnd(filter, f)
    const topicEnd = levelEnd(topic, t)
    const plus = filter[f] === '+'
    if (!plus && filter.slice(f, filterEnd) !== topic.slice(t, topicEnd)) return false
    f = filterEnd + 1
    t = topicEnd + 1
    // 'a/#' takes its parent 'a' too.
    if (t > topic.length) return f > filter.length || filter.slice(f) === '#'
    if (f > filter.length) return false
  }
}

function levelEnd(text: string, from: number): number {
  const slash = text.indexOf('/', from)
  return slash < 0 ? text.length : slash
}
