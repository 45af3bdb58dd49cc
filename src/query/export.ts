// Rows for an export: group after group in the order of their ids, the rows of each in the order of their times. An
// answer ends after `limit` rows, and the next begins behind the last of them, so a long export holds no
// snapshot for long and goes on where it was cut off.
//
//   answer := {"export":1,"label_names":[...],"groups":G,"group":I} | row (transfer/ndjson.ts) * | {"end":true,"rows":N,"more":B}
//             labels of all series that match; how many groups do, and with which of them the answer begins
// An answer without its last line is not whole.
//
// Invariants: a row is given at most once over all answers; one that is stored while they are asked for is given
// unless its place was passed. Not here: what rows look like as text (transfer).
import { VarveError } from '../base/errors.ts'
import type { SeriesSource } from '../series/source.ts'
import { groupText, valueText } from '../transfer/ndjson.ts'
import { ColumnCursor, samplesOf } from './cursor.ts'
import type { Budget } from './limits.ts'
import { labelNames, selectSeries } from './list.ts'
import type { ExportPlace, ExportRequest } from './request.ts'
import { TextPiece } from './text-piece.ts'

interface Wanted {
  readonly group: number
  /** Ascending. */
  readonly fields: number[]
}

/** @throws {VarveError} VARVE_EXPORT_PLACE when `after` is in no group that matches, and as every query */
export function* exportRows(
  source: SeriesSource,
  request: ExportRequest,
  budget: Budget
): Generator<Uint8Array> {
  const ids = selectSeries(source, request.select, budget)
  const wanted = wantedGroups(source, ids)
  const { after } = request
  const first = after === null ? 0 : placeIn(source, wanted, after)
  const out = new TextPiece()
  const names = JSON.stringify(labelNames(source, ids))
  out.add(`{"export":1,"label_names":${names},"groups":${wanted.length},"group":${first}}\n`)
  let rows = 0
  for (let i = first; i < wanted.length && rows <= request.limit; i++) {
    const fromUs = i === first && after !== null ? Math.max(request.fromUs, after.timeUs + 1) : request.fromUs
    for (const line of groupLines(source, wanted[i]!, fromUs, request.toUs, budget)) {
      // One more than asked for is read, to know whether there is more.
      if (++rows > request.limit) break
      budget.row()
      out.add(line)
      if (out.isFull) yield out.take()
    }
  }
  out.add(`{"end":true,"rows":${Math.min(rows, request.limit)},"more":${rows > request.limit}}\n`)
  yield out.take()
}

function wantedGroups(source: SeriesSource, ids: Uint32Array): Wanted[] {
  const found = new Map<number, Wanted>()
  for (const id of ids) {
    const { group, field } = source.place(id)
    const known = found.get(group)
    if (known === undefined) found.set(group, { group, fields: [field] })
    else known.fields.push(field)
  }
  for (const { fields } of found.values()) fields.sort((a, b) => a - b)
  return [...found.values()].sort((a, b) => a.group - b.group)
}

function placeIn(source: SeriesSource, wanted: readonly Wanted[], { name, labels }: ExportPlace): number {
  const key = JSON.stringify([name, labels])
  const at = wanted.findIndex(({ group }) => {
    const found = source.group(group)
    return found.name === name && JSON.stringify([found.name, found.labels]) === key
  })
  if (at < 0) {
    throw new VarveError(
      'VARVE_EXPORT_PLACE',
      'Cannot go on with export: the group of its last row does not match'
    )
  }
  return at
}

function* groupLines(
  source: SeriesSource,
  { group, fields }: Wanted,
  fromUs: number,
  toUs: number,
  budget: Budget
): Generator<string> {
  if (fromUs > toUs) return
  const { name, labels, fields: allNames } = source.group(group)
  const before = groupText(name, labels)
  const keys = new Map(fields.map(field => [field, `${JSON.stringify(allNames[field]!)}:`]))
  for (const run of source.runs(group, fields, fromUs, toUs, 'asc')) {
    budget.scanned(samplesOf(run))
    const cursors = run.columns.map(column => new ColumnCursor(column, 'asc'))
    const own = run.columns.map(({ field }) => keys.get(field)!)
    for (let row = 0; row < run.rows; row++) {
      let members = ''
      for (let c = 0; c < cursors.length; c++) {
        const cell = cursors[c]!.at(row)
        if (cell !== null) members += `${members === '' ? '' : ','}${own[c]}${valueText(cell)}`
      }
      if (members !== '') yield `{"time_us":${run.times[row]}${before}${members}}}\n`
    }
  }
}
