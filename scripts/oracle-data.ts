// Random samples for the oracle: gauges, counters with resets, histograms and odd series, with gaps, stale
// marks, NaN and infinities, at irregular times; and the remote-write bytes that carry them.

import { crc32 } from 'node:zlib'
import { Random } from '../src/base/random.ts'
import { type Labels, makeLabels } from '../src/series/label.ts'

export interface OracleSeries {
  readonly name: string
  readonly labels: Labels
  /** ms, ascending. */
  readonly times: number[]
  /** A stale mark is 'stale'. */
  readonly values: (number | 'stale')[]
}

/** Length of the data. */
export const SPAN_MS = 2 * 3600_000

type Next = (random: Random, before: number) => number

const walk: Next = (random, before) => before + (random.unit() - 0.5) * 10
const step: Next = (random, before) => Math.max(-5, Math.min(5, before + random.below(3) - 1))
const counter: Next = (random, before) =>
  random.chance(0.03) ? random.below(5) : before + (random.chance(0.3) ? 0 : random.unit() * 20)
const whole: Next = (random, before) => (random.chance(0.03) ? 0 : before + random.below(7))

function odd(random: Random): number | null {
  if (!random.chance(0.02)) return null
  return random.pick([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0, 1e300, 1e-300])
}

/** @param isOdd  with NaN and infinities */
function samples(random: Random, startMs: number, stepMs: number, next: Next, isOdd: boolean) {
  const times: number[] = []
  const values: (number | 'stale')[] = []
  let value = random.unit() * 20
  let atMs = startMs + random.below(stepMs)
  while (atMs < startMs + SPAN_MS) {
    value = next(random, value)
    times.push(atMs)
    values.push((isOdd ? odd(random) : null) ?? value)
    if (random.chance(0.015)) {
      // The series ends, and comes back after a while.
      times.push(atMs + stepMs)
      values.push('stale')
      atMs += stepMs + random.below(900_000)
    } else if (random.chance(0.03)) atMs += random.below(600_000)
    atMs += random.chance(0.7) ? stepMs : 1000 + random.below(2 * stepMs)
  }
  return { times, values }
}

/** All series for a seed, by name and labels. */
export function oracleSeries(seed: number, startMs: number): OracleSeries[] {
  const random = new Random(seed)
  const all: OracleSeries[] = []
  const add = (name: string, pairs: [string, string][], stepMs: number, next: Next, isOdd = false) => {
    all.push({ name, labels: makeLabels(pairs), ...samples(random, startMs, stepMs, next, isOdd) })
  }
  for (const room of ['a', 'b', 'c']) {
    for (const sensor of ['1', '2']) {
      add(
        'temp',
        [
          ['room', room],
          ['sensor', sensor]
        ],
        15_000,
        walk
      )
      add(
        'odd',
        [
          ['room', room],
          ['sensor', sensor]
        ],
        20_000,
        walk,
        true
      )
    }
    add(
      'limit',
      [
        ['room', room],
        ['kind', room === 'c' ? 'hard' : 'soft']
      ],
      60_000,
      step
    )
    add('state', [['room', room]], 30_000, step)
  }
  for (const job of ['api', 'db']) {
    for (const instance of ['0', '1', '2']) {
      for (const code of ['200', '500']) {
        add(
          'req_total',
          [
            ['job', job],
            ['instance', instance],
            ['code', code]
          ],
          15_000,
          counter
        )
      }
      add(
        'err_total',
        [
          ['job', job],
          ['instance', instance]
        ],
        30_000,
        whole
      )
    }
    add('up', [['job', job]], 15_000, step)
    histogram(random, all, startMs, job)
  }
  add('oddcount_total', [['job', 'api']], 15_000, counter, true)
  add('lone', [], 10_000, walk)
  add('seconds', [], 60_000, (rnd, before) => before + rnd.unit() * 5e7)
  demo(random, all, startMs)
  return all.sort((a, b) => (key(a) < key(b) ? -1 : 1))
}

function key({ name, labels }: OracleSeries): string {
  return JSON.stringify([name, labels])
}

function histogram(random: Random, all: OracleSeries[], startMs: number, job: string): void {
  const bounds = ['0.1', '0.5', '1', '5', '+Inf']
  const counts = bounds.map(() => 0)
  const series = bounds.map((le): OracleSeries => {
    const labels = makeLabels([
      ['job', job],
      ['le', le]
    ])
    return { name: 'latency_bucket', labels, times: [], values: [] }
  })
  for (let atMs = startMs + 5000; atMs < startMs + SPAN_MS; atMs += 15_000) {
    if (random.chance(0.01)) counts.fill(0)
    for (let i = 0; i < bounds.length; i++)
      if (random.chance(0.6)) for (let k = i; k < 5; k++) counts[k]! += random.below(4)
    for (let i = 0; i < bounds.length; i++) {
      if (random.chance(0.02)) continue
      series[i]!.times.push(atMs)
      series[i]!.values.push(counts[i]! + (random.chance(0.02) ? -1 : 0))
    }
  }
  all.push(...series)
}

