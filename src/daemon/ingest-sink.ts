// Where messages become rows: joins the broker to ingest and to the store.
//
// A message without a time of its own gets the gateway's, in steps of at least a microsecond within its
// group: two messages of one topic in one tick of the clock are two rows, not one.
//
// Invariants: what is returned to a face is the WAL group that holds the data; nothing is acknowledged
// here. Not here: parsing (ingest), acknowledging (broker), what comes by HTTP (http-sinks.ts).
import type { Clock } from '../base/clock.ts'
import type { PublishSink } from '../broker/intake.ts'
import type { Appender } from '../ingest/appender.ts'
import { Mapper, type MapperOptions } from '../ingest/mapper.ts'
import { PrecisionAppender, type PrecisionRule } from '../ingest/precision.ts'
import type { Labels } from '../series/label.ts'
import type { Kind } from '../series/sample.ts'
import type { SeriesStore } from '../series/store.ts'

/** The store as messages see it: rows that bring the gateway's time never share it within their group. */
class ArrivalAppender implements Appender {
  private readonly series: SeriesStore
  /** Where rows go: the store, or what cuts them on the way there. */
  private readonly inner: Appender
  private readonly precision: PrecisionAppender | null

  constructor(series: SeriesStore, rules: readonly PrecisionRule[]) {
    this.series = series
    this.precision = rules.length === 0 ? null : new PrecisionAppender(series, rules)
    this.inner = this.precision ?? series
  }

  shape(name: string, labels: Labels, fields: readonly string[], kinds: readonly Kind[]): number {
    return this.inner.shape(name, labels, fields, kinds)
  }

  begin(shape: number, timeUs: number, isArrival: boolean): void {
    if (isArrival) {
      const stepUs = this.precision === null ? 1 : this.precision.stepUsOf(shape)
      // A remainder of such large numbers is dear, and mostly nothing is cut.
      const startUs = stepUs === 1 ? timeUs : timeUs - (timeUs % stepUs)
      const newestUs = this.series.newestTimeUs(shape)
      // A clock that stepped back must not glue what follows to the old time: only near misses are moved.
      if (newestUs >= startUs && newestUs < startUs + Math.max(1000, stepUs)) {
        if (this.precision === null) this.series.begin(shape, newestUs + 1, true)
        else this.precision.beginExact(shape, newestUs + 1, true)
        return
      }
    }
    this.inner.begin(shape, timeUs, isArrival)
  }

  get slots(): Float64Array {
    return this.inner.slots
  }

  get at(): number {
    return this.inner.at
  }

  text(i: number, source: Uint8Array, start: number, end: number): void {
    this.inner.text(i, source, start, end)
  }

  end(): void {
    this.inner.end()
  }

  get pendingGroup(): number {
    return this.series.pendingGroup
  }
}

/** Stores what is published. */
export class MessageSink implements PublishSink {
  readonly mapper: Mapper
  private readonly appender: ArrivalAppender
  private readonly clock: Clock

  /** @param precision  what is cut of rows; [] keeps them as they come */
  constructor(
    series: SeriesStore,
    clock: Clock,
    options: Omit<MapperOptions, 'appender'>,
    precision: readonly PrecisionRule[]
  ) {
    this.appender = new ArrivalAppender(series, precision)
    this.clock = clock
    this.mapper = new Mapper({ ...options, appender: this.appender })
  }

  publish(topic: string, bytes: Uint8Array, start: number, end: number): number {
    const nowUs = this.clock.nowUs()
    return this.mapper.message(topic, bytes, start, end, nowUs) > 0 ? this.appender.pendingGroup : 0
  }
}
