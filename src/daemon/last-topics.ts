// The newest sample of each series over MQTT: `$kv/last/{key}`, where the key is topic and field
// (`$kv/last/site1/dev7/telemetry/temperature`), or the selector of a series that has other labels (last-values.ts).
//
// A subscription is sent what is there as retained messages, then what is newest after each sync that changed it, both
// as its connection takes them:
//
//   catalog, group by group -> slices of some hundred series -> workers -> retained messages
//   rows drained into group g -> the newest of each series -> g is synced -> changes of the subscriptions that match
//
// A subscriber that is slow is told the newest later: what waits for it is one value a series, shared by all.
//
// Invariants:
//  - a change of a series is left out while its slice has not been asked for: the answer holds it. One that comes while
//    its slice is being read takes the place of an older value in it. So what is told last is the newest;
//  - a change is told after its sync; a retained value is what a query would answer, as over HTTP, and the change that
//    makes it durable does not tell it again;
//  - a sample older than the newest that is known of its series is no change. Samples that go by age are not told.
// While nobody subscribes nothing is looked at.
// Not here: what one subscription is owed (last-feed.ts), who refuses writes (kv-topics.ts).
import type { Clock } from '../base/clock.ts'
import { VarveError } from '../base/errors.ts'
import type { Feed } from '../broker/service.ts'
import { SubscriptionTrie } from '../broker/subscription-trie.ts'
import { filterMatches, isTopic, type TopicLimits } from '../broker/topic.ts'
import type { Wal } from '../engine/wal.ts'
import { seriesName } from '../series/catalog-names.ts'
import type { ArrivedRow } from '../series/head-walk.ts'
import { makeLabels } from '../series/label.ts'
import type { SeriesStore } from '../series/store.ts'
import { type Change, LAST_ROOT, LastFeed, type Slice, type Walk } from './last-feed.ts'
import { type LastValues, topicKeyOf } from './last-values.ts'

