// Topics and filters as MQTT defines them (3.1.1 and 5, section 4.7): what a valid one is, and which topic
// a filter matches. Pure; the trie that finds all subscriptions of a topic is subscription-trie.ts.
//
//  - a topic has no wildcard, no U+0000, 1 .. topicBytesMax bytes of UTF-8 and at most levelsMax levels;
//  - a filter may hold '+' as a whole level and '#' as the whole last level;
//  - a filter that begins with a wildcard does not match a topic that begins with '$'.
import { isUtf8 } from 'node:buffer'

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

const SLASH = 0x2f
const PLUS = 0x2b
const HASH = 0x23

/** Bounds on a topic or filter. Levels beyond 100 would throw inside aedes, so levelsMax <= 100. */
export interface TopicLimits {
  topicBytesMax: number
  levelsMax: number
}

/** The text of bytes[start, end), or null when they are not UTF-8 or hold U+0000. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string | null {
  const part = bytes.subarray(start, end)
  if (part.includes(0) || !isUtf8(part)) return null
  return utf8.decode(part)
}

/** The topic in bytes[start, end), or null when a PUBLISH may not carry it. */
export function decodeTopic(
  bytes: Uint8Array,
  start: number,
  end: number,
  limits: TopicLimits
): string | null {
  if (end <= start || end - start > limits.topicBytesMax) return null
  let levels = 1
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!
    if (byte === SLASH) levels++
    else if (byte === PLUS || byte === HASH) return null
  }
  return levels > limits.levelsMax ? null : decodeText(bytes, start, end)
}

/** True if a PUBLISH may carry the topic. */
export function isTopic(topic: string, limits: TopicLimits): boolean {
  const bytes = Buffer.from(topic)
  return decodeTopic(bytes, 0, bytes.length, limits) !== null
}

/** True if a SUBSCRIBE may carry the filter. */
export function isFilter(filter: string, limits: TopicLimits): boolean {
  if (filter.length === 0 || Buffer.byteLength(filter) > limits.topicBytesMax) return false
  const levels = filter.split('/')
  if (levels.length > limits.levelsMax) return false
  for (let i = 0; i < levels.length; i++) {
    const level = levels[i]!
    if (level === '#') return i === levels.length - 1
    if (level !== '+' && (level.includes('+') || level.includes('#'))) return false
  }
  return true
}

/** True if the filter (valid) matches the topic (valid). */
export function filterMatches(filter: string, topic: string): boolean {
  const first = filter.charCodeAt(0)
  if (topic.charCodeAt(0) === 0x24 && (first === PLUS || first === HASH)) return false
  return covers(filter.split('/'), topic.split('/'))
}

/** True if every topic that `inner` matches is matched by `outer`: what a right to subscribe means. */
export function filterCovers(outer: string, inner: string): boolean {
  const first = outer.charCodeAt(0)
  if (inner.charCodeAt(0) === 0x24 && (first === PLUS || first === HASH)) return false
  return covers(outer.split('/'), inner.split('/'))
}

function covers(outer: readonly string[], inner: readonly string[]): boolean {
  for (let i = 0; i < outer.length; i++) {
    const level = outer[i]!
    if (level === '#') return true
    if (i >= inner.length) return false
    if (inner[i] === '#') return false
    if (level !== '+' && level !== inner[i]) return false
  }
  return outer.length === inner.length
}
