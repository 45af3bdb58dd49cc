// Where messages and lines of protocol become rows: joins the broker and the HTTP write path to ingest and
// to the store. The only place that knows both.
//
// A message without a time of its own gets the gateway's, in steps of at least a microsecond within its
// group: two messages of one topic in one tick of the clock are two rows, not one.
//
// Invariants: what is returned to a face is the WAL group that holds the data; nothing is acknowledged
// here. Not here: parsing (ingest), acknowledging (broker, http).
import type { Clock } from '../base/clock.ts'
import { VarveError } from '../base/errors.ts'
import type { GatewayClock } from '../base/gateway-clock.ts'
import type { PublishSink } from '../broker/intake.ts'
import type { Wal } from '../engine/wal.ts'
import { EAGER, NORMAL } from '../engine/wal.ts'
import type { LineSink, LineWriter, Precision, WriteOutcome } from '../http/line-sink.ts'
import type { Appender } from '../ingest/appender.ts'
import { LineProtocol, refusalMessage } from '../ingest/line-protocol.ts'
import { Mapper, type MapperOptions } from '../ingest/mapper.ts'
import { PrecisionAppender, type PrecisionRule } from '../ingest/precision.ts'
import type { Labels } from '../series/label.ts'
import { type Kind, TIME_MAX_US } from '../series/sample.ts'
import type { SeriesStore } from '../series/store.ts'
import type { Gate } from './gate.ts'

/** Rows that wait for a full WAL are refused after one to two of these. */
const FULL_MS = 3_000
/** WAL bytes of a byte of line protocol, roughly: only paces the syncs. */
const WAL_PER_LINE_BYTE = 0.2

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

/** Stores lines of protocol. */
export class LineProtocolSink implements LineSink {
  lines = 0
  samples = 0
  refused = 0
  private readonly protocol: LineProtocol
  private readonly series: SeriesStore
  private readonly wal: Wal
  private readonly gate: Gate
  private readonly clock: GatewayClock
  private readonly pendingBytesMax: number
  private waiting: PromiseWithResolvers<void> | null = null

  /**
   * @param pendingBytesMax  unsynced WAL bytes above which bodies are not read on
   * @param precision        what is cut of rows; [] keeps them as they come
   */
  constructor(
    series: SeriesStore,
    wal: Wal,
    gate: Gate,
    clock: GatewayClock,
    pendingBytesMax: number,
    precision: readonly PrecisionRule[]
  ) {
    this.protocol = new LineProtocol(
      precision.length === 0 ? series : new PrecisionAppender(series, precision)
    )
    this.series = series
    this.wal = wal
    this.gate = gate
    this.clock = clock
    this.pendingBytesMax = pendingBytesMax
    gate.onSynced(() => this.goOn())
    wal.onFailed(() => this.goOn())
  }

  open(precision: Precision): LineWriter {
    const nowUs = this.clock.nowUs()
    // While the gateway does not know the time it cannot call a device's too late.
    const latest = this.clock.isKnown ? {} : { latestUs: TIME_MAX_US }
    const writer = this.protocol.writer({ precision, nowUs, ...latest })
    return {
      push: piece => {
        writer.push(piece)
        this.wal.note(piece.length * WAL_PER_LINE_BYTE, NORMAL)
      },
      end: (): WriteOutcome => {
        const result = writer.finish()
        this.lines += result.rows
        this.samples += result.samples
        this.refused += result.refused
        return { stored: result.rows, refused: result.refused, message: refusalMessage(result) }
      }
    }
  }

  /**
   * A client that waits for its answer sends nothing more: sync early.
   * @throws {VarveError} VARVE_WAL_FULL when the WAL has had no room for FULL_MS; VARVE_SYNC_FAILED
   */
  async synced(): Promise<void> {
    const group = this.series.pendingGroup
    this.wal.note(0, EAGER)
    const refused = Promise.withResolvers<never>()
    let cancel = () => {}
    const look = (wasFull: boolean) => {
      cancel = this.clock.after(FULL_MS, () => {
        if (!wasFull || !this.wal.full) return look(this.wal.full)
        const why = 'every WAL file is waiting for a flush'
        refused.reject(new VarveError('VARVE_WAL_FULL', `Cannot store rows: ${why}; try again`))
      })
    }
    look(this.wal.full)
    try {
      await Promise.race([this.wal.synced(group), refused.promise])
    } finally {
      cancel()
    }
  }

  ready(): Promise<void> | null {
    if (this.wal.failure !== null || this.gate.pendingBytes <= this.pendingBytesMax) return null
    this.waiting ??= Promise.withResolvers<void>()
    return this.waiting.promise
  }

  private goOn(): void {
    if (this.waiting === null || (this.wal.failure === null && this.gate.pendingBytes > this.pendingBytesMax))
      return
    this.waiting.resolve()
    this.waiting = null
  }
}