/** Shapes of rows of which is kept who wants what. */
const SHAPES_MAX = 10_000
/** After so long a question that the workers had no room for is asked again. */
const AGAIN_MS = 100
/** What a filter asks of messages to all has no meaning here. */
const PLAIN = { qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const

export interface LastTopicsParts {
  readonly series: Pick<SeriesStore, 'onDrain' | 'catalog' | 'boots'>
  readonly wal: Pick<Wal, 'pendingGroup' | 'onSynced'>
  readonly values: Pick<LastValues, 'newest'>
  readonly clock: Clock
  readonly limits: TopicLimits
  /** Told when values could not be read: the subscriber is told of changes all the same. */
  onError(error: unknown): void
}

/** A field of a shape that somebody wants. */
interface Wanted {
  /** Of the shape. */
  readonly index: number
  readonly series: number
  readonly topic: string
  readonly feeds: readonly LastFeed[]
}

export class LastTopics {
  private readonly parts: LastTopicsParts
  private readonly feeds = new Set<LastFeed>()
  private readonly trie = new SubscriptionTrie<LastFeed>()
  private readonly wanted = new Map<number, readonly Wanted[]>()
  private wantedEpoch = 0
  /** Changes of groups that are not synced, by series. */
  private held: { readonly group: number; readonly changes: Map<number, Change> }[] = []
  /** The newest time that is known of a series, us, by its id. */
  private newest = new Float64Array(0)
  private boots: unknown = null
  private stopListening: (() => void) | null = null
  /** Feeds that wait for their next slice, which are read one at a time. */
  private readonly waiting: LastFeed[] = []
  private isReading = false

  constructor(parts: LastTopicsParts) {
    this.parts = parts
    parts.wal.onSynced(group => this.synced(group))
  }

  /** As TopicService.feed(), for a filter below `$kv/last`. */
  feed(filter: string, wantsRetained: boolean, wake: () => void): Feed {
    const feed = new LastFeed({
      walk: this.walk(filter),
      wantsRetained,
      wake,
      ask: () => this.enqueue(feed),
      onClose: () => this.leave(feed, filter)
    })
    this.feeds.add(feed)
    this.trie.add(filter, feed, PLAIN)
    this.stopListening ??= this.parts.series.onDrain(row => this.drained(row))
    return feed
  }

  private leave(feed: LastFeed, filter: string): void {
    this.feeds.delete(feed)
    this.trie.remove(filter, feed)
    if (this.feeds.size > 0) return
    this.stopListening?.()
    this.stopListening = null
    this.wanted.clear()
    this.held = []
    this.newest = new Float64Array(0)
  }

  // Changes

  private drained(row: ArrivedRow): void {
    const wanted = this.wantedOf(row)
    if (wanted.length === 0) return
    // Times were moved: what was known of them is not true any more.
    if (this.boots !== this.parts.series.boots) {
      this.boots = this.parts.series.boots
      this.newest.fill(0)
    }
    // The group that is being built is the one before the pending one.
    const group = this.parts.wal.pendingGroup - 1
    if (this.held.at(-1)?.group !== group) this.held.push({ group, changes: new Map() })
    const { changes } = this.held.at(-1)!
    const { timeUs } = row
    for (const { index, series, topic, feeds } of wanted) {
      if (!this.isNewest(series, timeUs)) continue
      const value = row.value(index)
      changes.set(series, { series, group: row.shape.group, topic, timeUs, value, feeds })
    }
  }

  /** Whether a time is not before the newest known of a series, which it then is. */
  private isNewest(series: number, timeUs: number): boolean {
    if (series >= this.newest.length) {
      const longer = new Float64Array(Math.max(1024, 2 * series))
      longer.set(this.newest)
      this.newest = longer
    }
    if (timeUs < this.newest[series]!) return false
    this.newest[series] = timeUs
    return true
  }

  private wantedOf({ id, shape }: ArrivedRow): readonly Wanted[] {
    const { trie, wanted } = this
    if (this.wantedEpoch !== trie.epoch || wanted.size >= SHAPES_MAX) {
      wanted.clear()
      this.wantedEpoch = trie.epoch
    }
    const known = wanted.get(id)
    if (known !== undefined) return known
    const found: Wanted[] = []
    const { name, labels, fields, series } = this.parts.series.catalog.at(shape.group)
    shape.template.fields.forEach((field, index) => {
      const topic = this.topicOf(topicKeyOf(seriesName(name, fields[field]!), labels))
      const feeds = topic === null ? [] : trie.match(topic).map(({ subscriber }) => subscriber)
      if (feeds.length > 0) found.push({ index, series: series[field]!, topic: topic!, feeds })
    })
    wanted.set(id, found)
    return found
  }

  private synced(group: number): void {
    if (this.feeds.size === 0) return
    const woken = new Set<LastFeed>()
    while (this.held.length > 0 && this.held[0]!.group <= group) {
      for (const change of this.held.shift()!.changes.values()) {
        for (const feed of change.feeds) if (feed.offer(change)) woken.add(feed)
      }
    }
    for (const feed of this.feeds) feed.synced(group)
    for (const feed of woken) feed.wake()
  }

  // What is there

  private enqueue(feed: LastFeed): void {
    this.waiting.push(feed)
    if (this.isReading) return
    this.isReading = true
    this.read().catch(error => this.parts.onError(error))
  }

  private async read(): Promise<void> {
    try {
      for (let feed = this.waiting.shift(); feed !== undefined; feed = this.waiting.shift()) {
        // Not within the call that asked; and others have their turn between two slices.
        await new Promise(setImmediate)
        const slice = feed.begin()
        if (slice !== null) await this.answer(feed, slice)
        feed.wake()
      }
    } finally {
      this.isReading = false
    }
  }

  private async answer(feed: LastFeed, slice: Slice): Promise<void> {
    while (!feed.isClosed) {
      try {
        const found = await this.parts.values.newest([...slice.places.values()])
        for (const { topicKey, timeUs } of found) {
          const series = slice.places.get(topicKey)
          if (series !== undefined) this.isNewest(series, timeUs)
        }
        feed.answered(slice, found, this.parts.wal.pendingGroup)
        return
      } catch (error) {
        if (!(error instanceof VarveError && error.code === 'VARVE_QUERY_BUSY')) {
          feed.answered(slice, [], this.parts.wal.pendingGroup)
          this.parts.onError(error)
          return
        }
      }
      await new Promise<void>(resolve => void this.parts.clock.after(AGAIN_MS, resolve))
    }
  }

  /** The series that a filter matches, group by group: of each its key and id. Groups that come meanwhile too. */
  private *walk(filter: string): Walk {
    const { catalog } = this.parts.series
    for (const group of this.candidates(filter)) {
      const { name, labels, fields, series } = catalog.at(group)
      const places: [string, number][] = []
      fields.forEach((field, i) => {
        const key = topicKeyOf(seriesName(name, field), labels)
        const topic = this.topicOf(key)
        if (topic !== null && filterMatches(filter, topic)) places.push([key, series[i]!])
      })
      yield { group, places }
    }
  }

  /** The groups that may have series under the filter: all, unless it names one by topic and field. */
  private *candidates(filter: string): Generator<number> {
    const { catalog } = this.parts.series
    const key = filter.slice(LAST_ROOT.length)
    const slash = key.lastIndexOf('/')
    if (/[+#{]/.test(key) || slash < 0) {
      for (let group = 0; group < catalog.groupCount; group++) yield group
      return
    }
    const labels = makeLabels([['topic', key.slice(0, slash)]])
    const name = key.slice(slash + 1)
    const ends = [0, ...[...name.matchAll(/_/g)].map(({ index }) => index), name.length]
    for (const end of new Set(ends)) {
      const group = catalog.find(name.slice(0, end), labels)
      if (group !== null) yield group
    }
  }

  /** Null when no topic can name it. */
  private topicOf(key: string): string | null {
    const topic = LAST_ROOT + key
    return isTopic(topic, this.parts.limits) ? topic : null
  }
}
