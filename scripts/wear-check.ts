// The wear ledger against the device: the daemon runs on an ext4 image of its own whose device counts every
// byte, and after each phase what /v1/wear says is held against it: a fresh start, a trickle of 50 samples/s,
// a bulk load with flushes, merges, rollups and retained messages, a kill after rollups and merges whose bytes were
// saved in no ledger, one amid rollups, one in the middle of a trickle, one in the middle of a bulk load, the starts
// after them, a clean stop.
//
// The ledger counts by cause and estimates what the file system adds (src/disk/metadata-cost.ts); the ratio
// ledger / device is the error of both. It needs root and loop devices, and says so where there are none.
//
//   node scripts/wear-check.ts [--trickle 60] [--bulk 400000] [--mount lazytime]
//                              [--program source|binary] [--dir DIR] [--varve "--flag value"]

import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectAsync } from 'mqtt'
import { benchArguments } from './bench-arguments.ts'
import { judge, printHead, printTable, round } from './bench-report.ts'
import { makeMedium } from './loop-disk.ts'
import { runLoad } from './mqtt-load.ts'
import { ask, type StatusAnswer, startVarve, type Varve } from './varve-process.ts'
import { jsonOf, standard, topicOf, Workload } from './workload.ts'

/** Segments of one day to be merged, and retained messages, which go to the key-value store and fill a memtable. */
const [mergedParts, linesOfPart] = [6, 5000]
/** Which days before today are rolled up: one whose ledger is saved, one that a kill follows, one that a kill cuts. */
const [savedDay, killedDay, cutDay] = [3, 4, 5]
const [retainedMessages, retainedBytes] = [1250, 16_000]
/** What reading the counters makes the file system write by itself, and edits that a kill leaves uncounted. */
const slackBytes = 128 * 1024
/** How long a bulk load runs before it is killed in the middle, s. */
const killedLoadS = 2
/** How long the device must stand still to count as settled, and how often it is asked, ms. */
const [settledMs, settleStepMs] = [600, 100]

interface Ledger {
  readonly bytes: Readonly<Record<string, number>>
}

const { program, flags, dir, number, text } = benchArguments(
  ['varve'],
  ['trickle', 'bulk', 'error'],
  ['mount']
)
const [trickleS, bulkMessages, errorMax] = [
  number('trickle', 60),
  number('bulk', 400_000),
  number('error', 0.1)
]
printHead('wear-check: the ledger against the counters of the device', {
  workload: `start; ${trickleS} s of ten five-field messages a second; ${round(bulkMessages)} messages as fast as they are taken, flushed; ${mergedParts} segments merged and rolled up, ${round(retainedMessages)} retained messages; as many merged and rolled up, ended by SIGKILL; as many, SIGKILL amid rollups; ${trickleS} s of trickle, ended by SIGKILL; a bulk load of ${killedLoadS} s, ended by SIGKILL; start; stop`,
  bounds: [
    `ledger / device within ${errorMax * 100} % for all together, and for each phase but for ${slackBytes / 1024} KiB`
  ]
})

const medium = makeMedium(dir, 'varve', 2 * 2 ** 30, text('mount') ?? 'defaults')
console.log(`device bytes: ${medium.how}`)
if (medium.flushes() === null) {
  console.log('skip  there is no loop device here: nothing to compare with')
  process.exit(0)
}
const start = () => startVarve({ program, dataDir: medium.path, flags })
const messages = new Workload({ ...standard, startMs: 0, late: 0 }).next()

/** Waits until the device is written to no more: what a start does behind the first answer is done. */
async function settle(varve: Varve): Promise<void> {
  let quietMs = 0
  for (let written = medium.writtenBytes(varve.pid), now = written; quietMs < settledMs; written = now) {
    await sleep(settleStepMs)
    now = medium.writtenBytes(varve.pid)
    quietMs = now === written ? quietMs + settleStepMs : 0
  }
}

async function trickle(varve: Varve, seconds: number): Promise<void> {
  const client = await connectAsync(`mqtt://127.0.0.1:${varve.mqttPort}`, { reconnectPeriod: 0 })
  client.on('error', () => {})
  const started = performance.now()
  for (let tick = 0; tick < seconds * 10; tick++) {
    const message = { ...messages[tick % messages.length]!, timeMs: Date.now() }
    client.publish(topicOf(message.device), jsonOf(message), { qos: 1 })
    await sleep(Math.max(0, started + (tick + 1) * 100 - performance.now()))
  }
  client.end(true)
}

