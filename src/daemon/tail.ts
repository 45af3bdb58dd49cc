// Tells followers of rows that became durable. It listens where rows are drained into the WAL, so that whatever
// brought a row (MQTT, lines, remote write, an import) is told alike, and nothing is paid while nobody follows.
//
//   drained into group g -> held for each follower that wants it -> g is synced -> sent
//
// Invariants: a follower is told of a row once, after its sync, in the order of arrival; what is held for it is at most
// heldBytesMax, and at most rowsPerSecond rows a second are made into text for it: the rest is counted and told.
// A row whose sync fails is never told.
// Not here: the route (http/routes-tail.ts), selectors (query/parameters.ts).
import type { Clock } from '../base/clock.ts'
import { reason, VarveError } from '../base/errors.ts'
import type { Wal } from '../engine/wal.ts'
import type { TailSource } from '../http/routes-tail.ts'
import type { Selection } from '../query/request.ts'
import { seriesName } from '../series/catalog-names.ts'
import type { ArrivedRow } from '../series/head-walk.ts'
import { labelValue } from '../series/label.ts'
import { compileMatcher, NAME_LABEL } from '../series/matcher.ts'
import type { Shape } from '../series/shape.ts'
import type { SeriesStore } from '../series/store.ts'
import { topicMatches } from '../series/topic-filter.ts'
import { groupText, valueText } from '../transfer/ndjson.ts'

const HELD_BYTES_MAX = 1024 ** 2
const ROWS_PER_SECOND = 20_000
const EVERY_MS = 15_000
/** Shapes whose texts are kept for a follower. */
const SHAPES_MAX = 10_000

export interface TailParts {
  readonly series: Pick<SeriesStore, 'onDrain' | 'catalog'>
  readonly wal: Pick<Wal, 'pendingGroup' | 'onSynced'>
  readonly clock: Clock
  clientsMax(): number
}

export interface TailCounts {
  rows: number
  dropped: number
}

export class Tail implements TailSource {
  private readonly parts: TailParts
  private readonly followers = new Set<Follower>()
  private stopListening: (() => void) | null = null
  /** Since the start: rows told to followers, and rows that were too many for one. */
  readonly counts: TailCounts = { rows: 0, dropped: 0 }

  constructor(parts: TailParts) {
    this.parts = parts
    parts.wal.onSynced(group => {
      for (const follower of this.followers) follower.synced(group)
    })
  }

  /** How many follow now. */
  get clients(): number {
    return this.followers.size
  }

  async *follow(select: Selection, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    const { parts, followers } = this
    const max = parts.clientsMax()
    if (followers.size >= max) {
      throw new VarveError(
        'VARVE_TAIL_CLIENTS',
        `Cannot follow: ${followers.size} clients do, the limit is ${max}`
      )
    }
    const follower = new Follower(parts, select, this.counts)
    const leave = () => this.leave(follower)
    signal.addEventListener('abort', leave)
    followers.add(follower)
    // While somebody follows, rows are looked at as the WAL takes them.
    this.stopListening ??= parts.series.onDrain(row => this.drained(row))
    try {
      yield Buffer.from(': following\n\n')
      for (;;) {
        const text = follower.take()
        if (text !== '') yield Buffer.from(text)
        else if (follower.isClosed) return
        else if (!(await follower.more(EVERY_MS))) yield Buffer.from(': still here\n\n')
      }
    } finally {
      signal.removeEventListener('abort', leave)
      leave()
    }
  }

  close(): void {
    for (const follower of [...this.followers]) this.leave(follower)
  }

  private leave(follower: Follower): void {
    follower.close()
    this.followers.delete(follower)
    if (this.followers.size > 0) return
    this.stopListening?.()
    this.stopListening = null
  }

  private drained(row: ArrivedRow): void {
    // The group that is being built is the one before the pending one.
    const group = this.parts.wal.pendingGroup - 1
    for (const follower of this.followers) follower.drained(row, group)
  }
}

/** What a follower wants of a shape. */
interface Wanted {
  /** From after the time to the first field. */
  readonly before: string
  /** Fields of the shape, and their keys as text. */
  readonly fields: readonly (readonly [index: number, key: string])[]
}

