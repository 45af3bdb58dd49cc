// The crash matrix: cuts of power at every write of whole lives, a medium that fails or is full at every
// operation, bytes that change at rest. After each the store is opened and read whole, and every acknowledged
// sample and entry is compared.
//
//   node scripts/crash-matrix.ts [--cuts 100000] [--faults 5000] [--flips 10000] [--sectors 1000] [--jobs 2]
//   node scripts/crash-matrix.ts --only cuts,faults,flips,sectors    some parts
//   node scripts/crash-matrix.ts --seed N [--only cuts]              replays the one that VARVE_SEED=N named
//   node scripts/crash-matrix.ts --plant all                         plants faults, and says when each is found
//
// What is tried, and what counts as wrong, is in test/kit/cut-matrix.ts, fault-matrix.ts and flip-matrix.ts.

import { type ChildProcess, fork } from 'node:child_process'
import { parseArgs } from 'node:util'
import {
  addRows,
  failuresOf,
  PARTS,
  type Part,
  type Row,
  type Rows,
  seedOf,
  type Task
} from '../test/kit/matrix-task.ts'
import { PLANTS, type PlantName, showsInFlips } from '../test/kit/plants.ts'
import { judge, printHead, printTable, round } from './bench-report.ts'
import type { Answer } from './crash-worker.ts'

const text = { type: 'string' } as const
const { values } = parseArgs({
  options: {
    cuts: text,
    faults: text,
    flips: text,
    sectors: text,
    jobs: text,
    only: text,
    seed: text,
    plant: text
  }
})
const wanted: Readonly<Record<Part, number>> = {
  cuts: Number(values.cuts ?? 100_000),
  faults: Number(values.faults ?? 5_000),
  flips: Number(values.flips ?? 10_000),
  sectors: Number(values.sectors ?? 1_000)
}
const parts = (values.only?.split(',') ?? [...PARTS]) as Part[]
const jobs = Number(values.jobs ?? 2)
for (const number of [...Object.values(wanted), jobs, Number(values.seed ?? 1)]) {
  if (!Number.isSafeInteger(number) || number < 1)
    throw new Error(`Cannot take ${number}: not a whole number`)
}
for (const part of parts)
  if (!PARTS.includes(part)) throw new Error(`Cannot try ${part}: know ${PARTS.join(', ')}`)

/** Flips of one store; making it costs some of them. */
const FLIPS_OF_A_TASK = 250
/** How many a task has, about: cuts of a life, faults of a seed. */
const EXPECTED: Readonly<Record<Part, number>> = {
  cuts: 2000,
  faults: 300,
  flips: FLIPS_OF_A_TASK,
  sectors: FLIPS_OF_A_TASK
}
/** A planted fault that is not found after so many is not found. */
const PLANT_TRIES_MAX = 5_000

/** What is to be done, lives of each part in turn, without end: the parent stops when enough was tried. */
function* tasksOf(part: Part): Generator<Task> {
  for (let seed = 1; ; seed++) {
    yield {
      part,
      seed,
      limit: part === 'cuts' || part === 'faults' ? Number.MAX_SAFE_INTEGER : FLIPS_OF_A_TASK
    }
  }
}

function startWorker(plant?: PlantName): ChildProcess {
  const planted = plant === undefined ? [] : ['--plant', plant]
  const child = fork(new URL('crash-worker.ts', import.meta.url), planted, { stdio: 'inherit' })
  child.on('exit', code => {
    if (code !== 0 && code !== null) process.exit(code)
  })
  return child
}

let cpuSeconds = 0

/** Does a task in a worker process; resolves with its rows. */
function ask(child: ChildProcess, task: Task): Promise<Rows> {
  return new Promise(resolve => {
    child.once('message', answer => {
      const { rows, seconds } = answer as Answer
      cpuSeconds += seconds
      resolve(rows)
    })
    child.send(task)
  })
}

function triedIn(rows: Rows): number {
  return Object.values(rows).reduce((sum, row) => sum + row.tried, 0)
}

