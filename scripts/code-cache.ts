// Makes the notes (V8's code cache) that start the executable fast: runs the bundle as a daemon once to have a
// WAL to replay, and once more to replay it, take samples, write segments and answer queries, and keeps what V8
// compiled on the way, in the main thread and in the thread that answers. The node that will run them makes
// them: notes of another version or machine are not taken.
//
// This file is also what runs in that node: `node warm-up.cjs <bundle> <threads' bundle> <data directory> <notes or "">`,
// and in its threads.
// Not here: how notes are used (launcher.ts), when they are made (package.ts).
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import threads, { BroadcastChannel, isMainThread, type WorkerOptions } from 'node:worker_threads'
import { type Piece, type PieceName, runScript, scriptOf } from './launcher.ts'

/** An emulator on a busy machine is slow. */
const startS = 600
/** Of the thread whose notes are kept (daemon/workers.ts). */
const queryThread = 'query-0'
const channelName = 'varve-notes'
/** Two devices, a sample each second: so many that tiers are read, and chunks of them are packed. */
const rows = 10_000

function lines(endMs: number): string {
  return Array.from({ length: rows * 2 }, (_, i) => {
    const row = i >>> 1
    const fields = `a=${(row % 2000) / 10},b=${row}i,c="x",d=t`
    return `warm,site=s${i % 2} ${fields} ${endMs - (rows - 1 - row) * 1000}000000`
  }).join('\n')
}

/** What a thread is told, as a global of its own. */
interface ThreadNotes {
  /** The file of its bundle. */
  readonly bundle: string
  /** Where its notes go; empty: they are not kept. */
  readonly into: string
}

declare global {
  var varveThreadNotes: ThreadNotes | undefined
}

/** What is asked, and what of the answer tells that it is none of nothing. START is an hour before END, both whole. */
const questions: readonly (readonly [path: string, told: string])[] = [
  ['/v1/last?match=warm_a', '"value":'],
  ['/v1/range?match=warm_a&from=-1h', ',199.9]'],
  ['/v1/range?match=warm_a&from=-1h&step=5m&fn=avg,min,max,count,last&by=site', '"rows":[['],
  ['/v1/range?match=warm_a&from=-2h&step=5m&fn=avg,min,max,count', '"rows":[['],
  ['/v1/series?match=warm_a', 'warm_a'],
  ['/api/v1/query?query=warm_a', 'warm_a'],
  ['/api/v1/query?query=warm_a[30m]', '"199.9"'],
  ['/api/v1/query?query=topk(2,max_over_time(warm_a[1h]))', '"199.9"'],
  ['/api/v1/query?query=sum(count_over_time(warm_a[2h]))', '"value":['],
  ['/api/v1/query_range?query=avg(avg_over_time(warm_a[5m]))&start=START&end=END&step=300', '"values":[['],
  ['/api/v1/query_range?query=sum(rate(warm_b[5m]))by(site)&start=START&end=END&step=300', '"values":[['],
  ['/api/v1/query_range?query=warm_a{site="s1"}&start=START&end=END&step=15', '"values":[['],
  ['/api/v1/labels', 'site'],
  ['/query?db=varve&q=SELECT+mean(a)+FROM+warm+WHERE+time+>+now()-1h+GROUP+BY+time(5m)', '"values":[[']
]

/** The notes of the bundles for one node. @param command  runs that node @throws what it says when it fails */
export function makeNotes(
  command: readonly string[],
  warmUp: string,
  bundle: Readonly<Record<PieceName, string>>
): Record<PieceName, Buffer> {
  const dir = fs.mkdtempSync(join(os.tmpdir(), 'varve-notes-'))
  try {
    const [program, ...before] = command as [string, ...string[]]
    const notes = join(dir, 'notes')
    for (const into of ['', notes]) {
      execFileSync(program, [...before, warmUp, bundle.main, bundle.worker, join(dir, 'data'), into], {
        stdio: ['ignore', 'ignore', 'pipe'],
        timeout: startS * 2000
      })
    }
    return { main: fs.readFileSync(notes), worker: fs.readFileSync(workerNotes(notes)) }
  } finally {
    fs.rmSync(dir, { recursive: true, force: true })
  }
}

function workerNotes(notes: string): string {
  return `${notes}.worker`
}