/** Small segments of a day that is over, to be rolled up and merged. The last flush saves the ledger. */
async function fillDay(varve: Varve, daysAgo: number): Promise<void> {
  const thenMs = Math.floor(Date.now() / 86_400_000 - daysAgo) * 86_400_000
  for (let part = 0; part < mergedParts; part++) {
    const lines = Array.from({ length: linesOfPart }, (_, i) => {
      const timeMs = thenMs + (part * linesOfPart + i) * 500
      return `old,device=${i % 100} temperature=${(20 + (i % 37) / 10).toFixed(1)},total=${i} ${timeMs}`
    })
    const body = lines.join('\n')
    const answer = await fetch(`${varve.httpUrl}/write?precision=ms`, { method: 'POST', body })
    if (!answer.ok) throw new Error(`Cannot write: ${await answer.text()}`)
    await flush(varve)
  }
}

async function runJobs(varve: Varve): Promise<void> {
  const { jobs } = await ask<{ jobs: readonly { name: string }[] }>(varve, '/v1/status')
  for (const { name } of jobs) await post(varve, `/v1/run-job?name=${encodeURIComponent(name)}`)
}

const flush = (varve: Varve) => post(varve, '/v1/flush')

async function post(varve: Varve, path: string): Promise<void> {
  const answer = await fetch(`${varve.httpUrl}${path}`, { method: 'POST' })
  if (!answer.ok) throw new Error(`Cannot measure: ${path}: ${await answer.text()}`)
}

/** A day that is rolled up and merged, and retained messages. */
async function maintain(varve: Varve): Promise<void> {
  await fillDay(varve, savedDay)
  const client = await connectAsync(`mqtt://127.0.0.1:${varve.mqttPort}`, { reconnectPeriod: 0 })
  const payload = 'x'.repeat(retainedBytes)
  const retained = Array.from({ length: retainedMessages }, (_, i) =>
    client.publishAsync(`kept/${i}`, payload + i, { qos: 1, retain: true })
  )
  await Promise.all(retained)
  await client.endAsync()
  await runJobs(varve)
  // Entries go to their segment, and the ledger is saved, now and not in the middle of what is killed next: a
  // segment that is cut is removed at the start, and counted by nobody.
  await flush(varve)
}

/**
 * Another day is rolled up and merged, and then the process is killed: no flush saved the ledger since, so what those
 * jobs wrote is found again only as far as segments of it are there.
 */
async function maintainAndKill(varve: Varve): Promise<void> {
  await fillDay(varve, killedDay)
  const saved = await ledger(varve)
  await runJobs(varve)
  const known = await ledger(varve)
  for (const cause of ['rollup', 'merge'])
    if (!(known[cause]! > saved[cause]!)) throw new Error(`Cannot judge a kill: no ${cause} wrote anything`)
  console.log(`the ledger knew ${kib(total(known) - total(saved))} KiB of jobs that it was not saved with`)
  await varve.stop('SIGKILL')
}

/** The kill comes when a rollup has begun to write a segment: what is there of it is removed at the start. */
async function maintainAndCut(varve: Varve): Promise<void> {
  await fillDay(varve, cutDay)
  const { jobs } = await ask<{ jobs: readonly { name: string }[] }>(varve, '/v1/status')
  const { name } = jobs.find(job => job.name.startsWith('rollup'))!
  const segments = () => readdirSync(join(medium.path, 'segments')).length
  const before = segments()
  const cutOff = post(varve, `/v1/run-job?name=${encodeURIComponent(name)}`).then(
    () => false,
    () => true
  )
  while (segments() === before) await sleep(1)
  await varve.stop('SIGKILL')
  if (!(await cutOff)) throw new Error('Cannot judge a kill: the job ended before it')
}

/** The ledger's bytes by cause, all runs together; null while no daemon runs. */
async function ledger(varve: Varve): Promise<Record<string, number>> {
  return { ...(await ask<Ledger>(varve, '/v1/wear')).bytes }
}

