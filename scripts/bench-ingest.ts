// How fast ingest reads messages and lines, into an appender that keeps nothing: the cost of parsing, topics
// and shapes alone. Prints machine, workload and the bound each figure guards; exits 1 when one is missed.
//
//   node scripts/bench-ingest.ts [--seconds=2] [--only=json]      profile: node --cpu-prof scripts/...
//
// The bounds are at most half of what a 2-core x86-64 machine reached while it was shared with other work, so
// that they fail for a lost short way and not for a busy neighbour.
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { encodeCbor } from '../src/base/cbor.ts'
import { systemClock } from '../src/base/clock.ts'
import { Random } from '../src/base/random.ts'
import type { Appender } from '../src/ingest/appender.ts'
import { DeadLetters } from '../src/ingest/dead-letter.ts'
import { LineProtocol } from '../src/ingest/line-protocol.ts'
import { Mapper } from '../src/ingest/mapper.ts'

const devices = 1000
const nowUs = 1_760_000_000_000_000

/** Keeps the sum of what it is given, so that no work can be left out. */
class NullAppender implements Appender {
  readonly slots = new Float64Array(1024)
  readonly at = 0
  readonly pendingGroup = 1
  sum = 0
  private readonly ids = new Map<string, number>()

  shape(...key: unknown[]): number {
    const text = JSON.stringify(key)
    const known = this.ids.get(text) ?? this.ids.size
    this.ids.set(text, known)
    return known
  }

  begin(shape: number, timeUs: number): void {
    this.sum += shape + timeUs
  }

  text(_i: number, source: Uint8Array, start: number, end: number): void {
    this.sum += end - start + source[start]!
  }

  end(): void {
    this.sum += this.slots[0]!
  }
}

interface Reading {
  readonly temperature: number
  readonly humidity: number
  readonly battery: number
  readonly power: number
  readonly counter: number
}

function readings(): Reading[] {
  const random = new Random(7)
  return Array.from({ length: devices * 10 }, (_, i) => ({
    temperature: Math.round((20 + 5 * random.unit()) * 10) / 10,
    humidity: Math.round((40 + 20 * random.unit()) * 10) / 10,
    battery: 3300 - random.below(300),
    power: Math.round(random.unit() * 40_000) / 100,
    counter: 1_000_000 + i
  }))
}

/** Runs for a while and gives units per second of the best of the rounds. */
function rate(seconds: number, round: () => number): number {
  let best = 0
  const stop = performance.now() + seconds * 1000
  do {
    const from = performance.now()
    const units = round()
    best = Math.max(best, (units / (performance.now() - from)) * 1000)
  } while (performance.now() < stop)
  return best
}

function messages(payloads: readonly Uint8Array[], topics: readonly string[], seconds: number): number {
  const deadLetters = new DeadLetters({ clock: systemClock })
  const mapper = new Mapper({ appender: new NullAppender(), deadLetters })
  return rate(seconds, () => {
    const before = mapper.rows
    for (let i = 0; i < payloads.length; i++) {
      const payload = payloads[i]!
      mapper.message(topics[i % topics.length]!, payload, 0, payload.length, nowUs)
    }
    if (mapper.rows - before !== payloads.length) throw new Error('messages were not stored')
    return payloads.length
  })
}

function lines(all: readonly Reading[], seconds: number): number {
  const text = all.map(
    (r, i) =>
      `sensors,site=site1,device=dev${i % devices} temperature=${r.temperature},humidity=${r.humidity},` +
      `battery=${r.battery}i,power=${r.power},counter=${r.counter}i ${nowUs + i * 1000}000\n`
  )
  const body = Buffer.from(text.join(''))
  const protocol = new LineProtocol(new NullAppender())
  return rate(seconds, () => {
    const writer = protocol.writer({ nowUs })
    for (let at = 0; at < body.length; at += 65_536) writer.push(body.subarray(at, at + 65_536))
    const { samples, refused } = writer.finish()
    if (refused > 0 || samples !== all.length * 5) throw new Error('lines were not stored')
    return samples
  })
}

const { values } = parseArgs({ options: { seconds: { type: 'string' }, only: { type: 'string' } } })
const seconds = Number(values.seconds ?? 2)
const all = readings()
const topics = Array.from({ length: devices }, (_, i) => `site1/dev${i}/telemetry`)
const json = all.map(r => Buffer.from(JSON.stringify(r)))
const mixed = all.map((r, i) => Buffer.from(JSON.stringify({ ...r, state: i % 2 ? 'on' : 'off', ok: true })))
const cbor = all.map(r => encodeCbor(r))
const text = all.map(r => Buffer.from(String(r.temperature)))
const workloads: [name: string, what: string, bound: number, run: () => number][] = [
  ['json', 'messages/s, five numbers', 2_000_000, () => messages(json, topics, seconds)],
  [
    'json-mixed',
    'messages/s, five numbers, a string, a boolean',
    1_500_000,
    () => messages(mixed, topics, seconds)
  ],
  ['cbor', 'messages/s, five numbers', 1_500_000, () => messages(cbor, topics, seconds)],
  ['text', 'messages/s, one number', 4_000_000, () => messages(text, topics, seconds)],
  ['lines', 'samples/s, five fields, three floats and two integers', 8_000_000, () => lines(all, seconds)]
]
console.log(
  `${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}; ${devices} topics, one thread`
)
for (const [name, what, bound, run] of workloads) {
  if (values.only !== undefined && values.only !== name) continue
  const found = run()
  const held = found >= bound
  if (!held) process.exitCode = 1
  console.log(
    `${name.padEnd(11)} ${(found / 1e6).toFixed(2).padStart(6)} M ${what}; bound ${bound / 1e6} M ${held ? 'held' : 'MISSED'}`
  )
}
