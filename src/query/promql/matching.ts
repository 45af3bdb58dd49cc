// Operators between two vectors: which series find each other, and what becomes of their labels.
//
// Series of both sides that are equal in the matching labels form a match group. At each step a group may
// have one series on its "one" side; the errors are Prometheus' own.
// Not here: an operator between a vector and a scalar (evaluator.ts), the values themselves (arithmetic.ts).
import type { BinaryNode, Matching } from '../../promql/ast.ts'
import type { Labels } from '../../series/label.ts'
import { labelValue } from '../../series/label.ts'
import { NAME_LABEL } from '../../series/matcher.ts'
import { ARITHMETIC, COMPARISON, dropsName } from './arithmetic.ts'
import { emptySeries, type GridSeries, hasAny } from './grid.ts'
import { exceptLabels, labelKey, onlyLabels, shownLabels, withLabel, withoutName } from './label-set.ts'
import { collect, evalError, type Memory, merged, SAME_LABELS } from './streams.ts'

/** The labels by which series match. */
function matchLabels({ on, labels }: Matching): (of: Labels) => Labels {
  const names = new Set(on ? labels : [...labels, NAME_LABEL])
  return on ? of => onlyLabels(of, names) : of => exceptLabels(of, names)
}

/** and, or, unless. */
export function* setOperation(
  { op, matching }: BinaryNode,
  left: Iterable<GridSeries>,
  right: Iterable<GridSeries>,
  steps: number,
  memory: Memory
): Generator<GridSeries> {
  const labelsOf = matchLabels(matching!)
  if (op === 'or') {
    yield* merged(union(left, right, labelsOf, steps, memory), memory)
    return
  }
  const there = new Map<string, Uint8Array>()
  for (const series of right) mark(there, labelsOf, series, steps, memory)
  for (const series of left) {
    const { present } = series
    const marks = there.get(labelKey(labelsOf(series.labels)))
    for (let i = 0; i < steps; i++) {
      if (present[i] === 1 && (marks?.[i] === 1) !== (op === 'and')) present[i] = 0
    }
    if (hasAny(present)) yield series
  }
}

function* union(
  left: Iterable<GridSeries>,
  right: Iterable<GridSeries>,
  labelsOf: (of: Labels) => Labels,
  steps: number,
  memory: Memory
): Generator<GridSeries> {
  const there = new Map<string, Uint8Array>()
  for (const series of left) {
    mark(there, labelsOf, series, steps, memory)
    yield series
  }
  for (const series of right) {
    const marks = there.get(labelKey(labelsOf(series.labels)))
    if (marks !== undefined) for (let i = 0; i < steps; i++) if (marks[i] === 1) series.present[i] = 0
    if (hasAny(series.present)) yield series
  }
}

function mark(
  there: Map<string, Uint8Array>,
  labelsOf: (of: Labels) => Labels,
  { labels, present }: GridSeries,
  steps: number,
  memory: Memory
): void {
  const key = labelKey(labelsOf(labels))
  const marks = there.get(key)
  if (marks === undefined) {
    memory.take(steps)
    there.set(key, present.slice())
  } else for (let i = 0; i < steps; i++) if (present[i] === 1) marks[i] = 1
}

/** Series of one match group. */
interface MatchGroup {
  readonly ones: GridSeries[]
  readonly manys: GridSeries[]
}

/** Arithmetic and comparison between two vectors. */
export function* vectorOperation(
  node: BinaryNode,
  left: Iterable<GridSeries>,
  right: Iterable<GridSeries>,
  steps: number,
  memory: Memory,
  isRule2: boolean
): Generator<GridSeries> {
  const matching = node.matching!
  const labelsOf = matchLabels(matching)
  const isLeftOne = matching.cardinality === 'one-to-many'
  const ones = collect(isLeftOne ? left : right, memory)
  const manys = collect(isLeftOne ? right : left, memory)
  const groups = new Map<string, MatchGroup>()
  const groupOf = (labels: Labels): MatchGroup => {
    const key = labelKey(labelsOf(labels))
    const known = groups.get(key)
    if (known !== undefined) return known
    const group = { ones: [], manys: [] }
    groups.set(key, group)
    return group
  }
  for (const series of ones) groupOf(series.labels).ones.push(series)
  for (const series of manys) groupOf(series.labels).manys.push(series)
  const out = new Outcome(node, steps, memory, isRule2)
  for (const { ones: group, manys: others } of groups.values()) {
    const oneAt = onlyOne(group, manys, steps, isLeftOne, labelsOf)
    if (group.length > 0) out.addGroup(group, oneAt, others)
  }
  yield* out.series()
  memory.give(ones.length + manys.length, steps)
}