async function runPart(part: Part, workers: readonly ChildProcess[], sum: Rows): Promise<void> {
  const tasks = tasksOf(part)
  const startMs = Date.now()
  let toldMs = startMs
  let [tried, given] = [0, 0]
  await Promise.all(
    workers.map(async worker => {
      while (tried + given < wanted[part]) {
        const task = tasks.next().value as Task
        const limit = Math.min(task.limit, wanted[part] - tried - given)
        // How many a life will have is known when it was lived.
        const expected = Math.min(limit, EXPECTED[part])
        given += expected
        const rows = await ask(worker, { ...task, limit })
        given -= expected
        tried += triedIn(rows)
        addRows(sum, rows)
        for (const failure of failuresOf(rows)) console.error(failure)
        if (Date.now() - toldMs < 10_000) continue
        toldMs = Date.now()
        console.error(`${part}: ${tried} of ${wanted[part]} in ${round((toldMs - startMs) / 1000)} s`)
      }
    })
  )
  console.log(`${part.padEnd(8)}  ${tried} in ${round((Date.now() - startMs) / 1000)} s`)
}

function columns(row: Row): Record<string, number | string> {
  const { tried, samples, entries, lost, invented, wrong, named, harmless, tornTail, older } = row
  return {
    ...{ tried, samples, entries, lost, invented, 'otherwise wrong': wrong, named, harmless },
    ...{ 'like a torn tail': tornTail, 'older value, named': older }
  }
}

function report(rows: Rows): void {
  console.log('')
  printTable(Object.entries(rows).map(([name, row]) => ({ name, ...columns(row) })))
  console.log(`${round(cpuSeconds)} CPU seconds`)
  for (const failure of failuresOf(rows)) console.log(failure)
  const sum = (key: 'lost' | 'invented' | 'wrong') =>
    Object.values(rows).reduce((all, row) => all + row[key], 0)
  for (const key of ['lost', 'invented', 'wrong'] as const) judge(key, sum(key), '<=', 0)
}

/** Tries all parts; Ctrl-C ends it with the table of what was tried until then. */
async function tryAll(): Promise<void> {
  printHead('Crash matrix', {
    workload: `${parts.map(part => `${wanted[part]} ${part}`).join(', ')}; ${jobs} processes`,
    bounds: ['nothing acknowledged is lost, nothing invented, nothing otherwise wrong']
  })
  const rows: Rows = {}
  const workers = Array.from({ length: jobs }, () => startWorker())
  process.once('SIGINT', () => {
    report(rows)
    for (const worker of workers) worker.kill()
    process.exit(1)
  })
  for (const part of parts) await runPart(part, workers, rows)
  for (const worker of workers) worker.disconnect()
  report(rows)
}

async function replay(number: number): Promise<void> {
  const part = parts.length === PARTS.length ? 'cuts' : parts[0]!
  const worker = startWorker(values.plant as PlantName | undefined)
  const limit = Number.MAX_SAFE_INTEGER
  const planted = values.plant === undefined ? {} : { plant: values.plant as PlantName }
  const rows = await ask(worker, { part, seed: seedOf(part, number), limit, only: number, ...planted })
  worker.disconnect()
  printTable(Object.entries(rows).map(([name, row]) => ({ name, ...columns(row) })))
  for (const failure of failuresOf(rows)) console.log(failure)
  if (failuresOf(rows).length > 0) process.exitCode = 1
}

/** Plants each fault and counts the tries until something is wrong. */
async function plantAll(names: readonly PlantName[]): Promise<void> {
  printHead('Crash matrix with planted faults', {
    workload: 'cuts (flips for the checksum) until the fault is found',
    bounds: [`each is found within ${PLANT_TRIES_MAX}`]
  })
  const rows: Record<string, string | number>[] = []
  for (const plant of names) {
    const worker = startWorker(plant)
    const part: Part = showsInFlips(plant) ? 'flips' : 'cuts'
    const found = await ask(worker, { part, seed: 1, limit: PLANT_TRIES_MAX, plant })
    worker.disconnect()
    const first = failuresOf(found)[0]
    rows.push({
      planted: plant,
      what: PLANTS[plant],
      'found after': first === undefined ? 'never' : triedIn(found),
      part
    })
    if (first === undefined) process.exitCode = 1
    else console.log(`${plant}: ${first.slice(0, 160)}`)
  }
  console.log('')
  printTable(rows)
}

if (values.seed !== undefined) await replay(Number(values.seed))
else if (values.plant !== undefined) {
  const names = (values.plant === 'all' ? Object.keys(PLANTS) : values.plant.split(',')) as PlantName[]
  for (const name of names) {
    if (!Object.hasOwn(PLANTS, name))
      throw new Error(`Cannot plant ${name}: know ${Object.keys(PLANTS).join(', ')}`)
  }
  await plantAll(names)
} else await tryAll()