class Follower {
  isClosed = false
  private readonly parts: TailParts
  private readonly counts: TailCounts
  private readonly wants: (
    name: string,
    labels: ReturnType<SeriesStore['catalog']['at']>['labels']
  ) => boolean
  private readonly wanted = new Map<number, Wanted | null>()
  /** Texts that wait for the sync of their group, and those that may be sent. */
  private held: { group: number; text: string }[] = []
  private ready = ''
  private bytes = 0
  private dropped = 0
  private sequence = 0
  private secondMs = 0
  private rows = 0
  private wake: (() => void) | null = null

  constructor(parts: TailParts, select: Selection, counts: TailCounts) {
    this.parts = parts
    this.counts = counts
    this.wants = testOf(select)
  }

  drained({ id, shape, timeUs, value }: ArrivedRow, group: number): void {
    if (this.isClosed) return
    let wanted: Wanted | null
    try {
      wanted = this.wantedOf(id, shape)
    } catch (error) {
      // The WAL waits for us: what ends is this follower alone.
      this.fail(error)
      return
    }
    if (wanted === null) return
    if (this.bytes >= HELD_BYTES_MAX || !this.mayMake()) {
      this.dropped++
      this.counts.dropped++
      return
    }
    let text = `id: ${++this.sequence}\ndata: {"time_us":${timeUs}${wanted.before}`
    for (let i = 0; i < wanted.fields.length; i++) {
      const [index, key] = wanted.fields[i]!
      text += `${i === 0 ? '' : ','}${key}${valueText(value(index))}`
    }
    text += '}}\n\n'
    if (this.dropped > 0) {
      text = `event: dropped\ndata: {"rows":${this.dropped}}\n\n${text}`
      this.dropped = 0
    }
    this.held.push({ group, text })
    this.counts.rows++
    this.bytes += text.length
  }

  synced(group: number): void {
    let n = 0
    while (n < this.held.length && this.held[n]!.group <= group) this.ready += this.held[n++]!.text
    if (n > 0) this.held.splice(0, n)
    // Who lost rows is told with the sync, although no row follows.
    if (this.held.length === 0 && this.dropped > 0) {
      this.ready += `event: dropped\ndata: {"rows":${this.dropped}}\n\n`
      this.dropped = 0
    }
    if (this.ready !== '') this.wake?.()
  }

  /** What may be sent. */
  take(): string {
    const text = this.ready
    this.ready = ''
    this.bytes -= Math.min(this.bytes, text.length)
    return text
  }

  /** Resolves when there may be something to send, or with false after so long without. */
  async more(ms: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const cancel = this.parts.clock.after(ms, () => resolve(false))
    this.wake = () => resolve(true)
    try {
      return this.isClosed || (await promise)
    } finally {
      cancel()
      this.wake = null
    }
  }

  close(): void {
    this.isClosed = true
    this.held = []
    this.wake?.()
  }

  /** A matcher costs too much: says so, and ends. */
  private fail(error: unknown): void {
    const code = error instanceof VarveError ? error.code : 'VARVE_INTERNAL'
    this.ready += `event: error\ndata: ${JSON.stringify({ code, message: reason(error) })}\n\n`
    this.close()
  }

  private mayMake(): boolean {
    const nowMs = this.parts.clock.monotonicMs()
    if (nowMs - this.secondMs >= 1000) {
      this.secondMs = nowMs
      this.rows = 0
    }
    return ++this.rows <= ROWS_PER_SECOND
  }

  private wantedOf(id: number, shape: Shape): Wanted | null {
    const known = this.wanted.get(id)
    if (known !== undefined) return known
    const { name, labels, fields: names } = this.parts.series.catalog.at(shape.group)
    const fields: [number, string][] = []
    shape.template.fields.forEach((field, i) => {
      const own = names[field]!
      if (this.wants(seriesName(name, own), labels)) fields.push([i, `${JSON.stringify(own)}:`])
    })
    const wanted = fields.length === 0 ? null : { before: groupText(name, labels), fields }
    if (this.wanted.size >= SHAPES_MAX) this.wanted.clear()
    this.wanted.set(id, wanted)
    return wanted
  }
}

function testOf({ selectors, topic }: Selection): Follower['wants'] {
  const all = selectors.map(matchers => matchers.map(one => ({ label: one.name, test: compileMatcher(one) })))
  return (name, labels) => {
    if (topic !== null && !topicMatches(topic, labelValue(labels, 'topic'))) return false
    if (all.length === 0) return true
    return all.some(matchers =>
      matchers.every(({ label, test }) => test(label === NAME_LABEL ? name : labelValue(labels, label)))
    )
  }
}
