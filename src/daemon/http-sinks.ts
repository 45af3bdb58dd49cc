// Where what comes by HTTP becomes rows: lines of protocol and remote write, joined to ingest, to the store
// and to the WAL that they wait for.
//
// Invariants: nothing is acknowledged here; rows noted are rows appended.
// Not here: parsing (ingest), status and headers (http), messages (ingest-sink.ts).
import type { Clock } from '../base/clock.ts'
import { VarveError } from '../base/errors.ts'
import type { GatewayClock } from '../base/gateway-clock.ts'
import { EAGER, NORMAL, type Wal } from '../engine/wal.ts'
import type { LineSink, LineWriter, Precision, WriteOutcome } from '../http/line-sink.ts'
import type { RemoteWriteSink } from '../http/routes-remote-write.ts'
import type { Appender } from '../ingest/appender.ts'
import { LineProtocol, refusalMessage } from '../ingest/line-protocol.ts'
import { RemoteWrite, remoteWriteMessage } from '../ingest/remote-write.ts'
import { snappyLength, undoSnappy } from '../ingest/snappy.ts'
import { TIME_MAX_US } from '../series/sample.ts'
import type { SeriesStore } from '../series/store.ts'
import type { Gate } from './gate.ts'

/** Rows that wait for a full WAL are refused after one to two of these. */
const FULL_MS = 3_000
/** WAL bytes of a byte of line protocol, and of a remote-write sample, roughly: only paces the syncs. */
const WAL_PER_LINE_BYTE = 0.2
const WAL_PER_SAMPLE = 5
const ROOM_BYTES_MAX = 4 * 1024 ** 2

/** What every HTTP writer waits for: room before its rows, and the sync after them. */
export class WriteWaits {
  private readonly series: SeriesStore
  private readonly wal: Wal
  private readonly gate: Gate
  private readonly clock: Clock
  private readonly pendingBytesMax: number
  private waiting: PromiseWithResolvers<void> | null = null

  /** @param pendingBytesMax  unsynced WAL bytes above which bodies are not read on */
  constructor(series: SeriesStore, wal: Wal, gate: Gate, clock: Clock, pendingBytesMax: number) {
    this.series = series
    this.wal = wal
    this.gate = gate
    this.clock = clock
    this.pendingBytesMax = pendingBytesMax
    gate.onSynced(() => this.goOn())
    wal.onFailed(() => this.goOn())
  }

  /** Samples appended by anybody since the start. */
  get samples(): number {
    return this.series.samplesAppended
  }

  /** Rows were appended that take about so many bytes in the WAL. */
  note(bytes: number): void {
    this.wal.note(bytes, NORMAL)
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

/** While the gateway does not know the time it cannot call a sender's too late. */
function latestOf(clock: GatewayClock): { latestUs?: number } {
  return clock.isKnown ? {} : { latestUs: TIME_MAX_US }
}

/** Stores lines of protocol. */
export class LineProtocolSink implements LineSink {
  lines = 0
  samples = 0
  refused = 0
  private readonly protocol: LineProtocol
  private readonly waits: WriteWaits
  private readonly clock: GatewayClock

  /** @param rows  the store, or what cuts rows on their way there */
  constructor(rows: Appender, waits: WriteWaits, clock: GatewayClock) {
    this.protocol = new LineProtocol(rows)
    this.waits = waits
    this.clock = clock
  }

  open(precision: Precision): LineWriter {
    const nowUs = this.clock.nowUs()
    const writer = this.protocol.writer({ precision, nowUs, ...latestOf(this.clock) })
    return {
      push: piece => {
        writer.push(piece)
        this.waits.note(piece.length * WAL_PER_LINE_BYTE)
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

  synced(): Promise<void> {
    return this.waits.synced()
  }

  ready(): Promise<void> | null {
    return this.waits.ready()
  }
}

/** Stores bodies of Prometheus remote write. */
export class PrometheusSink implements RemoteWriteSink {
  samples = 0
  refused = 0
  private readonly writer: RemoteWrite
  private readonly waits: WriteWaits
  private readonly clock: GatewayClock
  private readonly bytesMax: number
  /** Bodies are undone and stored one after the other, so that one room serves them all. */
  private room = new Uint8Array(65_536)

  /**
   * @param rows      the store, or what cuts rows on their way there
   * @param bytesMax  of a body when snappy is undone
   */
  constructor(rows: Appender, waits: WriteWaits, clock: GatewayClock, bytesMax: number) {
    this.writer = new RemoteWrite(rows)
    this.waits = waits
    this.clock = clock
    this.bytesMax = bytesMax
  }

  store(body: Uint8Array): { samples: number; message: string | null } {
    const bytes = snappyLength(body)
    if (bytes > this.bytesMax) {
      const why = `${bytes} bytes when snappy is undone, the limit is ${this.bytesMax}`
      throw new VarveError('VARVE_HTTP_TOO_LARGE', `Cannot read body: ${why}`)
    }
    // Room for an unusual body goes with it: most are below a megabyte.
    const isUsual = bytes <= ROOM_BYTES_MAX
    if (isUsual && bytes > this.room.length) this.room = new Uint8Array(2 ** Math.ceil(Math.log2(bytes)))
    const room = isUsual ? this.room : new Uint8Array(bytes)
    undoSnappy(body, room)
    const before = this.waits.samples
    try {
      const result = this.writer.store(room.subarray(0, bytes), {
        nowUs: this.clock.nowUs(),
        ...latestOf(this.clock)
      })
      this.samples += result.samples
      this.refused += result.refused
      return { samples: result.samples, message: remoteWriteMessage(result) }
    } finally {
      this.waits.note((this.waits.samples - before) * WAL_PER_SAMPLE)
    }
  }

  synced(): Promise<void> {
    return this.waits.synced()
  }

  ready(): Promise<void> | null {
    return this.waits.ready()
  }
}
