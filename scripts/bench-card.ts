// How long a card lives: every write of varve and its peers, as their block devices saw them, given to a
// model of cheap flash (card-model.ts). Two workloads: the trickle of 50 samples/s, all stores side by side,
// each on an ext4 image of its own; and line protocol in bulk, one store after the other, until it was
// stopped in order and all that was pending was written out.
//
// What is measured: the writes, for --seconds after --settle. What is extrapolated: the model replays them
// in place until its card is in a steady state, and years are that rate kept up. So what a store does more
// rarely than the run is long (varve's flush of a bucket, InfluxDB's compactions, VictoriaMetrics' daily
// merges, ext4 when its journal comes round) is not in a trickle's figures; the bulk rows have most of it. In
// a run of 900 s one more unit copied is 93 bytes a sample: small figures of block mappings are that coarse.
// Traces are kept with --traces, and what is found there is not measured again: other cards can be tried in
// seconds.
//
//   node scripts/bench-card.ts [--seconds 600] [--settle 30] [--samples 5000000] [--traces DIR]
//                              [--gigabytes 32] [--cycles 1000] [--open 4] [--log 2]
//                              [--only varve,influxdb-message,bulk-varve,...]
//                              [--program source|binary] [--dir DIR] [--varve "--flag value"]

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { benchArguments } from './bench-arguments.ts'
import { installed, Poster, type StoreName, startStore } from './bench-peers.ts'
import { judge, printHead, printTable, round } from './bench-report.ts'
import { BlockTrace } from './block-trace.ts'
import { cheapCard, type MappingOptions, replay, type Step, yearsOf } from './card-model.ts'
import { makeMedium } from './loop-disk.ts'
import { samplesPerS, startTrickles, trickle, trickleMessages, type Variant, variants } from './trickle.ts'
import { fieldsPerMessage, lineBodies, standard } from './workload.ts'

const bulkStores: Readonly<Record<string, StoreName>> = {
  'bulk-varve': 'varve',
  'bulk-influxdb': 'influxdb',
  'bulk-victoria': 'victoria-metrics'
}
const bulkImageBytes = 4 * 2 ** 30
const [bulkLines, bulkConnections] = [5000, 4]
/** The kernel's counters may count a request when it ends, the trace when it begins. */
const traceFaultMax = 0.01
const yearsMin = 10

/** All that one store's device was asked to write while it took the samples. */
interface Trace {
  readonly name: string
  readonly samples: number
  readonly seconds: number
  /** By the device's own counters. */
  readonly deviceBytes: number
  readonly steps: readonly Step[]
}

async function traceTrickles(names: readonly Variant[]): Promise<Trace[]> {
  if (names.length === 0) return []
  const running = await startTrickles(names, program, flags, dir)
  const paths = running.map(({ medium }) => medium.path)
  if (running.some(({ medium }) => medium.flushes() === null))
    throw new Error(`Cannot trace: ${running[0]!.medium.how}`)
  const trace = new BlockTrace(dir, paths)
  const messages = trickleMessages()
  const soFar = async () => {
    const bytes = running.map(({ medium, pid }) => medium.writtenBytes(pid))
    return { bytes, steps: await Promise.all(paths.map(path => trace.stepsSoFar(path))) }
  }
  await trickle(running, messages, settle)
  const before = await soFar()
  const took = await trickle(running, messages, seconds)
  const after = await soFar()
  await trace.close()
  for (const each of running) {
    await each.stop()
    each.medium.close()
  }
  return running.map(({ variant }, i) => ({
    name: variant,
    samples: seconds * samplesPerS,
    seconds: took,
    deviceBytes: after.bytes[i]! - before.bytes[i]!,
    steps: after.steps[i]!.slice(before.steps[i]!.length)
  }))
}

async function traceBulk(name: string): Promise<Trace> {
  const medium = makeMedium(dir, name, bulkImageBytes)
  if (medium.flushes() === null) throw new Error(`Cannot trace: ${medium.how}`)
  const trace = new BlockTrace(join(dir, `trace-${name}`), [medium.path])
  const store = await startStore(bulkStores[name]!, medium.path, { program, flags })
  const poster = new Poster(store, bulkConnections)
  const rounds = Math.ceil(samples / fieldsPerMessage / standard.devices)
  const startMs = Date.now() - (rounds + 60) * standard.roundMs
  const bytesBefore = medium.writtenBytes(store.pid)
  const stepsBefore = await trace.stepsSoFar(medium.path)
  const started = performance.now()
  let sent = 0
  const counted = function* () {
    for (const body of lineBodies({ ...standard, startMs }, samples, bulkLines)) {
      sent += body.samples
      yield body
    }
  }
  await poster.postAll(counted(), bulkConnections)
  const seconds = (performance.now() - started) / 1000
  poster.close()
  await store.stop()
  const deviceBytes = medium.writtenBytes(store.pid) - bytesBefore
  const steps = (await trace.stepsSoFar(medium.path)).slice(stepsBefore.length)
  await trace.close()
  medium.close()
  return { name, samples: sent, seconds, deviceBytes, steps }
}

function readTrace(name: string): Trace | null {
  const file = join(tracesDir ?? '', `${name}.json`)
  if (tracesDir === undefined || !existsSync(file)) return null
  const { steps, ...facts } = JSON.parse(readFileSync(file, 'utf8'))
  return { ...facts, steps: steps.map(([at, bytes]: [number, number]) => ({ at, bytes })) }
}

