// A SeriesSource over arrays, with runs cut at random rows, and the seeds that random tests draw from.

import { VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { type Labels, labelValue, makeLabels } from '../../src/series/label.ts'
import { compileMatcher, type Matcher, NAME_LABEL } from '../../src/series/matcher.ts'
import type { Column, Run } from '../../src/series/run.ts'
import { KIND, type Kind, type Value } from '../../src/series/sample.ts'
import type { Last, Order, ReadCost, SeriesNames, SeriesSource } from '../../src/series/source.ts'
import { topicMatches } from '../../src/series/topic-filter.ts'
import { plainNames } from '../kit/plain-names.ts'

export interface FakeRow {
  readonly timeUs: number
  /** One per field of the group. */
  readonly cells: readonly (Value | null)[]
}

export interface FakeGroup {
  readonly name: string
  readonly labels: Labels
  readonly fields: readonly string[]
  /** Times ascend. */
  readonly rows: readonly FakeRow[]
}

/** Seeds of a random test; VARVE_SEED replays one. */
export function seeds(n: number): number[] {
  const given = process.env.VARVE_SEED
  return given === undefined ? Array.from({ length: n }, (_, i) => i + 1) : [Number(given)]
}

export function kindOf(value: Value): Kind {
  if (typeof value === 'number') return KIND.number
  if (typeof value === 'boolean') return KIND.boolean
  return typeof value === 'string' ? KIND.string : KIND.bytes
}

export function seriesName(group: string, field: string): string {
  if (group === '') return field
  return field === 'value' ? group : `${group}_${field}`
}

export class FakeSource implements SeriesSource {
  readonly tiers = []
  readonly names: SeriesNames
  readonly blocksRead = 0
  readonly goneUs = 0
  readonly groups: readonly FakeGroup[]
  readonly all: { id: number; name: string; labels: Labels; group: number; field: number }[] = []
  isClosed = false
  runsRead = 0
  private readonly random: Random
  private readonly rowsMax: number

  constructor(groups: readonly FakeGroup[], seed = 1, rowsMax = 50) {
    this.groups = groups
    this.random = new Random(seed)
    this.rowsMax = rowsMax
    const keys = groups.flatMap(({ name, fields }) => fields.map(field => (name === '' ? field : name)))
    groups.forEach(({ name, labels, fields }, group) => {
      fields.forEach((field, i) => {
        this.all.push({ id: this.all.length, name: seriesName(name, field), labels, group, field: i })
      })
    })
    this.names = plainNames(this.all.map((series, id) => ({ ...series, key: keys[id]! })))
  }

  select(
    matchers: readonly Matcher[],
    topicFilter: string | null,
    limit: number,
    among?: Uint32Array
  ): Uint32Array {
    const tests = matchers.map(matcher => ({ name: matcher.name, test: compileMatcher(matcher) }))
    const ids = this.all
      .filter(({ id, name, labels }) => {
        if (among?.includes(id) === false) return false
        if (topicFilter !== null && !topicMatches(topicFilter, labelValue(labels, 'topic'))) return false
        return tests.every(({ name: label, test }) =>
          test(label === NAME_LABEL ? name : labelValue(labels, label))
        )
      })
      .map(({ id }) => id)
    if (ids.length > limit) throw new VarveError('VARVE_QUERY_SERIES', 'Cannot select series: too many')
    return Uint32Array.from(ids)
  }

  costOf(): ReadCost {
    return { rows: 0, chunks: 0, spanUs: 0 }
  }

  rawFromUs(): number {
    return 0
  }

  place(id: number) {
    const { group, field } = this.all[id]!
    return { group, field }
  }

  series(id: number) {
    return this.all[id]!
  }

  group(id: number) {
    const { name, labels, fields } = this.groups[id]!
    return { id, name, labels, fields }
  }

  *runs(
    group: number,
    fields: readonly number[] | null,
    fromUs: number,
    toUs: number,
    order: Order = 'asc'
  ): Generator<Run> {
    const rows = this.groups[group]!.rows.filter(({ timeUs }) => timeUs >= fromUs && timeUs <= toUs)
    const wanted = fields ?? this.groups[group]!.fields.map((_, i) => i)
    const pieces: FakeRow[][] = []
    for (let at = 0; at < rows.length; ) {
      const n = 1 + this.random.below(this.rowsMax)
      pieces.push(rows.slice(at, at + n))
      at += n
    }
    if (order === 'desc') pieces.reverse()
    for (const piece of pieces) {
      if (this.isClosed) throw new Error('read after close')
      this.runsRead++
      const run = makeRun(piece, wanted)
      yield run
      // What a real reader may do: its arrays are used again.
      run.times.fill(Number.NaN)
      for (const column of run.columns) {
        column.numbers?.fill(Number.NaN)
        column.texts?.bytes.fill(0)
      }
    }
  }

  folds(group: number, fields: readonly number[], fromUs: number, toUs: number): Generator<Run> {
    return this.runs(group, fields, fromUs, toUs)
  }

  last(group: number, _: readonly number[] | null, toUs: number): Last[] {
    const { fields, rows } = this.groups[group]!
    const found: Last[] = []
    fields.forEach((_, field) => {
      const row = rows.findLast(({ timeUs, cells }) => timeUs <= toUs && cells[field] !== null)
      if (row === undefined) return
      const value = row.cells[field]!
      found.push({ field, kind: kindOf(value), timeUs: row.timeUs, value })
    })
    return found
  }

  close(): void {
    this.isClosed = true
  }
}

function makeRun(rows: readonly FakeRow[], fields: readonly number[]): Run {
  const columns: Column[] = []
  for (const field of fields) {
    for (const kind of Object.values(KIND)) {
      const values: Value[] = []
      const present = new Uint8Array(rows.length)
      rows.forEach(({ cells }, i) => {
        const cell = cells[field]!
        if (cell === null || kindOf(cell) !== kind) return
        present[i] = 1
        values.push(cell)
      })
      if (values.length > 0) columns.push(makeColumn(field, kind, present, values, rows.length))
    }
  }
  return { rows: rows.length, times: Float64Array.from(rows, row => row.timeUs), columns }
}

function makeColumn(
  field: number,
  kind: Kind,
  present: Uint8Array,
  values: readonly Value[],
  rows: number
): Column {
  const common = { field, kind, present: values.length === rows ? null : present, count: values.length }
  if (kind === KIND.number || kind === KIND.boolean) {
    return { ...common, numbers: Float64Array.from(values as number[], Number), texts: null }
  }
  const parts = values.map(value => Buffer.from(value as string))
  const offsets = new Uint32Array(values.length + 1)
  parts.forEach((part, i) => {
    offsets[i + 1] = offsets[i]! + part.length
  })
  return { ...common, numbers: null, texts: { bytes: new Uint8Array(Buffer.concat(parts)), offsets } }
}

/** Groups with topics, sites and devices; fields of all kinds, gaps, times that several groups share. */
export function anyGroups(random: Random, count: number, rowsMax: number): FakeGroup[] {
  return Array.from({ length: count }, (_, i) => {
    const topic = `site${i % 3}/dev${i}/${random.pick(['telemetry', 'state'])}`
    const labels = makeLabels([
      ['topic', topic],
      ['site', `s${i % 3}`],
      ['device', random.chance(0.8) ? `d"${i},é` : '']
    ])
    const fields = ['temperature', 'on', 'mode', 'payload'].slice(0, 1 + random.below(4))
    const rows: FakeRow[] = []
    let timeUs = random.below(5) * 1_000_000 - 3_000_000
    for (let row = random.below(rowsMax); row > 0; row--) {
      rows.push({ timeUs, cells: fields.map(field => (random.chance(0.8) ? anyValue(random, field) : null)) })
      timeUs += random.chance(0.5) ? 1_000_000 : 1 + random.below(3_000_000)
    }
    return { name: '', labels, fields, rows: rows.filter(row => row.cells.some(cell => cell !== null)) }
  })
}

/** Numbers are eighths, so that their sums are exact in any order. */
function anyValue(random: Random, field: string): Value {
  if (field === 'on') return random.chance(0.5)
  if (field === 'mode') return random.pick(['', 'auto', 'a,"b"\r\nc', 'žluť'])
  if (field === 'payload') return Uint8Array.from({ length: random.below(4) }, () => random.below(256))
  if (random.chance(0.05)) return random.pick([Number.NaN, Number.POSITIVE_INFINITY, 'unavailable', -0])
  return (random.below(2001) - 1000) / 8
}
