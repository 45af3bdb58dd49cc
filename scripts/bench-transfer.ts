// `varve export` and `varve import` of the standard workload in every form: rows a second, memory of the command and of
// the daemon meanwhile, and that what goes on after SIGKILL with --resume makes the same file and brings every sample.
//
//   node scripts/bench-transfer.ts [--samples 5000000] [--program source|binary] [--dir DIR]
//
// Columns: `rows/s` and `CPU s` of the command; `MB` its most resident memory, `daemon MB` what the daemon's most
// grew by while it ran; `B/sample` of the file.
// Guards, exit 1 when one fails: an export or import of any form holds at most 400 MB (the runtime alone has 60 to 90);
// an interrupted export, resumed, is the same file; an interrupted import, resumed, brings every sample once.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { FORMS, type Form } from '../src/transfer/form.ts'
import { benchArguments } from './bench-arguments.ts'
import { usage } from './bench-peers.ts'
import { judge, printHead, printTable, round } from './bench-report.ts'
import { ask, programs, startVarve, type Varve } from './varve-process.ts'
import { fieldsPerMessage, lineBodies, standard } from './workload.ts'

const MB_MAX = 400
const START_MS = 1_700_000_000_000

interface Ran {
  readonly seconds: number
  readonly cpuS: number
  readonly mb: number
  readonly wasKilled: boolean
}

const { dir, number, program } = benchArguments([], ['samples'])
const samples = number('samples', 5_000_000)

/** Runs a command to its end, or kills it when `until` says so. */
async function run(args: readonly string[], until: () => boolean = () => false): Promise<Ran> {
  const [command, ...before] = programs[program]
  const began = performance.now()
  const child = spawn(command!, [...before, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', piece => (said += piece))
  let isOver = false
  const ended = new Promise<number | null>(resolve => child.once('close', code => resolve(code)))
  void ended.then(() => (isOver = true))
  let [cpuS, mb, wasKilled] = [0, 0, false]
  while (!isOver) {
    try {
      const now = usage(child.pid!)
      cpuS = Math.max(cpuS, now.cpuS)
      if (now.rssPeakMb > mb) mb = now.rssPeakMb
    } catch {
      // It ended between the look and the read.
    }
    if (!wasKilled && until()) {
      child.kill('SIGKILL')
      wasKilled = true
    }
    await sleep(20)
  }
  const code = await ended
  if (code !== 0 && !wasKilled)
    throw new Error(`Cannot run ${args.join(' ')}: exit ${code}, ${said.slice(-500)}`)
  return { seconds: (performance.now() - began) / 1000, cpuS, mb, wasKilled }
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(file)) hash.update(piece as Buffer)
  return hash.digest('hex')
}

async function samplesIn(varve: Varve): Promise<number> {
  const { data: names } = await ask<{ data: string[] }>(varve, '/api/v1/label/__name__/values')
  let found = 0
  for (const name of names) {
    const query = encodeURIComponent(`sum(count_over_time(${name}[3y]))`)
    const { data } = await ask<{ data: { result: { value: [number, string] }[] } }>(
      varve,
      `/api/v1/query?query=${query}&time=${START_MS / 1000 + 3e7}`
    )
    found += Number(data.result[0]?.value[1] ?? 0)
  }
  return found
}

async function fill(varve: Varve): Promise<number> {
  let sent = 0
  for (const body of lineBodies({ ...standard, startMs: START_MS }, samples, 20_000)) {
    const reply = await fetch(`${varve.httpUrl}/write?precision=ms`, {
      method: 'POST',
      body: new Uint8Array(body.bytes)
    })
    if (reply.status !== 204) throw new Error(`Cannot write: ${reply.status} ${await reply.text()}`)
    sent += body.samples
  }
  await fetch(`${varve.httpUrl}/v1/flush`, { method: 'POST' })
  return sent
}

printHead('bench-transfer: export and import', {
  workload: `${samples.toLocaleString('en-US')} samples of the standard workload, ${fieldsPerMessage} a row, ${program}`,
  bounds: [`at most ${MB_MAX} MB resident`, 'resumed after SIGKILL: the same file, every sample once']
})
const flags = ['--retention.default', 'forever', '--rollup.tiers', '[]', '--query.series_max', '1000000']
const varve = await startVarve({ program, dataDir: join(dir, 'from'), flags })
const table: Record<string, string | number>[] = []
const verdicts: (() => void)[] = []

function add(what: string, form: Form, ran: Ran, rows: number, file: string, grownMb: number): void {
  table.push({
    what,
    form,
    'rows/s': round(rows / ran.seconds),
    'CPU s': ran.cpuS.toFixed(1),
    MB: round(ran.mb),
    'daemon MB': round(grownMb),
    'B/sample': (statSync(file).size / rows / fieldsPerMessage).toFixed(2)
  })
  verdicts.push(() => judge(`${what} ${form}: resident`, ran.mb, '<=', MB_MAX, ' MB'))
}

try {
  const sent = await fill(varve)
  const rows = sent / fieldsPerMessage
  const stored = await samplesIn(varve)
  verdicts.push(() => judge('samples stored, of those sent', stored / sent, '>=', 1))
  for (const form of FORMS) {
    const whole = join(dir, `whole.${form}`)
    const before = usage(varve.pid).rssMb
    add(
      'export',
      form,
      await run(['export', '--url', varve.httpUrl, whole]),
      rows,
      whole,
      usage(varve.pid).rssPeakMb - before
    )

    const cut = join(dir, `cut.${form}`)
    const state = `${cut}.part.json`
    const killed = await run(['export', '--url', varve.httpUrl, cut], () => existsSync(state))
    if (killed.wasKilled) await run(['export', '--url', varve.httpUrl, '--resume', cut])
    // Where row groups of Parquet end is not the same, so what it holds is compared below.
    const isSame = form === 'parquet' || (await hashOf(cut)) === (await hashOf(whole))
    verdicts.push(() =>
      judge(
        `export ${form}, ${killed.wasKilled ? 'killed and resumed' : 'not killed in time'}: the same`,
        Number(isSame),
        '>=',
        1
      )
    )

    const to = await startVarve({ program, dataDir: join(dir, `to-${form}`), flags })
    try {
      const progress = `${cut}.import.json`
      const first = await run(['import', '--url', to.httpUrl, cut], () => existsSync(progress))
      const rest = first.wasKilled ? await run(['import', '--url', to.httpUrl, '--resume', cut]) : first
      const brought = await samplesIn(to)
      verdicts.push(() =>
        judge(
          `import ${form}, ${first.wasKilled ? 'killed and resumed' : 'not killed in time'}: samples of all`,
          brought / stored,
          '>=',
          1
        )
      )
      verdicts.push(() => judge(`import ${form}: samples too many`, brought - stored, '<=', 0))
      const both = {
        ...rest,
        seconds: first === rest ? rest.seconds : first.seconds + rest.seconds,
        cpuS: first === rest ? rest.cpuS : first.cpuS + rest.cpuS,
        mb: Math.max(first.mb, rest.mb)
      }
      add('import', form, both, rows, cut, usage(to.pid).rssPeakMb)
    } finally {
      await to.stop()
    }
  }
} finally {
  await varve.stop()
}
printTable(table)
for (const verdict of verdicts) verdict()
