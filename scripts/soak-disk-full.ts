// A medium that is full for real: a small ext4 on a loop device.
//
//   turnover  three retention classes are written day by day, several times what the medium holds, with SIGKILL
//             on the way: ingest goes on, the oldest bucket of the class with the most to spare goes first, and
//             whatever was acknowledged and not dropped is there, every day whole
//   foreign   a file of somebody else fills the medium while only today's samples are stored, which no policy
//             drops: HTTP is told 507, MQTT a reason; when the file goes samples are taken again, by themselves,
//             and everything acknowledged is there
//
//   node scripts/soak-disk-full.ts [--only turnover,foreign] [--mib 128] [--times 2]
//                                  [--program source|binary] [--dir DIR]
//
// It needs root and loop devices. Values are random doubles, which no codec shrinks.

import { execFileSync } from 'node:child_process'
import { rmSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../src/base/random.ts'
import { benchArguments } from './bench-arguments.ts'
import { judge, printHead, printTable } from './bench-report.ts'
import { makeMedium } from './loop-disk.ts'
import { runSoakLoad } from './soak-load.ts'
import { ask, countSamples, metric, startVarve, type Varve } from './varve-process.ts'

const mib = 2 ** 20
const dayMs = 86_400_000
const names = ['turnover', 'foreign'] as const
const bench = benchArguments(names, ['mib', 'times'])
const mediumBytes = bench.number('mib', 128) * mib
const times = bench.number('times', 2)
// Short waits: the wear budget of so small a medium bears no early syncs, and this is about space.
const flags = [
  '--ack.delay_max',
  '20ms',
  '--data.reserve',
  '32MiB',
  '--wal.file_size',
  '8MiB',
  '--wal.size_max',
  '32MiB'
]
const days = 45
const rowsPerBody = 50_000
const rowBytes = 8.2

/** How long each class is kept, in days: the shorter, the more of its time a bucket has used up. */
const classes = { short: 120, middle: 240, long: 480 } as const
type Class = keyof typeof classes
const classNames = Object.keys(classes) as Class[]
const rules = classNames.map(
  name => `{ name = "${name}", series = "${name}_.*", keep = "${classes[name]}d", bucket = "1d" }`
)

const random = new Random(1)

/** Lines of one class, a millisecond apart. */
function body(name: Class, fromMs: number): string {
  let text = ''
  for (let i = 0; i < rowsPerBody; i++)
    text += `${name} v=${random.unit() + random.unit() / 2 ** 32} ${fromMs + i}\n`
  return text
}

/** What one class has of one day. */
interface Day {
  readonly dayMs: number
  readonly name: Class
  sent: number
  acked: number
}

/** Posts until it is taken; returns how often it was told to try again, and what it was told. */
async function post(varve: Varve, text: string): Promise<number[]> {
  const refusals: number[] = []
  for (;;) {
    const reply = await fetch(`${varve.httpUrl}/write?precision=ms`, { method: 'POST', body: text })
    if (reply.status === 204) return refusals
    if (reply.status !== 503 && reply.status !== 507)
      throw new Error(`Cannot write: ${reply.status} ${await reply.text()}`)
    if (reply.headers.get('retry-after') === null) throw new Error('A refusal without Retry-After')
    await reply.arrayBuffer()
    refusals.push(reply.status)
    if (refusals.length > 120) throw new Error('Ingest does not go on: refused for two minutes')
    await sleep(1000)
  }
}

/** Samples of a class by day. */
async function daysOf(varve: Varve, name: Class): Promise<Map<number, number>> {
  const { series } = await ask<{ series: { rows: [number, number][] }[] }>(
    varve,
    `/v1/range?match=${name}_v&step=1d&fn=count&by=&tier=raw`
  )
  return new Map(series.flatMap(({ rows }) => rows).map(([us, count]) => [us / 1000, count]))
}

async function turnover(): Promise<void> {
  const medium = makeMedium(bench.dir, 'turnover', mediumBytes)
  const start = () =>
    startVarve({
      program: bench.program,
      dataDir: medium.path,
      flags,
      env: { VARVE_RETENTION__RULES: `[${rules.join(', ')}]` }
    })
  let varve = await start()
  const said: string[] = []
  const bodiesPerDay = Math.max(
    1,
    Math.round((times * mediumBytes) / rowBytes / rowsPerBody / days / classNames.length)
  )
  const firstMs = Math.floor(Date.now() / dayMs) * dayMs - (days + 1) * dayMs
  const written: Day[] = []
  const refusals: number[] = []
  let [slowestMs, kills, fullSeen] = [0, 0, 0]
  for (let number = 0; number < days; number++) {
    const of = firstMs + number * dayMs
    for (const name of classNames) {
      const day: Day = { dayMs: of, name, sent: 0, acked: 0 }
      written.push(day)
      for (let i = 0; i < bodiesPerDay; i++) {
        const text = body(name, of + i * rowsPerBody)
        day.sent += rowsPerBody
        const started = performance.now()
        refusals.push(...(await post(varve, text)))
        slowestMs = Math.max(slowestMs, performance.now() - started)
        day.acked += rowsPerBody
      }
    }
    const metrics = await (await fetch(`${varve.httpUrl}/metrics`)).text()
    if (metric(metrics, 'varve_medium_low') === 1) fullSeen++
    // While it is full, and again later: with a body under way.
    if (number === Math.floor(days * 0.7) || number === Math.floor(days * 0.9)) {
      const last = written.at(-1)!
      const under = body(last.name, of + bodiesPerDay * rowsPerBody)
      last.sent += rowsPerBody
      const lost = fetch(`${varve.httpUrl}/write?precision=ms`, { method: 'POST', body: under }).then(
        reply => reply.status === 204,
        () => false
      )
      await sleep(30)
      said.push(varve.said())
      await varve.stop('SIGKILL')
      if (await lost) last.acked += rowsPerBody
      kills++
      varve = await start()
    }
  }
  const rows = written.reduce((sum, day) => sum + day.acked, 0)
  console.log(
    `${rows} rows acknowledged, ${refusals.length} refusals (${[...new Set(refusals)].join(', ') || 'none'}), slowest body ${Math.round(slowestMs)} ms, ${kills} SIGKILLs, low at the end of ${fullSeen} days`
  )
  await judgeDays(varve, written)
  said.push(varve.said())
  await varve.stop()
  const loud = said.join('').match(/the medium is full/g)?.length ?? 0
  judge('turnover: lines of the log that name dropped buckets', loud, '>=', 1)
  medium.close()
}

/** Every day is there whole or dropped whole, and what was dropped was to go before what is there. */
async function judgeDays(varve: Varve, written: readonly Day[]): Promise<void> {
  const found = new Map(
    await Promise.all(classNames.map(async name => [name, await daysOf(varve, name)] as const))
  )
  const count = ({ name, dayMs: at }: Day) => found.get(name)!.get(at) ?? 0
  const torn = written.filter(day => count(day) > 0 && (count(day) < day.acked || count(day) > day.sent))
  const gone = written.filter(day => count(day) === 0)
  // When one was dropped, an older or equally old one of a class with less to spare stood behind it.
  const nowMs = Date.now()
  const spent = ({ name, dayMs: at }: Day) => (nowMs - at) / classes[name]
  const wrong = written.filter(
    kept => count(kept) > 0 && gone.some(drop => kept.dayMs <= drop.dayMs && spent(kept) > spent(drop))
  )
  printTable(
    classNames.map(name => ({
      class: name,
      'kept for days': classes[name],
      'days written': days,
      'days there': written.filter(day => day.name === name && count(day) > 0).length
    }))
  )
  judge('turnover: days dropped', gone.length, '>=', 1)
  judge('turnover: days that are there in part', torn.length, '<=', 0)
  judge('turnover: days kept before one with less to spare', wrong.length, '<=', 0)
}

async function foreign(): Promise<void> {
  const medium = makeMedium(bench.dir, 'foreign', mediumBytes)
  const varve = await startVarve({ program: bench.program, dataDir: join(medium.path, 'data'), flags })
  const load = { port: varve.mqttPort, topics: 500, fields: 5, rate: 2_000 }
  const outcomes = [await runSoakLoad({ ...load, seconds: 5 })]
  const { bavail, bsize } = statfsSync(medium.path)
  const file = join(medium.path, 'somebody-elses')
  execFileSync('fallocate', ['-l', String(bavail * bsize - 4 * mib), file])
  await sleep(3_000)
  outcomes.push(await runSoakLoad({ ...load, seconds: 5 }))
  const told = await fetch(`${varve.httpUrl}/write`, { method: 'POST', body: 'probe v=1' })
  const health = await fetch(`${varve.httpUrl}/health`)
  const why = (await health.text()).slice(0, 300)
  const metrics = await (await fetch(`${varve.httpUrl}/metrics`)).text()
  rmSync(file)
  const freed = performance.now()
  while (!(await fetch(`${varve.httpUrl}/health`)).ok && performance.now() - freed < 30_000) await sleep(50)
  const recoveredMs = performance.now() - freed
  outcomes.push(await runSoakLoad({ ...load, seconds: 5 }))
  const stored = outcomes.reduce((sum, one) => sum + one.stored * 5, 0)
  const before = await countSamples(varve)
  await varve.stop('SIGKILL')
  const again = await startVarve({ program: bench.program, dataDir: join(medium.path, 'data'), flags })
  const after = await countSamples(again)
  await again.stop()
  printTable(
    outcomes.map(({ sent, stored, refused }, i) => ({
      medium: ['free', 'full', 'free again'][i]!,
      sent,
      stored,
      refused: Object.entries(refused)
        .map(([code, n]) => `${code}: ${n}`)
        .join(' ')
    }))
  )
  console.log(`health ${health.status}: ${why}`)
  judge('foreign: status of /write while full', told.status, '>=', 507)
  judge('foreign: Retry-After of it, s', Number(told.headers.get('retry-after') ?? -1), '>=', 1)
  judge('foreign: refusals with reason 0x97', outcomes[1]!.refused['0x97'] ?? 0, '>=', 1)
  judge('foreign: varve_medium_full', metric(metrics, 'varve_medium_full'), '>=', 1)
  judge('foreign: until samples are taken again', recoveredMs, '<=', 5_000, ' ms')
  judge('foreign: refusals after that', Object.keys(outcomes[2]!.refused).length, '<=', 0)
  judge('foreign: samples found that were acknowledged', before - stored, '>=', 0)
  judge('foreign: the same after SIGKILL', after - stored, '>=', 0)
  medium.close()
}

printHead('soak: a full medium', {
  bounds: ['ingest goes on; nothing that was acknowledged is missing but by the stated policy'],
  workload: `${mediumBytes / mib} MiB of ext4, filled ${times} times`
})
for (const name of bench.names) await (name === 'turnover' ? turnover() : foreign())
