// What one subscription to `$kv/last/...` is owed: slices of what is there, read on as its connection takes them, and
// the newest change of each series that it was told of.
//
// Invariant: nothing of a series is sent before its slice was read, and then never something older than what was sent;
// at most one slice and one change a series wait.
// Not here: where changes come from and how slices are read (last-topics.ts).
import type { Feed, FeedMessage } from '../broker/service.ts'
import { type Message, messageOf } from '../broker/session.ts'
import type { Value } from '../series/sample.ts'
import { LAST, type NewestSample, shown } from './last-values.ts'

/** What its topics begin with. */
export const LAST_ROOT = `$kv/${LAST}/`
/** Series that are asked for at once, unless one group has more, and groups that are looked at in one turn. */
const SLICE = { seriesMax: 256, groupsMax: 1000 } as const

/** The newest sample of a series, as one sync made it durable. */
export interface Change {
  readonly series: number
  readonly group: number
  readonly topic: string
  readonly timeUs: number
  readonly value: Value
  readonly feeds: readonly LastFeed[]
}

/** Groups one after the other with the series of each that are wanted: key and id. */
export type Walk = Generator<{ group: number; places: [key: string, series: number][] }>

/** Series that are being read: ids by key. */
export interface Slice {
  readonly places: ReadonlyMap<string, number>
}

interface LastFeedParts {
  readonly walk: Walk
  /** False: what is there is read, since changes are compared with it, and not sent. */
  readonly wantsRetained: boolean
  wake(): void
  /** Asks for begin() to be called, soon. */
  ask(): void
  onClose(): void
}

export class LastFeed implements Feed {
  isClosed = false
  private readonly parts: LastFeedParts
  private hasAsked = false
  /** Groups below it are asked for; Infinity: all. */
  private walked = 0
  /** The series of the slice that is being read, and what changed of them meanwhile. */
  private reading = new Map<number, Change | null>()
  /** Retained messages, the next one last. */
  private ready: Message[] = []
  private readonly changes = new Map<number, Change>()
  /** Told as retained, and maybe not durable before this group of the WAL is; by series, in the order of groups. */
  private readonly early = new Map<number, { group: number; timeUs: number; value: Uint8Array }>()

  constructor(parts: LastFeedParts) {
    this.parts = parts
  }

  next(): FeedMessage | null {
    if (this.ready.length === 0 && !this.hasAsked && this.walked !== Number.POSITIVE_INFINITY) {
      this.hasAsked = true
      this.parts.ask()
    }
    const message = this.ready.pop()
    if (message !== undefined) return { message, retain: true }
    for (const [series, { topic, value }] of this.changes) {
      this.changes.delete(series)
      return { message: messageOf(topic, shown(value)), retain: false }
    }
    return null
  }

  wake(): void {
    if (!this.isClosed) this.parts.wake()
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.changes.clear()
    this.ready = []
    this.parts.onClose()
  }

  /**
   * Chooses what is read next; answered() is to follow. What arrives from now on is a change.
   * @returns null when there is nothing to read yet
   */
  begin(): Slice | null {
    if (this.isClosed) return null
    const places = new Map<string, number>()
    for (let n = 0; n < SLICE.groupsMax && places.size < SLICE.seriesMax; n++) {
      const { done, value } = this.parts.walk.next()
      if (done === true) {
        this.walked = Number.POSITIVE_INFINITY
        break
      }
      this.walked = value.group + 1
      for (const [key, series] of value.places) places.set(key, series)
    }
    this.reading = new Map([...places.values()].map(series => [series, null]))
    if (places.size > 0) return { places }
    this.hasAsked = false
    return null
  }

  /**
   * Takes what was read; a series of the slice that is not in it has no sample.
   * @param group  the WAL's pending one: what was read is durable with it
   */
  answered({ places }: Slice, found: readonly NewestSample[], group: number): void {
    const { reading, early } = this
    this.reading = new Map()
    this.hasAsked = false
    if (this.isClosed) return
    for (const { topicKey, timeUs, value } of found) {
      const series = places.get(topicKey)
      if (series === undefined) continue
      const change = reading.get(series) ?? null
      if (change !== null && change.timeUs >= timeUs) continue
      reading.delete(series)
      if (!this.parts.wantsRetained) continue
      this.ready.push(messageOf(LAST_ROOT + topicKey, value))
      early.set(series, { group, timeUs, value })
    }
    for (const [series, change] of reading) {
      if (change === null) continue
      if (this.parts.wantsRetained) this.ready.push(messageOf(change.topic, shown(change.value)))
      else this.changes.set(series, change)
    }
    this.ready.reverse()
  }

  /** A change is durable. @returns whether there is something to send */
  offer(change: Change): boolean {
    const { series, group, timeUs, value } = change
    if (this.isClosed || group >= this.walked) return false
    if (this.reading.has(series)) {
      this.reading.set(series, change)
      return false
    }
    const told = this.early.get(series)
    // It arrived before what was told of its series was known here.
    if (told !== undefined && timeUs < told.timeUs) return false
    if (told?.timeUs === timeUs && Buffer.from(shown(value)).equals(told.value)) return false
    this.changes.set(series, change)
    return true
  }

  /** All groups up to this one are on the medium, and their changes were offered. */
  synced(group: number): void {
    for (const [series, told] of this.early) {
      if (told.group > group) return
      this.early.delete(series)
    }
  }
}
