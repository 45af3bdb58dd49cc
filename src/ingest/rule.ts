// Rules: what the owner of the gateway says about topics. The first rule whose pattern matches a topic holds
// for it; a topic that no rule matches is read with the defaults, so that nothing needs to be configured.
//
//   pattern := level ("/" level)*      level := text | "+" | "#" (last only) | text? "{" label "}" text?
// Example: `{site}/dev-{device}/telemetry` on `s1/dev-7/telemetry` gives the labels site="s1", device="7"
//
// Invariants: as in MQTT, `#` also matches the level above it, and a pattern that begins with a wildcard or a
// label does not match a topic that begins with `$`; topics that begin with `$` and have no rule are ignored.
// Not here: what a topic remembers (route.ts), reading configuration (config).
import { VarveError } from '../base/errors.ts'
import { LABEL_LIMITS } from '../series/label.ts'
import { TIME_UNITS, type TimeUnit } from './device-time.ts'
import { PAYLOAD_FORMATS, type PayloadFormat } from './wire.ts'

/**
 * What becomes of an array. `auto`: objects that hold a time become rows, everything else fields with an
 * index (`a_0`, `a_1`); `index`: always fields; `skip`: arrays are left out.
 */
export const ARRAY_MODES = ['auto', 'index', 'skip'] as const
export type ArrayMode = (typeof ARRAY_MODES)[number]

/** A rule as it is written. Only `pattern` is needed. */
export interface RuleOptions {
  readonly pattern: string
  readonly format?: PayloadFormat
  /** Leaves these topics out. */
  readonly ignore?: boolean
  /** Put before every series name. */
  readonly prefix?: string
  /** Name of a value that comes bare; the last topic level unless told. */
  readonly name?: string
  /** Field that holds the device's time; nested ones as `a_b`. */
  readonly time?: string
  readonly timeUnit?: TimeUnit
  /** Also stores the payload as it came, in the field `payload`. */
  readonly keepPayload?: boolean
  /** Only these fields; a name may end in `*`. */
  readonly include?: readonly string[]
  /** Not these fields; a name may end in `*`. */
  readonly exclude?: readonly string[]
  /** Labels with fixed values. */
  readonly labels?: Readonly<Record<string, string>>
  /** Whether series get the label `topic`; true unless told. */
  readonly topicLabel?: boolean
  readonly retentionClass?: string
  readonly arrays?: ArrayMode
}

interface Level {
  /** The whole level when there is no label; what stands before the label otherwise. */
  readonly text: string
  readonly after: string
  readonly label: string | null
  readonly any: boolean
}

/** A rule, checked. Made by compileRule(). */
export interface Rule {
  readonly pattern: string
  readonly levels: readonly Level[]
  /** The pattern ends in `#`. */
  readonly open: boolean
  readonly format: PayloadFormat
  readonly ignore: boolean
  readonly prefix: string
  readonly name: string
  readonly time: string
  readonly timeUnit: TimeUnit
  readonly keepPayload: boolean
  readonly include: readonly string[]
  readonly exclude: readonly string[]
  readonly labels: readonly (readonly [string, string])[]
  readonly topicLabel: boolean
  readonly retentionClass: string
  readonly arrays: ArrayMode
}

function bad(pattern: string, why: string): VarveError {
  return new VarveError('VARVE_RULE', `Cannot use topic rule ${JSON.stringify(pattern)}: ${why}`)
}