const kib = (bytes: number) => round(bytes / 1024)
const total = (bytes: Readonly<Record<string, number>>) => Object.values(bytes).reduce((sum, n) => sum + n, 0)
const rows: Record<string, string | number>[] = []
const errors: { phase: string; error: number }[] = []
/** Device bytes of the phase that was noted last, beyond those that the ledger knows. */
let gapOfPhase = 0
let before: { ledger: Record<string, number>; device: number } = { ledger: {}, device: 0 }

function note(phase: string, bytes: Record<string, number>, device: number): void {
  const spent = total(bytes) - total(before.ledger)
  const ratio = spent / (device - before.device)
  const causes = Object.fromEntries(
    Object.keys(bytes).map(cause => [cause, round((bytes[cause]! - (before.ledger[cause] ?? 0)) / 1024)])
  )
  rows.push({
    phase,
    'device KiB': round((device - before.device) / 1024),
    'ledger KiB': round(spent / 1024),
    ratio: round(ratio),
    ...causes
  })
  const written = device - before.device
  gapOfPhase = written - spent
  errors.push({ phase, error: Math.max(0, Math.abs(spent - written) - slackBytes) / written })
  before = { ledger: bytes, device }
}

let varve = await start()
await settle(varve)
note('start', await ledger(varve), medium.writtenBytes(varve.pid))
await trickle(varve, trickleS)
note('trickle', await ledger(varve), medium.writtenBytes(varve.pid))
await runLoad({ port: varve.mqttPort, messages: bulkMessages })
await flush(varve)
note('bulk', await ledger(varve), medium.writtenBytes(varve.pid))
await maintain(varve)
note('merges, rollups, kv', await ledger(varve), medium.writtenBytes(varve.pid))
await maintainAndKill(varve)
varve = await start()
await settle(varve)
note('rollups, merges, kill, start', await ledger(varve), medium.writtenBytes(varve.pid))
console.log(`device beyond ledger after it: ${kib(gapOfPhase)} KiB`)
await maintainAndCut(varve)
varve = await start()
await settle(varve)
note('rollups cut, start', await ledger(varve), medium.writtenBytes(varve.pid))
console.log(`the same after a kill amid rollups: ${kib(gapOfPhase)} KiB`)
await trickle(varve, trickleS)
await varve.stop('SIGKILL')
const killed = medium.writtenBytes(varve.pid)
varve = await start()
await settle(varve)
note('trickle, kill, start', await ledger(varve), medium.writtenBytes(varve.pid))
console.log(`of it ${round((before.device - killed) / 1024)} KiB by the start after the kill`)
const cutOff = runLoad({ port: varve.mqttPort, seconds: killedLoadS + 5 }).then(
  ({ fault }) => fault !== null,
  () => true
)
const inMemory = async () => (await ask<StatusAnswer>(varve, '/v1/status')).store.samples_in_memory
for (const before = await inMemory(); (await inMemory()) === before; ) await sleep(50)
await sleep(killedLoadS * 1000)
await varve.stop('SIGKILL')
if (!(await cutOff)) throw new Error('Cannot judge a kill: the load ended before it')
varve = await start()
await settle(varve)
note('bulk, kill, start', await ledger(varve), medium.writtenBytes(varve.pid))
await trickle(varve, Math.min(trickleS, 5))
await varve.stop()
varve = await start()
await settle(varve)
note('short trickle, stop, start', await ledger(varve), medium.writtenBytes(varve.pid))
await varve.stop()
const walDir = join(medium.path, 'wal')
const walFileBytes = readdirSync(walDir).reduce((sum, name) => sum + statSync(join(walDir, name)).size, 0)
medium.close()

printTable(rows)
for (const { phase, error } of errors)
  judge(`${phase}: (|ledger - device| - ${slackBytes / 1024} KiB) / device`, error, '<=', errorMax)
// Making WAL files is most of a short run and the easiest to count: judged without it too.
const rest = (total(before.ledger) - walFileBytes) / (before.device - walFileBytes)
judge('all: |ledger / device - 1|', Math.abs(total(before.ledger) / before.device - 1), '<=', errorMax)
judge('all but the making of WAL files: |ledger / device - 1|', Math.abs(rest - 1), '<=', errorMax)
