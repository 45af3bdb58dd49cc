// A plain model of what series hold: a map from field and time to the value written last. Tests write the
// same rows to the model and to the real thing, and compare what reads back.
import type { Random } from '../../src/base/random.ts'
import type { Head } from '../../src/series/head.ts'
import type { Run } from '../../src/series/run.ts'
import { KIND, type Kind, type Value } from '../../src/series/sample.ts'
import type { Shapes } from '../../src/series/shape.ts'

export interface ModelRow {
  readonly group: number
  readonly timeUs: number
  readonly values: readonly { readonly field: number; readonly kind: Kind; readonly value: Value }[]
}

const view = new DataView(new ArrayBuffer(8))

/** A value as text that tells all of its bits. */
export function bits(kind: Kind, value: Value): string {
  if (typeof value === 'number') {
    view.setFloat64(0, value)
    return `n${view.getBigUint64(0).toString(16)}`
  }
  if (typeof value === 'boolean') return `b${value}`
  return `${kind === KIND.string ? 's' : 'x'}${Buffer.from(value as string).toString('hex')}`
}

/** Group -> time -> field -> bits of the value written last. */
export class Model {
  readonly groups = new Map<number, Map<number, Map<number, string>>>()

  write(row: ModelRow): void {
    const times = this.groups.get(row.group) ?? new Map<number, Map<number, string>>()
    this.groups.set(row.group, times)
    const fields = times.get(row.timeUs) ?? new Map<number, string>()
    times.set(row.timeUs, fields)
    for (const { field, kind, value } of row.values) fields.set(field, bits(kind, value))
  }

  /** Lines `time field bits` of a group, in order. */
  lines(group: number, fromUs = 0, toUs = Number.MAX_SAFE_INTEGER): string[] {
    const lines: string[] = []
    for (const [timeUs, fields] of [...(this.groups.get(group) ?? [])].sort(([a], [b]) => a - b)) {
      if (timeUs < fromUs || timeUs > toUs) continue
      for (const [field, value] of [...fields].sort(([a], [b]) => a - b))
        lines.push(`${timeUs} ${field} ${value}`)
    }
    return lines
  }
}

/** The lines of runs, for comparison with Model.lines(). */
export function runLines(runs: Iterable<Run>): string[] {
  const lines: string[] = []
  for (const run of runs) {
    const rows: string[][] = Array.from({ length: run.rows }, () => [])
    for (const column of run.columns) {
      let i = 0
      for (let row = 0; row < run.rows; row++) {
        if (column.present !== null && column.present[row] !== 1) continue
        rows[row]!.push(`${run.times[row]} ${column.field} ${columnBits(column, i++)}`)
      }
      if (i !== column.count) lines.push(`count of ${column.field} is ${column.count}, present ${i}`)
    }
    for (const row of rows) lines.push(...row)
  }
  return lines
}

function columnBits(column: Run['columns'][number], i: number): string {
  if (column.kind === KIND.number) return bits(column.kind, column.numbers![i]!)
  if (column.kind === KIND.boolean) return bits(column.kind, column.numbers![i] === 1)
  const { bytes, offsets } = column.texts!
  return bits(column.kind, bytes.subarray(offsets[i], offsets[i + 1]))
}

const encode = new TextEncoder()

/** Appends a row of the model to a head, as one of a boot whose clock is not known unless that is 0. */
export function appendRow(head: Head, shapes: Shapes, row: ModelRow, boot = 0): void {
  const id = shapes.intern(
    row.group,
    row.values.map(value => value.field),
    row.values.map(value => value.kind),
    Number.POSITIVE_INFINITY,
    boot
  )
  head.begin(id, shapes.all[id]!, row.timeUs)
  row.values.forEach(({ value }, i) => {
    if (typeof value === 'number') head.slots[head.at + i] = value
    else if (typeof value === 'boolean') head.slots[head.at + i] = value ? 1 : 0
    else {
      const bytes = typeof value === 'string' ? encode.encode(value) : value
      head.text(i, bytes, 0, bytes.length)
    }
  })
  head.end()
}

const ODD_NUMBERS = [
  0,
  -0,
  1,
  -1,
  0.1,
  1e-9,
  1e22,
  2 ** 53,
  -(2 ** 53),
  Number.NaN,
  Infinity,
  -Infinity,
  5e-324
]

/** A value of a kind, odd ones included. */
export function anyValue(random: Random, kind: Kind): Value {
  if (kind === KIND.number) {
    if (random.chance(0.1)) return random.pick(ODD_NUMBERS)
    if (random.chance(0.1)) return random.unit() * 10 ** random.below(30)
    return Math.round(random.unit() * 1000) / 10 ** random.below(4)
  }
  if (kind === KIND.boolean) return random.chance(0.5)
  const text = random.chance(0.7) ? random.pick(['on', 'off', '', 'unavailable']) : `ü${random.u32()}`
  return kind === KIND.string ? text : new TextEncoder().encode(text.repeat(1 + random.below(200)))
}

const KINDS: readonly Kind[] = [KIND.number, KIND.number, KIND.number, KIND.boolean, KIND.string, KIND.bytes]

/** Rows of a few groups: mostly ascending, some late, some at a time that was there before. */
export function anyRows(random: Random, count: number, groups: number, fields: number): ModelRow[] {
  const rows: ModelRow[] = []
  const step = random.pick([1, 1000, 1_000_000, 60_000_000])
  let timeUs = 1_700_000_000_000_000 + random.below(1000) * step
  for (let i = 0; i < count; i++) {
    timeUs += random.below(20) * step
    const late = random.chance(0.1) ? random.below(5000) * step : 0
    const values = new Map<number, { field: number; kind: Kind; value: Value }>()
    for (let k = 1 + random.below(fields); k > 0; k--) {
      const field = random.below(fields)
      const kind = random.chance(0.9) ? KINDS[field % KINDS.length]! : random.pick(KINDS)
      values.set(field, { field, kind, value: anyValue(random, kind) })
    }
    rows.push({ group: random.below(groups), timeUs: timeUs - late, values: [...values.values()] })
  }
  return rows
}