function keepTrace(trace: Trace): void {
  if (tracesDir === undefined) return
  mkdirSync(tracesDir, { recursive: true })
  const steps = trace.steps.map(({ at, bytes }) => [at, bytes])
  writeFileSync(join(tracesDir, `${trace.name}.json`), JSON.stringify({ ...trace, steps }))
}

async function allTraces(): Promise<Trace[]> {
  const kept = names.map(readTrace).filter(trace => trace !== null)
  if (kept.length > 0) console.log(`not measured now, from ${tracesDir}: ${kept.map(t => t.name).join(', ')}`)
  const missing = names.filter(name => !kept.some(trace => trace.name === name))
  const fresh = await traceTrickles(variants.filter(name => missing.includes(name)))
  for (const name of missing) {
    const store = bulkStores[name]
    if (store !== undefined && installed([store]).length > 0) fresh.push(await traceBulk(name))
  }
  for (const trace of fresh) keepTrace(trace)
  return [...kept, ...fresh].sort((a, b) => known.indexOf(a.name) - known.indexOf(b.name))
}

const known: readonly string[] = [...variants, ...Object.keys(bulkStores)]
const args = benchArguments(
  known,
  ['seconds', 'settle', 'samples', 'gigabytes', 'cycles', 'open', 'log'],
  ['traces']
)
const { names, program, flags, dir, number } = args
const tracesDir = args.text('traces')
const [seconds, settle, samples] = [number('seconds', 600), number('settle', 30), number('samples', 5e6)]
const [cardBytes, cycles] = [number('gigabytes', 32) * 1e9, number('cycles', 1000)]
const geometry = { ...cheapCard, cardBytes }
const [openUnits, logUnits] = [number('open', 4), number('log', 2)]
const mappings: readonly (readonly [name: string, options: MappingOptions])[] = [
  ['page', { kind: 'page' }],
  ['block+log', { kind: 'block', openUnits, logUnits }],
  ['block', { kind: 'block', openUnits, logUnits: 0 }]
]

printHead('bench-card: NAND bytes and years of a card', {
  workload: `trickle: ${samplesPerS} samples/s for ${seconds} s after ${settle} s, ten five-field messages a second; bulk: ${round(samples)} samples, bodies of ${bulkLines} lines, ${bulkConnections} connections; ${standard.devices} devices`,
  bounds: [
    `varve's trickle: at least ${yearsMin} years on a page-mapped card, and under each mapping at least the years of every peer`,
    'the trace holds what the device counted, to 1 %'
  ]
})
console.log(
  `card      ${cardBytes / 1e9} GB, ${cycles} cycles, full; page ${geometry.pageBytes / 1024} KiB, unit ${geometry.unitBytes / 2 ** 20} MiB, ${round(geometry.spareShare * 100)} % spare; wear spread evenly
mappings  page: each page anywhere, greedy collection; block: units rewritten forward, ${openUnits} open, else copied whole; block+log: and ${logUnits} log units for small writes out of order
`
)
const found = (await allTraces()).map(trace => ({
  trace,
  outcomes: mappings.map(([, options]) => replay(trace.steps, options, geometry))
}))

const each = (
  text: (outcome: ReturnType<typeof replay>) => string,
  what: string,
  of: (typeof found)[number]
) => Object.fromEntries(mappings.map(([name], i) => [`${what} ${name}`, text(of.outcomes[i]!)]))
const yearsIn = ({ trace }: (typeof found)[number], nandBytes: number) =>
  yearsOf((nandBytes / trace.samples) * samplesPerS, cardBytes, cycles)
const isBulk = (name: string) => Object.hasOwn(bulkStores, name)

console.log(`trickle, ${samplesPerS} samples/s (writes measured, years extrapolated)`)
for (const bulk of [false, true]) {
  if (bulk)
    console.log(
      '\nbulk (writes measured; Gsamples: a card is worn out after so many 1e9 samples, extrapolated)'
    )
  printTable(
    found
      .filter(({ trace }) => isBulk(trace.name) === bulk)
      .map(of => ({
        store: of.trace.name,
        samples: of.trace.samples,
        s: round(of.trace.seconds),
        'device B/sample': round(of.trace.deviceBytes / of.trace.samples),
        writes: of.trace.steps.filter(({ bytes }) => bytes > 0).length,
        flushes: of.trace.steps.filter(({ bytes }) => bytes === 0).length,
        ...each(({ nandBytes }) => round(nandBytes / of.trace.samples), 'NAND B/sample', of),
        ...(bulk
          ? each(
              ({ nandBytes }) => round((cardBytes * cycles * of.trace.samples) / nandBytes / 1e9),
              'Gsamples',
              of
            )
          : each(({ nandBytes }) => round(yearsIn(of, nandBytes)), 'years', of))
      }))
  )
}
console.log('')
for (const { trace } of found) {
  const traced = trace.steps.reduce((sum, { bytes }) => sum + bytes, 0)
  judge(
    `${trace.name}: trace off the counters`,
    Math.abs(traced / trace.deviceBytes - 1),
    '<=',
    traceFaultMax
  )
}
const own = found.find(({ trace }) => trace.name === 'varve')
if (own !== undefined) {
  judge('varve years, page', yearsIn(own, own.outcomes[0]!.nandBytes), '>=', yearsMin)
  for (const other of found) {
    if (other.trace.name.startsWith('varve') || isBulk(other.trace.name)) continue
    for (const [i, [name]] of mappings.entries()) {
      const [years, theirs] = [own, other].map(of => yearsIn(of, of.outcomes[i]!.nandBytes))
      judge(`varve years of ${other.trace.name}, ${name}`, years! / theirs!, '>=', 1, ' x')
    }
  }
}
