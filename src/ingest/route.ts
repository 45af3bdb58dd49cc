// Routes: what ingest remembers of a topic, so that the second message of a device costs a comparison and
// not a search: its rule, labels, the forms of its messages and the shapes that they were given.
//
// A topic costs about a kilobyte here, and a hostile or careless client makes topics without end; so routes
// live in two generations. When the young one is full, by count or by bytes, the old one is forgotten and the young one grows
// old; a topic that is asked for while old becomes young again. A forgotten topic costs one search.
//
// Invariants: at most routesMax routes and about routeBytesMax bytes; forms and variants of a route are bounded.
// Not here: the series of a topic, which no cache forgets (series).
import { reason } from '../base/errors.ts'
import { type Labels, makeLabels } from '../series/label.ts'
import type { Form } from './form.ts'
import { labelPairs, type Rule, ruleOf } from './rule.ts'
import type { Variant } from './variant.ts'

/** Forms and variants that a topic remembers; a topic with more of them replaces the oldest. */
export const KEPT_PER_ROUTE = 8

/** Bytes that routes may hold, as far as they are counted: topics, literals and names. */
const routeBytesMax = 32 * 1024 * 1024
const routeBytes = 512

export class Route {
  readonly topic: string
  readonly rule: Rule
  /** Series of messages are named by their fields alone. */
  readonly name = ''
  readonly labels: Labels
  readonly retentionClass: string
  /** Why the topic cannot have labels, or ''. */
  readonly refusal: string
  /** Name of a value that comes without one. */
  readonly bareName: string
  /** The names of a row that is such a value alone. */
  readonly bareNames: readonly string[]
  /** The forms of the rule: topics of one rule share them. */
  readonly shared: Form[]
  readonly forms: Form[] = []
  variants: readonly Variant[] = []
  /** The variant used last; -1 when there is none. */
  recent = -1
  private oldest = 0

  constructor(topic: string, levels: readonly string[], rule: Rule, shared: Form[]) {
    this.topic = topic
    this.rule = rule
    this.shared = shared
    this.retentionClass = rule.retentionClass
    const leaf = levels.findLast(level => level !== '')
    this.bareName = rule.name !== '' ? rule.name : (leaf ?? 'value')
    this.bareNames = [rule.prefix + this.bareName]
    let labels: Labels = []
    let refusal = ''
    try {
      labels = makeLabels(labelPairs(rule, topic, levels))
    } catch (error) {
      refusal = reason(error)
    }
    this.labels = labels
    this.refusal = refusal
  }

  remember(variant: Variant): void {
    if (this.variants.length < KEPT_PER_ROUTE) {
      // Of just its length: an array that grows by push keeps room for 17.
      this.variants = this.variants.concat(variant)
      this.recent = this.variants.length - 1
    } else {
      this.recent = this.oldest
      this.variants = this.variants.with(this.oldest, variant)
      this.oldest = (this.oldest + 1) % KEPT_PER_ROUTE
    }
  }
}

export class Routes {
  private young = new Map<string, Route>()
  private old = new Map<string, Route>()
  private readonly youngMax: number
  private youngBytes = 0
  private oldBytes = 0
  private readonly rules: readonly Rule[]
  private readonly forms = new Map<Rule, Form[]>()

  /** @param routesMax  topics remembered, an even number */
  constructor(rules: readonly Rule[], routesMax: number) {
    this.rules = rules
    this.youngMax = Math.max(1, routesMax / 2)
  }

  /** Memory held, in bytes, as far as it is counted. */
  get bytes(): number {
    return this.youngBytes + this.oldBytes
  }

  /** How many topics are remembered now. */
  get size(): number {
    return this.young.size + this.old.size
  }

  /** The route of a topic, made where there is none. */
  of(topic: string): Route {
    const route = this.young.get(topic)
    return route !== undefined ? route : this.aged(topic)
  }

  private aged(topic: string): Route {
    let route = this.old.get(topic)
    if (route === undefined) {
      const levels = topic.split('/')
      const rule = ruleOf(this.rules, levels)
      let shared = this.forms.get(rule)
      if (shared === undefined) this.forms.set(rule, (shared = []))
      route = new Route(topic, levels, rule, shared)
    } else {
      this.old.delete(topic)
    }
    if (this.young.size >= this.youngMax || this.youngBytes >= routeBytesMax / 2) {
      this.old = this.young
      this.young = new Map()
      this.oldBytes = this.youngBytes
      this.youngBytes = 0
    }
    this.young.set(topic, route)
    this.charge(routeBytes + 2 * topic.length)
    return route
  }

  /** Counts bytes that a route came to hold. */
  charge(bytes: number): void {
    this.youngBytes += bytes
  }
}
