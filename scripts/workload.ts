// The standard workload: devices that send one five-field message each every ten seconds. The same seed
// gives the same messages for ever, so that every store measured gets the same bytes.
//
//   temperature  one decimal, random walk          humidity  one decimal, random walk
//   battery      integer mV, falling slowly        power     two decimals, idle with bursts
//   total        a counter that grows by steps
//
// Times are ms with a uniform jitter of 0-200 ms; one message in a hundred arrives late, by 1 to 30 rounds,
// with the time at which it was made. Forms: Influx line protocol with times, JSON without (a publish is
// stamped when it arrives).
// Not here: sending (bench-*.ts, mqtt-load.ts).

import { Random } from '../src/base/random.ts'

export const fieldsPerMessage = 5

export interface WorkloadOptions {
  readonly seed: number
  readonly devices: number
  /** Time of the first round, ms since the Unix epoch. */
  readonly startMs: number
  readonly roundMs: number
  readonly jitterMs: number
  /** Share of messages that arrive late. */
  readonly late: number
}

export const standard: Omit<WorkloadOptions, 'startMs'> = {
  seed: 1,
  devices: 1000,
  roundMs: 10_000,
  jitterMs: 200,
  late: 0.01
}

export interface Message {
  readonly device: number
  readonly timeMs: number
  readonly temperature: number
  readonly humidity: number
  readonly battery: number
  readonly power: number
  readonly total: number
}

interface Device {
  temperature: number
  humidity: number
  battery: number
  idlePower: number
  burstPower: number
  bursting: boolean
  total: number
}

const lateRoundsMax = 30

export class Workload {
  readonly options: WorkloadOptions
  private readonly random: Random
  private readonly devices: Device[]
  private readonly held = new Map<number, Message[]>()
  private round = 0

  constructor(options: WorkloadOptions) {
    this.options = options
    const random = new Random(options.seed)
    this.random = random
    this.devices = Array.from({ length: options.devices }, () => ({
      temperature: 150 + random.below(100),
      humidity: 350 + random.below(300),
      battery: 4200 - random.below(300),
      idlePower: 20 + random.below(200),
      burstPower: 20_000 + random.below(200_000),
      bursting: false,
      total: random.below(100_000)
    }))
  }

  /** The messages of the next round in the order in which they arrive: late ones of former rounds first. */
  next(): Message[] {
    const { random, options, round } = this
    const arriving = this.held.get(round) ?? []
    this.held.delete(round)
    for (let device = 0; device < this.devices.length; device++) {
      const message = this.message(device)
      if (!random.chance(options.late)) arriving.push(message)
      else {
        const due = round + 1 + random.below(lateRoundsMax)
        const waiting = this.held.get(due)
        if (waiting) waiting.push(message)
        else this.held.set(due, [message])
      }
    }
    this.round++
    return arriving
  }

  /** The late ones that no further round delivers. */
  rest(): Message[] {
    const rest = [...this.held.values()].flat()
    this.held.clear()
    return rest
  }

  private message(index: number): Message {
    const { random, options } = this
    const device = this.devices[index]!
    device.temperature = walk(random, device.temperature, -200, 600)
    device.humidity = walk(random, device.humidity, 0, 1000)
    if (random.chance(0.02)) device.battery = device.battery > 3000 ? device.battery - 1 : 4200
    device.bursting = random.chance(device.bursting ? 0.9 : 0.02)
    const power = device.bursting
      ? device.burstPower + random.below(2000)
      : device.idlePower + random.below(5)
    if (device.bursting || random.chance(0.1)) device.total += 1 + random.below(device.bursting ? 20 : 2)
    return {
      device: index,
      timeMs: options.startMs + this.round * options.roundMs + random.below(options.jitterMs),
      temperature: device.temperature / 10,
      humidity: device.humidity / 10,
      battery: device.battery,
      power: power / 100,
      total: device.total
    }
  }
}

/** A step of -2 to 2, most often none. */
function walk(random: Random, value: number, least: number, most: number): number {
  const step = random.chance(0.5) ? 0 : random.below(5) - 2
  return Math.min(most, Math.max(least, value + step))
}

export function deviceName(device: number): string {
  return `dev${String(device).padStart(4, '0')}`
}

/** MQTT topic of a device. */
export function topicOf(device: number): string {
  return `site1/${deviceName(device)}/telemetry`
}

/** One line of Influx line protocol, time in ms, without its line end. */
export function lineOf(m: Message): string {
  return `telemetry,device=${deviceName(m.device)},site=site1 temperature=${m.temperature},humidity=${m.humidity},battery=${m.battery}i,power=${m.power},total=${m.total}i ${m.timeMs}`
}

/** JSON payload of a publish. */
export function jsonOf(m: Message): string {
  return `{"temperature":${m.temperature},"humidity":${m.humidity},"battery":${m.battery},"power":${m.power},"total":${m.total}}`
}

/** A body of lines and the samples in it. */
export interface Body {
  readonly bytes: Buffer
  readonly samples: number
}

/** The workload as bodies of `linesMax` lines for POST /write?precision=ms, `samples` in all (rounded up to a round). */
export function* lineBodies(options: WorkloadOptions, samples: number, linesMax: number): Iterable<Body> {
  const workload = new Workload(options)
  const rounds = Math.ceil(samples / fieldsPerMessage / options.devices)
  let lines: string[] = []
  const take = (): Body => {
    const body = { bytes: Buffer.from(`${lines.join('\n')}\n`), samples: lines.length * fieldsPerMessage }
    lines = []
    return body
  }
  for (let round = 0; round <= rounds; round++) {
    for (const message of round < rounds ? workload.next() : workload.rest()) {
      lines.push(lineOf(message))
      if (lines.length === linesMax) yield take()
    }
  }
  if (lines.length > 0) yield take()
}