/** The series that Prometheus' published compliance queries name. */
function demo(random: Random, all: OracleSeries[], startMs: number): void {
  const add = (name: string, pairs: [string, string][], next: Next) => {
    for (const instance of ['10000', '10001', '10002'].map(port => `demo.promlabs.com:${port}`)) {
      const labels = makeLabels([['instance', instance], ['job', 'demo'], ...pairs])
      all.push({ name, labels, ...samples(random, startMs, 15_000, next, false) })
    }
  }
  for (const mode of ['user', 'system', 'idle'])
    add('demo_cpu_usage_seconds_total', [['mode', mode]], counter)
  for (const type of ['used', 'free', 'buffers', 'cached']) {
    add('demo_memory_usage_bytes', [['type', type]], (rnd, before) => Math.floor(before + rnd.unit() * 1e6))
  }
  add('demo_num_cpus', [], () => 4)
  add('demo_disk_usage_bytes', [], (rnd, before) => before + rnd.unit() * 1e6)
  add('demo_disk_total_bytes', [], () => 2.5e11)
  add('demo_intermittent_metric', [], rnd => rnd.below(2))
  add('demo_batch_last_success_timestamp_seconds', [], rnd => startMs / 1000 + rnd.below(7200))
  add('demo_batch_last_run_timestamp_seconds', [], rnd => startMs / 1000 + rnd.below(7200))
  add('demo_api_http_requests_in_progress', [], step)
  for (const method of ['GET', 'POST']) {
    for (const le of ['0.0001', '0.00015', '0.1', '1', '+Inf']) {
      const rate = le === '+Inf' ? 9 : 1 + Number(le)
      add(
        'demo_api_request_duration_seconds_bucket',
        [
          ['method', method],
          ['path', '/api/foo'],
          ['status', '200'],
          ['le', le]
        ],
        (rnd, before) => before + rnd.below(3) + rate
      )
    }
    add(
      'demo_api_request_duration_seconds_count',
      [
        ['method', method],
        ['path', '/api/foo'],
        ['status', '200']
      ],
      whole
    )
  }
}

/** Remote-write requests of `slice` ms each, in order of time: snappy over protobuf. */
export function* remoteWrites(
  all: readonly OracleSeries[],
  startMs: number,
  slice = 600_000
): Generator<Uint8Array> {
  for (let fromMs = startMs; fromMs < startMs + 2 * SPAN_MS; fromMs += slice) {
    const parts: Buffer[] = []
    for (const { name, labels, times, values } of all) {
      const found: Buffer[] = []
      times.forEach((timeMs, i) => {
        if (timeMs >= fromMs && timeMs < fromMs + slice) found.push(field(2, sampleBytes(timeMs, values[i]!)))
      })
      if (found.length === 0) continue
      const pairs = [['__name__', name] as const, ...labels].sort(([a], [b]) => (a < b ? -1 : 1))
      const own = pairs.map(([label, value]) =>
        field(1, Buffer.concat([field(1, Buffer.from(label)), field(2, Buffer.from(value))]))
      )
      parts.push(field(1, Buffer.concat([...own, ...found])))
    }
    if (parts.length > 0) yield snappy(Buffer.concat(parts))
  }
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let left = value
  while (left >= 128) {
    bytes.push((left % 128) + 128)
    left = Math.floor(left / 128)
  }
  bytes.push(left)
  return Buffer.from(bytes)
}

/** A length-delimited field of protobuf. */
function field(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes])
}

function sampleBytes(timeMs: number, value: number | 'stale'): Buffer {
  const double = Buffer.alloc(8)
  if (value === 'stale') double.writeBigUInt64LE(0x7ff0000000000002n)
  else double.writeDoubleLE(value)
  return Buffer.concat([varint(9), double, varint(16), varint(timeMs)])
}

/** Snappy's block format with literals alone. */
function snappy(bytes: Buffer): Buffer {
  const parts = [varint(bytes.length)]
  for (let at = 0; at < bytes.length; at += 65_536) {
    const piece = bytes.subarray(at, at + 65_536)
    const length = piece.length - 1
    parts.push(Buffer.from([61 << 2, length & 255, length >> 8]), piece)
  }
  return Buffer.concat(parts)
}

/** A number that tells data sets apart in reports. */
export function fingerprint(all: readonly OracleSeries[]): string {
  return crc32(JSON.stringify(all)).toString(16)
}
