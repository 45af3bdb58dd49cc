// The newest sample of each series as entries of the read-only namespace `last`.
//
//   key    := selector of the series, labels in order, as `temperature{topic="site1/dev7/telemetry"}`; get() takes
//             `site1/dev7/telemetry/temperature` for it too: topic, slash, field
//   value  := numbers as shortest decimal text, booleans as true or false, texts and bytes as they are
//   version := the time of the sample in us, so that a later sample is a greater version
//
// It reads through the query workers, so that no file is read on the main thread and limits of queries hold; a scan
// reads all series that there are and sorts them.
// Invariant: every key that scan() gives is one that get() takes.
// Not here: faces (http/routes-kv.ts), how the last sample is found (query/last.ts).
import { decodeCbor } from '../base/cbor.ts'
import type { Clock } from '../base/clock.ts'
import { Entry } from '../kv/entry.ts'
import type { ForeignNamespace } from '../kv/foreign.ts'
import { byteString, KeyMaker } from '../kv/key.ts'
import { cursorOf, type ScanOptions } from '../kv/view.ts'
import { readRequest } from '../query/parameters.ts'
import type { LastRequest, NativeRequest } from '../query/request.ts'
import type { QueryRunner } from '../query/runner.ts'

import type { Labels } from '../series/label.ts'

export const LAST = 'last'

/** Keys are made of labels, which are bounded themselves. */
const KEY_BYTES_MAX = 65_536

/** The newest sample of a series, as MQTT tells it. */
export interface NewestSample {
  readonly topicKey: string
  readonly timeUs: number
  readonly value: Uint8Array
}

interface Found {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly time_us: number
  readonly value: unknown
}

export class LastValues implements ForeignNamespace {
  private readonly runner: QueryRunner
  private readonly clock: Clock
  private readonly keys = new KeyMaker(KEY_BYTES_MAX)

  constructor(runner: QueryRunner, clock: Clock) {
    this.runner = runner
    this.clock = clock
  }

  /** @throws {VarveError} VARVE_SELECTOR for a key that is none, and what a query throws */
  async get(key: string, signal?: AbortSignal): Promise<Entry | undefined> {
    const slash = key.lastIndexOf('/')
    const isTopic = slash > 0 && !key.includes('{')
    const selector = isTopic ? selectorOf(key.slice(slash + 1), { topic: key.slice(0, slash) }) : key
    for (const found of await this.ask(selector, signal)) {
      const entry = this.entry(found)
      if (isTopic || entry.keyText === key) return entry
    }
    return undefined
  }

  async *scan(options: ScanOptions, signal?: AbortSignal): AsyncGenerator<Entry> {
    const { low, high } = this.keys.range(LAST, options.prefix, options.from, options.to)
    const entries = (await this.ask(null, signal))
      .map(found => this.entry(found))
      .filter(({ stored }) => stored >= low && stored < high)
      .sort((a, b) => (a.stored < b.stored ? -1 : 1))
    if (options.reverse === true) entries.reverse()
    const { cursor, limit = Number.POSITIVE_INFINITY } = options
    yield* (cursor === undefined ? entries : behind(entries, cursor, options.reverse === true)).slice(
      0,
      limit
    )
  }

  /** Those of some series, by id, which have one; as of the call. @throws what a query throws */
  async newest(series: readonly number[]): Promise<NewestSample[]> {
    const request = readRequest('last', new Map([['format', ['cbor']]]), this.clock.nowUs())
    const found = await this.run({ ...(request as LastRequest), series }, new AbortController().signal)
    return found.map(({ name, labels, time_us: timeUs, value }) => ({
      topicKey: topicKeyOf(name, Object.entries(labels)),
      timeUs: Number(timeUs),
      value: shown(value)
    }))
  }

  private async ask(selector: string | null, signal = new AbortController().signal): Promise<Found[]> {
    const parameters = new Map([['format', ['cbor']]])
    if (selector !== null) parameters.set('match', [selector])
    return this.run(readRequest('last', parameters, this.clock.nowUs()), signal)
  }

  private async run(request: NativeRequest, signal: AbortSignal): Promise<Found[]> {
    const pieces: Uint8Array[] = []
    for await (const piece of this.runner.run(request, signal)) pieces.push(piece.slice())
    return (decodeCbor(Buffer.concat(pieces)) as { series: Found[] }).series
  }

  private entry({ name, labels, time_us: timeUs, value }: Found): Entry {
    const stored = this.keys.stored(LAST, selectorOf(name, labels))
    return new Entry(stored, Math.max(1, Number(timeUs)), 0, shown(value))
  }
}

/**
 * The key that names a series in topics: its topic and its name, where that is all there is to say; else its selector.
 * get() takes both.
 */
export function topicKeyOf(name: string, labels: Labels): string {
  const topic = labels.length === 1 && labels[0]![0] === 'topic' ? labels[0]![1] : ''
  const isPlain = topic !== '' && !`${topic}${name}`.includes('{') && !name.includes('/')
  return isPlain ? `${topic}/${name}` : selectorOf(name, Object.fromEntries(labels))
}

/** The one selector text of a series. */
function selectorOf(name: string, labels: Readonly<Record<string, string>>): string {
  const quoted = JSON.stringify(name)
  const pairs = Object.keys(labels)
    .sort((a, b) => (byteString(Buffer.from(a)) < byteString(Buffer.from(b)) ? -1 : 1))
    .map(label => `${label}=${JSON.stringify(labels[label])}`)
  if (!/^[\w.:\u00b0%/-]+$/.test(name)) return `{${[quoted, ...pairs].join(',')}}`
  return pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`
}

/** Those behind a cursor, whose own entry may be gone. */
function behind(entries: readonly Entry[], cursor: string, reverse: boolean): Entry[] {
  const at = byteString(Buffer.from(cursor, 'base64url'))
  return entries.filter(entry => {
    const key = byteString(Buffer.from(cursorOf(entry), 'base64url'))
    return reverse ? key < at : key > at
  })
}

/** The bytes of a value. */
export function shown(value: unknown): Uint8Array {
  return value instanceof Uint8Array ? value : Buffer.from(String(value))
}
