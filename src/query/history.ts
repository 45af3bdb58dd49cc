// The messages of topics: the rows of their groups as objects of their fields, merged by time. One group is
// streamed as it is read. Several cannot all be open at once (a thousand decoded runs would be hundreds of
// megabytes), so time is cut into slices: the rows of a slice are read from each group, merged and sent,
// and the slice's length follows from how much the last one held.
//
// Invariants: what is held stays under half the limit, or one instant holds more and the query ends with
// VARVE_QUERY_MEMORY; at equal times messages come in the order of their groups.
// Not here: copying and merging of runs (held-runs.ts).
import { labelValue } from '../series/label.ts'
import type { Run } from '../series/run.ts'
import { KIND } from '../series/sample.ts'
import type { Order, SeriesSource } from '../series/source.ts'
import { type Answer, type Cell, type Message, RAW_FIELD } from './answer.ts'
import { ColumnCursor, rowsOf, samplesOf } from './cursor.ts'
import { copyRun, mergeByTime, runBytes } from './held-runs.ts'
import type { Budget } from './limits.ts'
import { selectSeries } from './list.ts'
import type { HistoryRequest } from './request.ts'

const SLICE_FIRST_US = 60_000_000

/** The fields wanted of a group. */
interface Wanted {
  readonly group: number
  readonly topic: string
  readonly fields: readonly number[]
  readonly names: readonly string[]
}

export function history(source: SeriesSource, request: HistoryRequest, budget: Budget): Answer {
  const wanted = wantedGroups(source, selectSeries(source, request.select, budget))
  const names = new Set<string>()
  for (const { names: own } of wanted) for (const name of own) names.add(name)
  const messages =
    wanted.length === 1
      ? groupMessages(source, wanted[0]!, request, budget)
      : new Slices(source, wanted, request, budget).messages()
  return { is: 'messages', names: [...names].sort(), messages: limited(messages, request.limit, budget) }
}

function wantedGroups(source: SeriesSource, ids: Uint32Array): Wanted[] {
  const fieldsOf = new Map<number, number[]>()
  for (const id of ids) {
    const { group, field } = source.series(id)
    const fields = fieldsOf.get(group)
    if (fields === undefined) fieldsOf.set(group, [field])
    else fields.push(field)
  }
  return [...fieldsOf]
    .sort(([a], [b]) => a - b)
    .map(([id, fields]) => {
      const group = source.group(id)
      fields.sort((a, b) => a - b)
      const topic = labelValue(group.labels, 'topic')
      return { group: id, topic, fields, names: fields.map(field => group.fields[field]!) }
    })
}

function* limited(messages: Iterable<Message>, limit: number | null, budget: Budget): Iterable<Message> {
  let left = limit ?? Number.POSITIVE_INFINITY
  for (const message of messages) {
    budget.row()
    yield message
    if (--left <= 0) return
  }
}

function* groupMessages(
  source: SeriesSource,
  wanted: Wanted,
  request: HistoryRequest,
  budget: Budget
): Iterable<Message> {
  for (const run of source.runs(wanted.group, wanted.fields, request.fromUs, request.toUs, request.order)) {
    budget.scanned(samplesOf(run))
    yield* runMessages(run, wanted, request.order)
  }
}

/** The rows of a run that have a value in a wanted field. */
function* runMessages(run: Run, wanted: Wanted, order: Order): Iterable<Message> {
  const cursors = run.columns.map(column => new ColumnCursor(column, order))
  const names = cursors.map(({ column }) => wanted.names[wanted.fields.indexOf(column.field)]!)
  const isRaw = names.map((name, i) => name === RAW_FIELD && cursors[i]!.column.kind === KIND.bytes)
  const allNames = names.filter((_, i) => !isRaw[i])
  const message: Message = { timeUs: 0, topic: wanted.topic, names: [], cells: [], raw: null }
  const { first, by } = rowsOf(run, order)
  for (let i = 0, row = first; i < run.rows; i++, row += by) {
    const cells: Cell[] = []
    const found: string[] = []
    message.raw = null
    for (let c = 0; c < cursors.length; c++) {
      const cell = cursors[c]!.at(row)
      if (cell === null) continue
      if (isRaw[c] && cell instanceof Uint8Array) message.raw = cell
      else {
        cells.push(cell)
        found.push(names[c]!)
      }
    }
    if (cells.length === 0 && message.raw === null) continue
    message.timeUs = run.times[row]!
    message.names = found.length === allNames.length ? allNames : found
    message.cells = cells
    yield message
  }
}