/** What runs in the node that will run the notes. Ends like a crash, so that a WAL is left. */
export async function warmUp(bundle: string, worker: string, dir: string, into: string): Promise<never> {
  const script = scriptOf('main', piece(bundle))
  const ports = ['--mqtt.port', '0', '--mqtt.ws_port', '0', '--http.port', '0']
  process.argv.splice(1, Infinity, 'varve', 'serve', '--data', dir, ...ports)
  const required = requireWith(({ name }) => {
    const isKept = into !== '' && name === queryThread
    const told: ThreadNotes = { bundle: worker, into: isKept ? workerNotes(into) : '' }
    return `globalThis.varveThreadNotes = ${JSON.stringify(told)}; require(${JSON.stringify(__filename)})`
  })
  runScript('main', script, required)
  const url = await readyAt(join(dir, 'run.json'))
  const written = await fetch(`${url}/write`, { method: 'POST', body: lines(Date.now()) })
  if (written.status !== 204) throw new Error(`Cannot warm up: ${written.status} ${await written.text()}`)
  await askAll(url)
  if (into !== '') {
    const { jobs } = (await (await fetch(`${url}/v1/status`)).json()) as { jobs: { name: string }[] }
    const rollups = jobs.map(({ name }) => name).filter(name => name.startsWith('rollup'))
    const jobPaths = ['merge', ...rollups].map(name => `/v1/run-job?name=${encodeURIComponent(name)}`)
    for (const path of ['/v1/flush', ...jobPaths]) {
      const done = await fetch(`${url}${path}`, { method: 'POST' })
      if (!done.ok) throw new Error(`Cannot warm up: ${path}: ${done.status} ${await done.text()}`)
    }
    await askAll(url)
    await takeWorkerNotes(workerNotes(into))
    fs.writeFileSync(into, script.createCachedData())
  }
  process.exit(0)
}

async function askAll(url: string): Promise<void> {
  const end = Math.floor(Date.now() / 300_000) * 300
  for (const [question, told] of questions) {
    const path = question.replace('START', String(end - 3600)).replace('END', String(end))
    const answer = await fetch(`${url}${path}`)
    const text = await answer.text()
    if (!answer.ok || !text.includes(told)) {
      throw new Error(`Cannot warm up: ${path}: ${answer.status} ${text.slice(0, 300)}`)
    }
  }
}

async function takeWorkerNotes(into: string): Promise<void> {
  const channel = new BroadcastChannel(channelName)
  channel.postMessage('')
  for (const until = performance.now() + startS * 1000; performance.now() < until; await sleep(20)) {
    if (fs.existsSync(into)) return channel.close()
  }
  throw new Error(`Cannot warm up: no thread is named ${queryThread}`)
}

/** What runs in the threads of the warm-up. */
export function noteWorker(): void {
  const { bundle, into } = globalThis.varveThreadNotes!
  const script = scriptOf('worker', piece(bundle))
  runScript('worker', script)
  if (into === '') return
  const channel = new BroadcastChannel(channelName)
  channel.onmessage = () => {
    fs.writeFileSync(`${into}.new`, script.createCachedData())
    fs.renameSync(`${into}.new`, into)
  }
  channel.unref()
}

/** What V8 compiles of a bundle's text, and makes its notes of. */
export function sourceOf(text: string): string {
  return text.replace(/^#!.*/, '')
}

function piece(bundle: string): Piece {
  return { source: sourceOf(fs.readFileSync(bundle, 'latin1')), notes: Buffer.alloc(0) }
}

/** What a bundle requires, with threads that start by another text than the one it gives them. */
function requireWith(start: (options: WorkerOptions) => string): NodeJS.Require {
  class NotedWorker extends threads.Worker {
    constructor(_code: string | URL, options: WorkerOptions = {}) {
      super(start(options), options)
    }
  }
  const noted = { ...threads, Worker: NotedWorker }
  const isThreads = (id: string) => id === 'worker_threads' || id === 'node:worker_threads'
  return Object.assign((id: string) => (isThreads(id) ? noted : require(id)), require)
}

/** The entry of warm-up.cjs. */
export function main(): void {
  if (!isMainThread) noteWorker()
  else void warmUp(...(process.argv.slice(2) as [string, string, string, string]))
}

async function readyAt(runFile: string): Promise<string> {
  for (const until = performance.now() + startS * 1000; performance.now() < until; await sleep(20)) {
    if (!fs.existsSync(runFile)) continue
    const { pid, http } = JSON.parse(fs.readFileSync(runFile, 'utf8'))
    if (pid !== process.pid) continue
    const url = `http://127.0.0.1:${typeof http === 'number' ? http : http.port}`
    if ((await fetch(`${url}/ready`)).ok) return url
  }
  throw new Error(`Cannot warm up: not ready after ${startS} s`)
}