/** Index of the group's series on its one side at each step, or -1. */
function onlyOne(
  group: readonly GridSeries[],
  others: readonly GridSeries[],
  steps: number,
  isLeftOne: boolean,
  labelsOf: (of: Labels) => Labels
): Int32Array {
  const oneAt = new Int32Array(steps).fill(-1)
  group.forEach(({ labels, present }, index) => {
    for (let i = 0; i < steps; i++) {
      if (present[i] === 0) continue
      // Where the other side is empty nothing can match, and nothing is wrong.
      if (oneAt[i]! >= 0 && others.some(other => other.present[i] === 1)) {
        const shown = shownLabels(labelsOf(labels))
        const both = `[${[shownLabels(labels), shownLabels(group[oneAt[i]!]!.labels)].sort().join(', ')}]`
        throw evalError(
          `found duplicate series for the match group ${shown} on the ${isLeftOne ? 'left' : 'right'} hand-side of the operation: ${both};many-to-many matching not allowed: matching labels must be unique on one side`
        )
      }
      oneAt[i] = index
    }
  })
  return oneAt
}

const NOT_EXPLICIT =
  'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)'

/** A series that comes out. */
interface Target {
  readonly series: GridSeries
  /** Steps at which a pair of series led here, whether or not its value is kept. */
  readonly taken: Uint8Array
  /** The last match group that led here. */
  group: number
}

/** The series that come out, by their labels. */
class Outcome {
  private readonly node: BinaryNode
  private readonly steps: number
  private readonly memory: Memory
  private readonly all = new Map<string, Target>()
  private readonly isRule2: boolean
  private group = 0

  /** @param isRule2  samples that a comparison leaves out may match more than once, as in Prometheus 2 */
  constructor(node: BinaryNode, steps: number, memory: Memory, isRule2: boolean) {
    this.isRule2 = isRule2
    this.node = node
    this.steps = steps
    this.memory = memory
  }

  addGroup(ones: readonly GridSeries[], oneAt: Int32Array, manys: readonly GridSeries[]): void {
    const { op, returnsBool, matching } = this.node
    const isOneToOne = matching!.cardinality === 'one-to-one'
    const isLeftOne = matching!.cardinality === 'one-to-many'
    const compare = COMPARISON[op]
    const compute = ARITHMETIC[op]
    const taken = isOneToOne && manys.length > 1 ? new Uint8Array(this.steps) : null
    this.group++
    for (const many of manys) {
      const targets: (Target | undefined)[] = []
      for (let i = 0; i < this.steps; i++) {
        const index = oneAt[i]!
        if (index < 0 || many.present[i] === 0) continue
        const one = ones[index]!
        const left = isLeftOne ? one.values[i]! : many.values[i]!
        const right = isLeftOne ? many.values[i]! : one.values[i]!
        const holds = compare === undefined || compare(left, right)
        const isKept = holds || returnsBool
        if (!isKept && this.isRule2) continue
        if (taken !== null) {
          if (taken[i] === 1) throw evalError(NOT_EXPLICIT)
          taken[i] = 1
        }
        const target = (targets[index] ??= this.target(many.labels, one.labels))
        if (target.taken[i] === 1) this.refuse(target)
        if (isKept || !isOneToOne) target.taken[i] = 1
        if (!isKept) continue
        target.series.values[i] =
          compare === undefined ? compute!(left, right) : returnsBool ? Number(holds) : left
        target.series.present[i] = 1
      }
    }
  }

  private refuse({ group }: Target): never {
    if (group !== this.group || this.node.matching!.cardinality === 'one-to-one') {
      throw evalError(SAME_LABELS)
    }
    throw evalError('multiple matches for labels: grouping labels must ensure unique matches')
  }

  private target(many: Labels, one: Labels): Target {
    const labels = this.resultLabels(many, one)
    const key = labelKey(labels)
    let target = this.all.get(key)
    if (target === undefined) {
      this.memory.take(this.steps)
      const series = emptySeries(labels, this.steps)
      // Where nothing is left out, what is taken is what is there.
      const isAll = COMPARISON[this.node.op] === undefined || this.node.returnsBool || this.isRule2
      target = { series, group: 0, taken: isAll ? series.present : new Uint8Array(this.steps) }
      this.all.set(key, target)
    }
    target.group = this.group
    return target
  }

  private resultLabels(many: Labels, one: Labels): Labels {
    const { op, returnsBool, matching } = this.node
    let labels = dropsName(op, this.isRule2) || returnsBool ? withoutName(many) : many
    if (matching!.cardinality === 'one-to-one') {
      const names = new Set(matching!.labels)
      labels = matching!.on ? onlyLabels(labels, names) : exceptLabels(labels, names)
    }
    for (const name of matching!.include) labels = withLabel(labels, name, labelValue(one, name))
    return returnsBool ? withoutName(labels) : labels
  }

  *series(): Generator<GridSeries> {
    for (const { series } of this.all.values()) if (hasAny(series.present)) yield series
    this.memory.give(this.all.size, this.steps)
  }
}
