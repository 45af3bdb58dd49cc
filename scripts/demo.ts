// Shows varve at work within seconds: starts the daemon on a temporary directory, lets twenty simulated
// devices publish, and draws one series as it arrives, with what varve counts of itself. Everything shown is
// asked of the running daemon, over the same HTTP that anybody can use.
//
//   npm run demo -- [--seconds N] [--mqtt-port N] [--http-port N] [--seed N]
//
// On a terminal the screen is drawn anew once a second; elsewhere it is one plain line a second. Ctrl-C (or
// --seconds) ends it: devices, daemon and directory go. A demo, not a bench: it guards no bound.
// Not here: what the devices send (demo-devices.ts).

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { lineChart } from '../src/cli/chart.ts'
import { type Devices, startDevices, watched } from './demo-devices.ts'
import { ask, startVarve, type Varve } from './varve-process.ts'

const drawEveryMs = 1000
const chartSeconds = 60
/** Rates are over this many seconds: one sync a second would else read as none or two. */
const rateSeconds = 10

/** What the daemon had counted at a moment. */
interface Counts {
  readonly atMs: number
  readonly messages: number
  readonly samples: number
  readonly acknowledged: number
  readonly syncs: number
  readonly bytes: number
  readonly residentBytes: number
}

/** The sum of a counter over its labels; 0 when there is none. */
function sumOf(text: string, name: string): number {
  let sum = 0
  for (const line of text.split('\n')) {
    const found = /^([a-z0-9_]+)(?:\{.*\})? (\S+)$/.exec(line)
    if (found?.[1] === name) sum += Number(found[2])
  }
  return sum
}

async function count(varve: Varve): Promise<Counts> {
  const text = await (await fetch(`${varve.httpUrl}/metrics`)).text()
  const sum = (name: string) => sumOf(text, `varve_${name}`)
  return {
    atMs: performance.now(),
    messages: sum('messages_total') + sum('lines_total'),
    samples: sum('samples_total'),
    acknowledged: sum('mqtt_acknowledged_total'),
    syncs: sum('wal_groups_total'),
    bytes: sum('written_bytes_total') + sum('written_metadata_bytes_total'),
    residentBytes: sum('memory_resident_bytes')
  }
}

/** The watched series of the last minute: time in ms, value. */
async function recent(varve: Varve): Promise<[number, number][]> {
  const parameters = new URLSearchParams({ match: watched.match, from: `-${chartSeconds}s` })
  const answer = await ask<{ series: { rows: [number, number][] }[] }>(varve, `/v1/range?${parameters}`)
  return (answer.series[0]?.rows ?? []).map(([timeUs, value]) => [timeUs / 1000, value])
}

/** The counters in two lines; bytes are those since the WAL file was laid out, which happens once. */
function figures(all: readonly Counts[]): string[] {
  const [first, now] = [all[0]!, all.at(-1)!]
  const before = all[Math.max(0, all.length - 1 - rateSeconds)]!
  const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1000)
  const rate = (of: (counts: Counts) => number) => (of(now) - of(before)) / seconds
  const samples = now.samples - first.samples
  const perSample = samples === 0 ? '-' : ((now.bytes - first.bytes) / samples).toFixed(1)
  return [
    `${rate(c => c.messages).toFixed(1)} messages/s   ${rate(c => c.samples).toFixed(1)} samples/s   ` +
      `${rate(c => c.syncs).toFixed(1)} syncs/s   ${perSample} bytes written per sample`,
    `${now.samples} samples   ${now.acknowledged} publishes acknowledged, each after its sync   ` +
      `${Math.round(now.residentBytes / 1e6)} MB resident`
  ]
}

/** What a newcomer can type in another terminal, in the same directory. */
function linesToTry({ mqttPort, httpUrl }: Varve): string[] {
  return [
    'In another terminal, in this directory:',
    `  mosquitto_sub -p ${mqttPort} -v -t 'garden/#'`,
    `  mosquitto_pub -p ${mqttPort} -q 1 -t my/desk -m '{"temperature":21.4,"state":"on"}'`,
    `  curl '${httpUrl}/v1/last?topic=house/%23'`,
    `  npx varve query --url ${httpUrl} power_w --from -1m --chart`,
    `  npx varve wear --url ${httpUrl}`
  ]
}

