// Which groups a tier keeps. The first rule that matches a group decides, and groups that none matches have the
// tiers without a rule. A rule looks at what a group never changes, its topic and its name, so that a group is
// in a tier from its first sample or not at all.
//
// Rules change with the configuration, and what was written before stays as it is. So a tier remembers which
// coverage held since when (progress.ts): without that a query would take the windows of a group that a tier
// did not keep then for windows without samples.
// Not here: the configuration (daemon/policy.ts).
import { type Labels, labelValue } from '../series/label.ts'
import { compileMatcher } from '../series/matcher.ts'
import { topicMatches } from '../series/topic-filter.ts'

/** A condition on groups. */
export interface GroupRule {
  /** MQTT filter on the label topic; '' matches every group. */
  readonly match: string
  /** Regular expression on the whole name of the group (Influx' measurement); '' matches every one. */
  readonly group: string
}

/** Plain data, compared by its JSON. */
export interface Coverage {
  readonly rules: readonly GroupRule[]
  /** The rule whose groups are kept, an index into rules; -1: those that no rule matches. */
  readonly own: number
  /** Level of the sketches (series/sketch.ts); null: none. */
  readonly sketch: number | null
}

/** Every group, no sketches. */
export const EVERY_GROUP: Coverage = { rules: [], own: -1, sketch: null }

interface GroupFacts {
  readonly id: number
  readonly name: string
  readonly labels: Labels
}

/** A coverage that is asked about many groups, again and again. */
export class Covering {
  readonly coverage: Coverage
  private readonly tests: ((group: GroupFacts) => boolean)[]
  private readonly known = new Map<number, boolean>()

  /** @throws {VarveError} VARVE_REGEX */
  constructor(coverage: Coverage) {
    this.coverage = coverage
    this.tests = coverage.rules.map(({ match, group }) => {
      const named = group === '' ? null : compileMatcher({ name: '', op: '=~', value: group })
      return ({ name, labels }) => {
        const topic = labelValue(labels, 'topic')
        if (match !== '' && (topic === '' || !topicMatches(match, topic))) return false
        return named === null || named(name)
      }
    })
  }

  keeps(group: GroupFacts): boolean {
    const { own } = this.coverage
    if (this.tests.length === 0) return own === -1
    let kept = this.known.get(group.id)
    if (kept === undefined) {
      kept = this.tests.findIndex(test => test(group)) === own
      this.known.set(group.id, kept)
    }
    return kept
  }
}
