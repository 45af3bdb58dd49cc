// Prometheus remote write 1.0 to rows: the protobuf of a WriteRequest, read in place. Each series is a group
// of the metric's name with one field `value`, so that it is called in the store as Prometheus calls it.
//
//   WriteRequest := (timeseries 1)* (metadata 3)*
//   TimeSeries   := (label 1)* (sample 2)* (exemplar 3)* (histogram 4)*      Label := name 1, value 2 (texts)
//   Sample       := value 1 (double), timestamp 2 (int64, ms)
// Metadata and exemplars are passed over; native histograms are refused. A value goes from the body to the
// head as 64 bits, never as a number, so that the stale mark (a NaN of certain bits) stays what it is.
//
// Samples in any order are stored, and the later of two at one time wins, so that a body that is sent again
// changes nothing. A series or sample that cannot be is refused, those around it are stored.
//
// Invariants: a known series costs no text and no object, a sample no object; what is read lies in the body.
// Not here: snappy (snappy.ts), HTTP, acknowledging (http/routes-remote-write.ts).
import { PbfReader } from 'pbf'
import { ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'
import { makeLabels } from '../series/label.ts'
import { NAME_LABEL } from '../series/matcher.ts'
import { KIND, TIME_MAX_US, TIME_MIN_US } from '../series/sample.ts'
import type { Appender } from './appender.ts'
import { LabelSets } from './label-sets.ts'
import { block, broken, pass, tag, varint } from './protobuf.ts'
import { isUtf8, textOf } from './utf8.ts'

export interface RemoteWriteLimits {
  /** Series of one body. */
  readonly seriesMax: number
  /** Samples of one body. */
  readonly samplesMax: number
}

/** Far above what Prometheus sends (2,000 samples unless told otherwise). */
export const REMOTE_WRITE_LIMITS: RemoteWriteLimits = { seriesMax: 100_000, samplesMax: 1_000_000 }

export interface RemoteWriteResult {
  /** Samples stored, and those refused with their series or alone. */
  samples: number
  refused: number
  /** The first refusals: which and why. */
  readonly refusals: string[]
}

/** What is too late: a year after `nowUs` unless told. */
export interface RemoteWriteTimes {
  readonly nowUs: number
  readonly latestUs?: number
}

const REFUSALS_MAX = 10
const SHOWN_MAX = 200
const YEAR_US = 366 * 86_400_000_000
const FIELDS = ['value']
const KINDS = [KIND.number]

/** Tags: the number of a field and how it is written. */
const SERIES = (1 << 3) | 2
const LABEL = (1 << 3) | 2
const SAMPLE = (2 << 3) | 2
const HISTOGRAM = (4 << 3) | 2
const NAME = (1 << 3) | 2
const VALUE = (2 << 3) | 2
const SAMPLE_VALUE = (1 << 3) | 1
const SAMPLE_TIME = 2 << 3

/** Stores bodies; one for a thread. */
export class RemoteWrite {
  private readonly appender: Appender
  private readonly limits: RemoteWriteLimits
  private readonly known: LabelSets
  /** Labels of a series whose bytes do not lie together. */
  private readonly side = new ByteWriter()
  private slots: Float64Array | null = null
  /** The memory of `slots`, 32 bits each. */
  private words: Uint32Array = new Uint32Array(0)

  constructor(appender: Appender, limits = REMOTE_WRITE_LIMITS, known = new LabelSets()) {
    this.appender = appender
    this.limits = limits
    this.known = known
  }

  /**
   * Stores what a body holds.
   * @param body  the protobuf
   * @throws {VarveError} VARVE_REMOTE_WRITE when it is no WriteRequest or crosses a limit, and what the store
   * refuses with: then the body must not be acknowledged
   */
  store(body: Uint8Array, times: RemoteWriteTimes): RemoteWriteResult {
    const reader = new PbfReader(body)
    const result: RemoteWriteResult = { samples: 0, refused: 0, refusals: [] }
    const latestUs = Math.min(times.latestUs ?? times.nowUs + YEAR_US, TIME_MAX_US)
    const end = body.length
    for (let series = 0; reader.pos < end; ) {
      const field = tag(reader, end)
      if (field !== SERIES) pass(reader, field, end)
      else if (series === this.limits.seriesMax) throw broken(`more than ${series} series`, reader.pos)
      else this.series(reader, block(reader, end), ++series, latestUs, result)
    }
    return result
  }

  private series(
    reader: PbfReader,
    end: number,
    number: number,
    latestUs: number,
    result: RemoteWriteResult
  ): void {
    const start = reader.pos
    let labelsFrom = start
    let labelsTo = start
    let isScattered = false
    let firstSample = end
    let samples = 0
    let histograms = 0
    while (reader.pos < end) {
      const at = reader.pos
      const field = tag(reader, end)
      if (field === LABEL) {
        if (labelsTo === start) labelsFrom = at
        else if (at !== labelsTo) isScattered = true
        labelsTo = reader.pos = block(reader, end)
      } else if (field === SAMPLE) {
        if (samples++ === 0) firstSample = at
        reader.pos = block(reader, end)
      } else {
        if (field === HISTOGRAM) histograms++
        pass(reader, field, end)
      }
    }
    if (histograms > 0) {
      const shown = this.shown(reader, start, end)
      refuse(result, histograms, `series ${number} ${shown}: native histograms are not stored`)
    }
    if (samples === 0) return
    if (result.samples + result.refused + samples > this.limits.samplesMax) {
      throw broken(`more than ${this.limits.samplesMax} samples`, firstSample)
    }
    let shape = -1
    if (isScattered) shape = this.scattered(reader, start, end, number, samples, result)
    else {
      shape = this.known.find(reader.buf, labelsFrom, labelsTo)
      if (shape < 0) shape = this.learn(reader, labelsFrom, labelsTo, number, samples, result)
    }
    reader.pos = firstSample
    while (shape >= 0 && reader.pos < end) {
      const field = tag(reader, end)
      if (field === SAMPLE) this.sample(reader, block(reader, end), shape, number, latestUs, result)
      else pass(reader, field, end)
    }
    reader.pos = end
  }

  /** Stores one sample; a field that is not written is 0. */
  private sample(
    reader: PbfReader,
    end: number,
    shape: number,
    series: number,
    latestUs: number,
    result: RemoteWriteResult
  ): void {
    let low = 0
    let high = 0
    let timeMs = 0
    while (reader.pos < end) {
      const field = tag(reader, end)
      if (field === SAMPLE_VALUE) {
        if (end - reader.pos < 8) throw broken('a value is cut', reader.pos)
        low = reader.readFixed32()
        high = reader.readFixed32()
      } else if (field === SAMPLE_TIME) timeMs = varint(reader, end, true)
      else pass(reader, field, end)
    }
    const timeUs = timeMs * 1000
    if (!(timeUs >= TIME_MIN_US && timeUs <= latestUs)) {
      refuse(result, 1, `series ${series}: the time ${timeMs} ms is not within 1970 and a year ahead`)
      return
    }
    const { appender } = this
    appender.begin(shape, timeUs, false)
    const { slots } = appender
    if (slots !== this.slots) {
      this.slots = slots
      this.words = new Uint32Array(slots.buffer, slots.byteOffset, slots.length * 2)
    }
    const word = appender.at * 2
    this.words[word] = low
    this.words[word + 1] = high
    appender.end()
    result.samples++
  }

  /** The shape of a series whose labels lie apart, or -1 when it is refused. */
  private scattered(
    reader: PbfReader,
    start: number,
    end: number,
    number: number,
    samples: number,
    result: RemoteWriteResult
  ): number {
    this.side.reset()
    reader.pos = start
    while (reader.pos < end) {
      const at = reader.pos
      const field = tag(reader, end)
      pass(reader, field, end)
      if (field !== LABEL) continue
      this.side.raw(reader.buf.subarray(at, reader.pos))
    }
    const apart = new PbfReader(this.side.copy())
    const shape = this.known.find(apart.buf, 0, apart.length)
    return shape >= 0 ? shape : this.learn(apart, 0, apart.length, number, samples, result)
  }

  /** Makes the shape of the labels in [from, to) and remembers it; -1 when the series is refused. */
  private learn(
    reader: PbfReader,
    from: number,
    to: number,
    number: number,
    samples: number,
    result: RemoteWriteResult
  ): number {
    try {
      const pairs = readLabels(reader, from, to)
      const name = pairs.find(pair => pair[0] === NAME_LABEL)?.[1] ?? ''
      if (name === '') throw new VarveError('VARVE_LABEL', `the label ${NAME_LABEL} is not there`)
      const labels = makeLabels(pairs).filter(pair => pair[0] !== NAME_LABEL)
      const shape = this.appender.shape(name, labels, FIELDS, KINDS)
      this.known.add(reader.buf, from, to, shape)
      return shape
    } catch (error) {
      if (!(error instanceof VarveError)) throw error
      if (error.code !== 'VARVE_LABEL' && error.code !== 'VARVE_SERIES_LIMIT') throw error
      refuse(result, samples, `series ${number} ${this.shown(reader, from, to)}: ${error.message}`)
      return -1
    }
  }

  /** The labels in [from, to), as far as they are text. */
  private shown(reader: PbfReader, from: number, to: number): string {
    const { pos } = reader
    try {
      const pairs = readLabels(reader, from, to)
      return `{${pairs.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(', ')}}`.slice(
        0,
        SHOWN_MAX
      )
    } catch (error) {
      if (!(error instanceof VarveError) || error.code !== 'VARVE_LABEL') throw error
      return '{?}'
    } finally {
      reader.pos = pos
    }
  }
}

/** @throws {VarveError} VARVE_LABEL for a text that is none; VARVE_REMOTE_WRITE */
function readLabels(reader: PbfReader, from: number, to: number): [string, string][] {
  const pairs: [string, string][] = []
  reader.pos = from
  while (reader.pos < to) {
    const outer = tag(reader, to)
    if (outer !== LABEL) {
      pass(reader, outer, to)
      continue
    }
    const end = block(reader, to)
    let name = ''
    let value = ''
    while (reader.pos < end) {
      const field = tag(reader, end)
      if (field === NAME) name = text(reader, end)
      else if (field === VALUE) value = text(reader, end)
      else pass(reader, field, end)
    }
    pairs.push([name, value])
  }
  return pairs
}

function text(reader: PbfReader, end: number): string {
  const to = block(reader, end)
  const from = reader.pos
  reader.pos = to
  if (!isUtf8(reader.buf, from, to)) {
    throw new VarveError(
      'VARVE_LABEL',
      `Cannot label series: bytes ${from} to ${to} of the protobuf are not UTF-8`
    )
  }
  return textOf(reader.buf, from, to)
}

function refuse(result: RemoteWriteResult, samples: number, why: string): void {
  result.refused += samples
  if (result.refusals.length < REFUSALS_MAX) result.refusals.push(why)
}

/** What a sender is told of a body of which not all was stored; null when all was. */
export function remoteWriteMessage({ refused, refusals }: RemoteWriteResult): string | null {
  if (refused === 0) return null
  return `Cannot store ${refused} samples of the body: ${refusals.join('; ')}`
}
