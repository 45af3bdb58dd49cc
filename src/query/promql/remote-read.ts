// Prometheus remote read, answered with samples: protobuf in, protobuf out, as the series of PromQL (a string is
// the series with the label `value`). Whole answers: snappy states the length before the first byte, so all of
// it is held, within the bound on memory.
//
//   ReadRequest  := (query 1)*     Query := start ms 1, end ms 2, (matcher 3)*     matcher := op 1, name 2, value 3
//   ReadResponse := (result 1)*    result := (series 1)*    series := (label 1)* (sample 2)*    as in remote write
//   out := varint length | (literal of 64 KiB)*             snappy's block format without copies: speed over size
// Values are written as 64 bits, so that a stale mark stays one.
// Not here: HTTP and undoing snappy (http/routes-remote-read.ts), streamed chunks, which Prometheus can do without.
import { PbfReader, PbfWriter } from 'pbf'
import { VarveError } from '../../base/errors.ts'
import type { Labels } from '../../series/label.ts'
import { MATCHER_OPS, type Matcher } from '../../series/matcher.ts'
import type { SeriesSource } from '../../series/source.ts'
import type { Budget } from '../limits.ts'
import { BytePiece } from '../pieces.ts'
import type { RemoteQuery, RemoteReadRequest } from '../request.ts'
import { readSpan, type SampleSink } from './selection.ts'

const QUERIES_MAX = 64
const MATCHERS_MAX = 128
const FIXED64 = 1
const LITERAL_BYTES = 65_536

/** @throws {VarveError} VARVE_REMOTE_READ for bytes that are no ReadRequest */
export function readRemoteRequest(bytes: Uint8Array): RemoteReadRequest {
  const queries: RemoteQuery[] = []
  try {
    const reader = new PbfReader(bytes)
    reader.readFields((tag, _, pbf) => {
      if (tag !== 1) return
      if (queries.length === QUERIES_MAX) throw bad(`more than ${QUERIES_MAX} queries`)
      queries.push(readQuery(pbf))
    }, null)
    if (reader.pos !== bytes.length) throw bad('a field is cut')
  } catch (error) {
    if (error instanceof VarveError) throw error
    throw bad('no protobuf of a ReadRequest')
  }
  return { kind: 'remote-read', queries }
}

function bad(why: string): VarveError {
  return new VarveError('VARVE_REMOTE_READ', `Cannot read remote read: ${why}`)
}

function readQuery(reader: PbfReader): RemoteQuery {
  const matchers: Matcher[] = []
  let fromMs = 0
  let toMs = 0
  reader.readMessage((tag, _, pbf) => {
    if (tag === 1) fromMs = pbf.readVarint(true)
    else if (tag === 2) toMs = pbf.readVarint(true)
    else if (tag === 3) {
      if (matchers.length === MATCHERS_MAX) throw bad(`more than ${MATCHERS_MAX} matchers`)
      matchers.push(readMatcher(pbf))
    }
  }, null)
  return { fromUs: fromMs * 1000, toUs: toMs * 1000, matchers }
}

function readMatcher(reader: PbfReader): Matcher {
  let [type, name, value] = [0, '', '']
  reader.readMessage((tag, _, pbf) => {
    if (tag === 1) type = pbf.readVarint()
    else if (tag === 2) name = pbf.readString()
    else if (tag === 3) value = pbf.readString()
  }, null)
  const op = MATCHER_OPS[type]
  if (op === undefined || name === '')
    throw bad(`no matcher: type ${type}, name ${JSON.stringify(name.slice(0, 40))}`)
  return { name, op, value }
}

/** The samples of one series, written as they come. */
class Writing implements SampleSink<Uint8Array> {
  private readonly pbf = new PbfWriter()
  private readonly held: (bytes: number) => void
  private samples = 0
  private lastMs = -1

  constructor(labels: Labels, held: (bytes: number) => void) {
    this.held = held
    for (const [name, value] of labels) {
      this.pbf.writeMessage(
        1,
        (_, pbf) => {
          pbf.writeStringField(1, name)
          pbf.writeStringField(2, value)
        },
        null
      )
    }
  }

  push(times: Float64Array, values: Float64Array, n: number): void {
    const bits = new Uint32Array(values.buffer, values.byteOffset, 2 * n)
    const before = this.pbf.pos
    for (let i = 0; i < n; i++) this.sample(times[i]!, bits[2 * i]!, bits[2 * i + 1]!)
    this.held(this.pbf.pos - before)
  }

  pushStale(timeUs: number): void {
    this.sample(timeUs, 2, 0x7ff00000)
  }

  private sample(timeUs: number, low: number, high: number): void {
    const { pbf } = this
    const timeMs = Math.floor(timeUs / 1000)
    // Prometheus counts milliseconds: of several samples in one, the first.
    if (timeMs === this.lastMs) return
    this.lastMs = timeMs
    this.samples++
    pbf.writeTag(2, 2)
    pbf.writeVarint(10 + varintBytes(timeMs))
    pbf.writeTag(1, FIXED64)
    pbf.writeFixed32(low)
    pbf.writeFixed32(high)
    pbf.writeTag(2, 0)
    pbf.writeVarint(timeMs)
  }

  finish(): Uint8Array | null {
    return this.samples === 0 ? null : this.pbf.finish()
  }
}

function varintBytes(value: number): number {
  let bytes = 1
  for (let left = value; left >= 128; left /= 128) bytes++
  return bytes
}

/** @throws {VarveError} VARVE_QUERY_* */
export function* answerRemoteRead(
  source: SeriesSource,
  { queries }: RemoteReadRequest,
  budget: Budget
): Generator<Uint8Array> {
  const response = new PbfWriter()
  let bytes = 0
  const held = (more: number) => budget.held((bytes += more))
  for (const { fromUs, toUs, matchers } of queries) {
    const result = new PbfWriter()
    const reading = readSpan<Uint8Array>(
      { source, budget, log: null },
      matchers,
      fromUs,
      toUs,
      labels => new Writing(labels, held)
    )
    for (const series of reading) result.writeBytesField(1, series)
    response.writeBytesField(1, result.finish())
  }
  yield* literals(response.finish())
}

function* literals(bytes: Uint8Array): Generator<Uint8Array> {
  const out = new BytePiece()
  out.varint(bytes.length)
  for (let at = 0; at < bytes.length; at += LITERAL_BYTES) {
    const piece = bytes.subarray(at, at + LITERAL_BYTES)
    out.u8(61 << 2)
    out.u16(piece.length - 1)
    out.raw(piece)
    yield out.take()
  }
  if (out.length > 0) yield out.take()
}