/** Messages of several groups, slice of time by slice of time. */
class Slices {
  private readonly source: SeriesSource
  private readonly wanted: readonly Wanted[]
  private readonly request: HistoryRequest
  private readonly budget: Budget
  private spanUs = SLICE_FIRST_US

  constructor(source: SeriesSource, wanted: readonly Wanted[], request: HistoryRequest, budget: Budget) {
    this.source = source
    this.wanted = wanted
    this.request = request
    this.budget = budget
  }

  *messages(): Iterable<Message> {
    const { fromUs, toUs, order } = this.request
    let nearUs: number | null = order === 'asc' ? fromUs : toUs
    let skip = true // a stretch without rows is jumped over
    while (nearUs !== null && nearUs >= fromUs && nearUs <= toUs) {
      if (skip) nearUs = this.nextTime(nearUs)
      if (nearUs === null) return
      const [farUs, held] = this.read(nearUs)
      yield* mergeByTime(
        held.map(([wanted, runs]) => this.heldMessages(wanted, runs)),
        order
      )
      skip = held.length === 0
      nearUs = order === 'asc' ? farUs + 1 : farUs - 1
    }
  }

  private *heldMessages(wanted: Wanted, runs: readonly Run[]): Iterable<Message> {
    for (const run of runs) yield* runMessages(run, wanted, this.request.order)
  }

  /** The time of the first row of any group from a time on, in the request's order. */
  private nextTime(fromUs: number): number | null {
    const { order } = this.request
    let best: number | null = null
    for (const { group } of this.wanted) {
      const lowUs = order === 'asc' ? fromUs : this.request.fromUs
      const highUs = order === 'asc' ? this.request.toUs : fromUs
      this.budget.check()
      for (const run of this.source.runs(group, [], lowUs, highUs, order)) {
        if (run.rows === 0) continue
        const timeUs = run.times[order === 'asc' ? 0 : run.rows - 1]!
        if (best === null || (order === 'asc' ? timeUs < best : timeUs > best)) best = timeUs
        break
      }
    }
    return best
  }

  /** Reads the slice that begins at nearUs; shortens it until it fits in memory. Returns its other end. */
  private read(nearUs: number): [farUs: number, held: [Wanted, Run[]][]] {
    const room = this.budget.limits.heldBytesMax / 2
    const { fromUs, toUs, order } = this.request
    for (;;) {
      const farUs =
        order === 'asc'
          ? Math.min(toUs, nearUs + this.spanUs - 1)
          : Math.max(fromUs, nearUs - this.spanUs + 1)
      const held: [Wanted, Run[]][] = []
      let bytes = 0
      let read = 0
      for (const wanted of this.wanted) {
        const runs: Run[] = []
        const [lowUs, highUs] = order === 'asc' ? [nearUs, farUs] : [farUs, nearUs]
        for (const run of this.source.runs(wanted.group, wanted.fields, lowUs, highUs, order)) {
          this.budget.scanned(samplesOf(run))
          runs.push(copyRun(run))
          bytes += runBytes(run)
          if (bytes > room) break
        }
        read++
        if (runs.length > 0) held.push([wanted, runs])
        if (bytes > room) break
      }
      if (bytes <= room) {
        if (bytes < room / 8) this.spanUs = Math.min(this.spanUs * 4, toUs - fromUs + 1)
        return [farUs, held]
      }
      if (this.spanUs <= 1) this.budget.held(Number.POSITIVE_INFINITY)
      const whole = (bytes * this.wanted.length) / read
      this.spanUs = Math.max(1, Math.floor((this.spanUs * room) / (2 * whole)))
    }
  }
}
