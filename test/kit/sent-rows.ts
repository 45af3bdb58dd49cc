// What was sent to a store, in order, and the judgement on what is found after a cut: it must be the state
// after some prefix of what was sent that holds, at least, all that was acknowledged. A place is one field
// of one group at one time; the later write of a place wins.
//
// Rows in buckets that retention may have dropped are loose: they may be gone, or back from the WAL, but
// what is found must have been written there at some time.
import type { SeriesReader } from '../../src/series/reader.ts'
import type { Run } from '../../src/series/run.ts'
import { copied } from '../../src/series/run-edit.ts'
import { TIME_MAX_US, TIME_MIN_US } from '../../src/series/sample.ts'
import { bits, type ModelRow, runLines } from '../series/model.ts'
import { fitPrefix, Verdict } from './verdict.ts'

/** Place -> bits of its value. */
export type Found = Map<string, string>

/** A row and its values by place. */
interface SentRow {
  readonly group: number
  readonly timeUs: number
  readonly places: readonly (readonly [place: string, value: string])[]
}

export class SentRows {
  /** So many rows, from the first, are acknowledged. */
  acknowledged = 0
  /** Counts the lives that were judged. */
  life = 0
  /** Rows before this time may have been dropped. */
  looseBeforeUs = 0
  private rows: SentRow[] = []
  private everWritten: Map<string, Set<string>> | null = null

  /** Rows sent. */
  get count(): number {
    return this.rows.length
  }

  add({ group, timeUs, values }: ModelRow): void {
    const places = values.map(
      ({ field, kind, value }) => [`g${group} ${timeUs} f${field}`, bits(kind, value)] as const
    )
    this.rows.push({ group, timeUs, places })
    this.everWritten = null
  }

  /** @param life  in which it was sent: one that has ended tells nobody any more */
  acknowledge(rows: number, life = this.life): void {
    if (life === this.life) this.acknowledged = Math.max(this.acknowledged, rows)
  }

  /** The same, apart from this one. */
  copy(): SentRows {
    const copy = new SentRows()
    copy.rows = [...this.rows]
    copy.acknowledged = this.acknowledged
    copy.looseBeforeUs = this.looseBeforeUs
    return copy
  }

  /** Group and time of a row; counted from the end where the index is below 0. */
  placeAt(index: number): { readonly group: number; readonly timeUs: number } | undefined {
    return this.rows.at(index)
  }

  /** Whether this value was ever written at this place. */
  wasWritten(place: string, value: string): boolean {
    if (this.everWritten === null) {
      this.everWritten = new Map()
      for (const { places } of this.rows) {
        for (const [known, bits] of places) {
          this.everWritten.set(known, (this.everWritten.get(known) ?? new Set()).add(bits))
        }
      }
    }
    return this.everWritten.get(place)?.has(value) ?? false
  }

  isLoose(place: string): boolean {
    return Number(place.split(' ')[1]) < this.looseBeforeUs
  }

  /**
   * Judges what was found, and takes the found prefix for all that was ever sent.
   * @returns what is wrong, as sentences; empty when all is well
   */
  judge(found: Found, verdict = new Verdict()): string[] {
    const strict: Found = this.looseBeforeUs === 0 ? found : new Map()
    if (strict !== found) {
      for (const [place, value] of found) {
        if (!this.isLoose(place)) strict.set(place, value)
        else if (!this.wasWritten(place, value)) verdict.invent(`${place} holds ${value}`)
      }
    }
    const writes = this.rows.map(({ timeUs, places }) => (timeUs < this.looseBeforeUs ? [] : places))
    for (let i = 0; i < this.acknowledged; i++) verdict.samples += writes[i]!.length
    const prefix = fitPrefix(writes, this.acknowledged, strict, verdict)
    this.life++
    // What was found is what there is: it has been shown, so it may not go any more.
    if (prefix >= 0) {
      this.rows.length = prefix
      this.acknowledged = prefix
      this.everWritten = null
    }
    return verdict.wrongs
  }
}

/** The runs of every group. */
export function readRuns(
  reader: SeriesReader,
  groups: number,
  fromUs = TIME_MIN_US,
  toUs = TIME_MAX_US
): Run[][] {
  return Array.from({ length: groups }, (_, id) => Array.from(reader.runs(id, null, fromUs, toUs), copied))
}

/** Everything that a reader sees, by the names of groups and fields. */
export function readAll(reader: SeriesReader, groups: number, runs = readRuns(reader, groups)): Found {
  const found: Found = new Map()
  for (let id = 0; id < groups; id++) {
    const { labels, fields } = reader.group(id)
    const name = labels[0]![1]
    for (const line of runLines(runs[id]!)) {
      const [time, field, value] = line.split(' ')
      found.set(`${name} ${time} ${fields[Number(field)]}`, value!)
    }
  }
  return found
}
