// Makes the notes (V8's code cache) that start the executable fast: runs the bundle as a daemon once to have a
// WAL to replay, and once more to replay it, take samples and answer a query, and keeps what V8 compiled on
// the way. The node that will run them makes them: notes of another version or machine are not taken.
//
// This file is also what runs in that node: `node warm-up.cjs <bundle> <data directory> <notes or "">`.
// Not here: how notes are used (launcher.ts), when they are made (package.ts).
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { runScript, scriptOf } from './launcher.ts'

/** An emulator on a busy machine is slow. */
const startS = 600
const lines = Array.from(
  { length: 2000 },
  (_, i) => `warm,site=s${i % 20} a=${i / 10},b=${i}i,c="x",d=t`
).join('\n')

/** The notes of a bundle for one node. @param command  runs that node @throws what it says when it fails */
export function makeNotes(command: readonly string[], warmUp: string, bundle: string): Buffer {
  const dir = fs.mkdtempSync(join(os.tmpdir(), 'varve-notes-'))
  try {
    const [program, ...before] = command as [string, ...string[]]
    const notes = join(dir, 'notes')
    for (const into of ['', notes]) {
      execFileSync(program, [...before, warmUp, bundle, join(dir, 'data'), into], {
        stdio: ['ignore', 'ignore', 'pipe'],
        timeout: startS * 2000
      })
    }
    return fs.readFileSync(notes)
  } finally {
    fs.rmSync(dir, { recursive: true, force: true })
  }
}

/** What runs in the node that will run the notes. Ends like a crash, so that a WAL is left. */
export async function warmUp(bundle: string, dir: string, into: string): Promise<never> {
  const source = fs.readFileSync(bundle, 'latin1').replace(/^#!.*/, '')
  const script = scriptOf(source, undefined)
  const ports = ['--mqtt.port', '0', '--mqtt.ws_port', '0', '--http.port', '0']
  process.argv.splice(1, Infinity, 'varve', 'serve', '--data', dir, ...ports)
  runScript(script)
  const url = await readyAt(join(dir, 'run.json'))
  const written = await fetch(`${url}/write`, { method: 'POST', body: lines })
  const answer = await (await fetch(`${url}/v1/last?match=warm_a`)).text()
  if (written.status !== 204 || !answer.includes('"value"')) throw new Error(`Cannot warm up: ${answer}`)
  if (into !== '') fs.writeFileSync(into, script.createCachedData())
  process.exit(0)
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