function compileLevel(pattern: string, text: string): Level {
  if (text === '+') return { text: '', after: '', label: null, any: true }
  const open = text.indexOf('{')
  if (open < 0 && !/[+#}]/.test(text)) return { text, after: '', label: null, any: false }
  const close = text.indexOf('}')
  const label = text.slice(open + 1, close)
  const after = text.slice(close + 1)
  if (open < 0 || close < open || /[{}+#]/.test(text.slice(0, open) + label + after)) {
    throw bad(pattern, `level ${JSON.stringify(text)} is neither text, +, # nor one {label}`)
  }
  if (label === '' || label === '__name__' || Buffer.byteLength(label) > LABEL_LIMITS.nameBytesMax) {
    throw bad(pattern, `${JSON.stringify(label)} cannot name a label`)
  }
  return { text: text.slice(0, open), after, label, any: false }
}

function oneOf(pattern: string, what: string, found: string, known: readonly string[]): void {
  if (!known.includes(found)) throw bad(pattern, `${what} is ${found}, known are ${known.join(', ')}`)
}

/**
 * Checks one rule.
 * @throws {VarveError} VARVE_RULE
 */
export function compileRule(options: RuleOptions): Rule {
  const { pattern } = options
  if (pattern === '') throw bad(pattern, 'the pattern is empty')
  const texts = pattern.split('/')
  const open = texts.at(-1) === '#'
  if (open) texts.pop()
  const levels = texts.map(text => compileLevel(pattern, text))
  const labels = Object.entries(options.labels ?? {})
  const topicLabel = options.topicLabel ?? true
  const seen = new Set(topicLabel ? ['topic', '__name__', ''] : ['__name__', ''])
  for (const name of [...levels.map(level => level.label), ...labels.map(pair => pair[0])]) {
    if (name === null) continue
    if (seen.has(name)) throw bad(pattern, `label ${JSON.stringify(name)} is reserved or given twice`)
    seen.add(name)
  }
  oneOf(pattern, 'format', options.format ?? 'auto', PAYLOAD_FORMATS)
  oneOf(pattern, 'time unit', options.timeUnit ?? 'auto', TIME_UNITS)
  oneOf(pattern, 'arrays', options.arrays ?? 'auto', ARRAY_MODES)
  return {
    pattern,
    levels,
    open,
    format: options.format ?? 'auto',
    ignore: options.ignore ?? false,
    prefix: options.prefix ?? '',
    name: options.name ?? '',
    time: options.time ?? '',
    timeUnit: options.timeUnit ?? 'auto',
    keepPayload: options.keepPayload ?? false,
    include: options.include ?? [],
    exclude: options.exclude ?? [],
    labels,
    topicLabel,
    retentionClass: options.retentionClass ?? '',
    arrays: options.arrays ?? 'auto'
  }
}

/** What holds for a topic that no rule matches, and for topics that begin with `$`. */
const ruleDefault = compileRule({ pattern: '#' })
const ruleReserved = compileRule({ pattern: '$', ignore: true })

/** The rule of a topic: the first that matches, else the default. */
export function ruleOf(rules: readonly Rule[], topicLevels: readonly string[]): Rule {
  for (const rule of rules) if (matches(rule, topicLevels)) return rule
  return topicLevels[0]!.startsWith('$') ? ruleReserved : ruleDefault
}

function matches(rule: Rule, topicLevels: readonly string[]): boolean {
  const { levels } = rule
  const first = levels[0]
  if (topicLevels[0]!.startsWith('$') && (first === undefined || first.text === '')) return false
  if (rule.open ? topicLevels.length < levels.length : topicLevels.length !== levels.length) return false
  for (let i = 0; i < levels.length; i++) {
    const level = levels[i]!
    const found = topicLevels[i]!
    if (level.any) continue
    if (level.label === null) {
      if (found !== level.text) return false
      continue
    }
    if (found.length < level.text.length + level.after.length) return false
    if (!found.startsWith(level.text) || !found.endsWith(level.after)) return false
  }
  return true
}

/** The labels that a rule gives a topic it matches. */
export function labelPairs(rule: Rule, topic: string, topicLevels: readonly string[]): [string, string][] {
  const pairs: [string, string][] = rule.labels.map(([name, value]) => [name, value])
  if (rule.topicLabel) pairs.push(['topic', topic])
  for (let i = 0; i < rule.levels.length; i++) {
    const level = rule.levels[i]!
    if (level.label === null) continue
    const found = topicLevels[i]!
    pairs.push([level.label, found.slice(level.text.length, found.length - level.after.length)])
  }
  return pairs
}

/** Whether a rule keeps a field. */
export function keeps(rule: Rule, field: string): boolean {
  if (rule.include.length > 0 && !rule.include.some(name => covers(name, field))) return false
  return !rule.exclude.some(name => covers(name, field))
}

function covers(name: string, field: string): boolean {
  return name.endsWith('*') ? field.startsWith(name.slice(0, -1)) : name === field
}