function draw(points: [number, number][], all: readonly Counts[], varve: Varve): void {
  const { columns = 100, rows = 40 } = process.stdout
  const chart = lineChart(watched.match, points, Math.min(columns, 110)).trimEnd().split('\n')
  const lines = [...chart, '', ...figures(all), '', ...linesToTry(varve), 'Ctrl-C ends the demo']
  const shown = lines.slice(0, rows - 1).map(line => line.slice(0, columns + styles(line)))
  // Home, each line with what is behind it cleared, then everything below: no flicker.
  process.stdout.write(`\x1b[H${shown.map(line => `${line}\x1b[K\n`).join('')}\x1b[J`)
}

/** Characters of a line that take no column. */
function styles(line: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escapes begin with one
  return [...line.matchAll(/\x1b\[[0-9;]*m/g)].reduce((sum, [style]) => sum + style.length, 0)
}

interface Options {
  readonly seconds: number
  readonly seed: number
  readonly flags: string[]
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: 'Infinity' },
      seed: { type: 'string', default: '1' },
      'mqtt-port': { type: 'string', default: '0' },
      'http-port': { type: 'string', default: '0' }
    }
  })
  const number = (name: 'seconds' | 'seed', least: number) => {
    const value = Number(values[name])
    if (!(value >= least))
      throw new Error(`Cannot use --${name} ${values[name]}: it is a number from ${least}`)
    return value
  }
  return {
    seconds: number('seconds', 1),
    seed: number('seed', 0),
    flags: ['--mqtt.port', values['mqtt-port'], '--http.port', values['http-port']]
  }
}

/** Shows what arrives until time is up or somebody ends it. */
async function show(varve: Varve, devices: Devices, seconds: number, ended: AbortSignal): Promise<void> {
  const isTerminal = process.stdout.isTTY === true
  const all = [await count(varve)]
  const startMs = performance.now()
  while (!ended.aborted && performance.now() - startMs < seconds * 1000) {
    await Promise.race([sleep(drawEveryMs, undefined, { signal: ended }).catch(() => {}), devices.failed])
    if (ended.aborted) break
    all.push(await count(varve))
    const points = await recent(varve)
    if (isTerminal) draw(points, all, varve)
    else {
      const newest = points.at(-1)?.[1] ?? '-'
      const elapsed = Math.round((performance.now() - startMs) / 1000)
      console.log(`${String(elapsed).padStart(3)} s  ${figures(all)[0]}   temperature ${newest}`)
    }
    all.splice(1, all.length - 1 - rateSeconds * 2)
  }
  if (isTerminal) process.stdout.write('\x1b[?1049l\x1b[?25h')
  // Asked after the screen is given back, and only of a daemon that still answers.
  const last = await Promise.all([recent(varve), count(varve)]).catch(() => null)
  if (last === null) return
  console.log(`\n${lineChart(watched.match, last[0], process.stdout.columns ?? 100)}`)
  for (const line of figures([all[0]!, last[1]])) console.log(line)
}

async function main(): Promise<void> {
  const { seconds, seed, flags } = readOptions()
  const ended = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => ended.abort())
  const dataDir = mkdtempSync(join(tmpdir(), 'varve-demo-'))
  let varve: Varve | null = null
  let devices: Devices | null = null
  try {
    varve = await startVarve({ dataDir, flags })
    devices = await startDevices(varve.mqttPort, varve.httpUrl, seed)
    const opening = [
      `varve is ready after ${Math.round(varve.readyMs)} ms; ${devices.count} devices publish to ` +
        `mqtt://127.0.0.1:${varve.mqttPort} and ${varve.httpUrl}`,
      ...linesToTry(varve)
    ]
    console.log(opening.join('\n'))
    if (process.stdout.isTTY) process.stdout.write('\x1b[?1049h\x1b[?25l\x1b[2J')
    await show(varve, devices, seconds, ended.signal)
  } catch (error) {
    if (process.stdout.isTTY) process.stdout.write('\x1b[?1049l\x1b[?25h')
    // A Ctrl-C reaches the daemon too: what fails after it is no failure of the demo.
    if (!ended.signal.aborted) {
      process.exitCode = 1
      console.error(error instanceof Error ? error.message : error)
    }
  } finally {
    await devices?.stop()
    await varve?.stop()
    rmSync(dataDir, { recursive: true, force: true })
  }
}

await main()
