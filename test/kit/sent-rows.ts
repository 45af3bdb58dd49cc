// What was sent to a store, in order, and the judgement on what is found after a cut: it must be the state
// after some prefix of what was sent that holds, at least, all that was acknowledged. A place is one field
// of one group at one time; the later write of a place wins.
//
// Rows in buckets that retention may have dropped are loose: they may be gone, or back from the WAL, but
// what is found must have been written there at some time.
import type { SeriesReader } from '../../src/series/reader.ts'
import { TIME_MAX_US, TIME_MIN_US } from '../../src/series/sample.ts'
import { bits, type ModelRow, runLines } from '../series/model.ts'

/** Place -> bits of its value. */
export type Found = Map<string, string>

interface PlaceWrite {
  /** Index of its row. */
  readonly row: number
  readonly bits: string
}

export class SentRows {
  readonly rows: ModelRow[] = []
  /** So many rows, from the first, are acknowledged. */
  acknowledged = 0
  /** Rows before this time may have been dropped. */
  looseBeforeUs = 0
  private readonly places = new Map<string, PlaceWrite[]>()

  add(row: ModelRow): void {
    this.rows.push(row)
    this.place(row, this.rows.length - 1)
  }

  acknowledge(rows: number): void {
    this.acknowledged = Math.max(this.acknowledged, rows)
  }

  /** What is there after all rows. */
  get latest(): Found {
    return new Map([...this.places].map(([place, writes]) => [place, writes.at(-1)!.bits]))
  }

  /** Whether this value was ever written at this place. */
  wasWritten(place: string, value: string): boolean {
    return this.places.get(place)?.some(write => write.bits === value) ?? false
  }

  isLoose(place: string): boolean {
    return Number(place.split(' ')[1]) < this.looseBeforeUs
  }

  /**
   * Judges what was found, and takes the found prefix for all that was ever sent.
   * @returns what is wrong, as sentences; empty when all is well
   */
  judge(found: Found): string[] {
    const { acknowledged } = this
    const wrongs: string[] = []
    const fits = new Uint8Array(this.rows.length - acknowledged + 1).fill(1)
    for (const [place, writes] of this.places) {
      const value = found.get(place)
      if (this.isLoose(place)) {
        if (value !== undefined && !this.wasWritten(place, value)) wrongs.push(`${place} holds ${value}`)
        continue
      }
      for (let i = 0; i < fits.length; i++) {
        const written = writes.findLast(write => write.row < acknowledged + i)?.bits
        if (written === value) continue
        fits[i] = 0
        if (writes.at(-1)!.row < acknowledged) wrongs.push(`${place} holds ${value}, not ${written}`)
        if (writes.at(-1)!.row < acknowledged + i) {
          fits.fill(0, i)
          break
        }
      }
    }
    for (const place of found.keys()) {
      if (!this.places.has(place)) wrongs.push(`${place} was never written`)
    }
    const prefix = fits.indexOf(1)
    if (prefix < 0) {
      wrongs.push(`not the state after any of ${acknowledged} (acknowledged) to ${this.rows.length} rows`)
    } else this.truncate(acknowledged + prefix)
    return wrongs.slice(0, 5)
  }

  /** What was found is what there is: it has been shown, so it may not go any more. */
  private truncate(rows: number): void {
    this.rows.length = rows
    this.acknowledged = rows
    this.places.clear()
    for (const [i, row] of this.rows.entries()) this.place(row, i)
  }

  private place(row: ModelRow, index: number): void {
    for (const { field, kind, value } of row.values) {
      const place = `g${row.group} ${row.timeUs} f${field}`
      const writes = this.places.get(place)
      const write = { row: index, bits: bits(kind, value) }
      if (writes === undefined) this.places.set(place, [write])
      else writes.push(write)
    }
  }
}

/** Everything that a reader sees, by the names of groups and fields. */
export function readAll(reader: SeriesReader, groups: number): Found {
  const found: Found = new Map()
  for (let id = 0; id < groups; id++) {
    const { labels, fields } = reader.group(id)
    const name = labels[0]![1]
    for (const line of runLines(reader.runs(id, null, TIME_MIN_US, TIME_MAX_US))) {
      const [time, field, value] = line.split(' ')
      found.set(`${name} ${time} ${fields[Number(field)]}`, value!)
    }
  }
  return found
}
