// Compares varve's InfluxQL with a real InfluxDB on the same random lines: starts both, writes to both, asks
// both the same statements, and prints what agrees and each difference.
//
//   node scripts/influxql-oracle.ts [--seed=1] [--random=300] [--query=text ...] [--only=text] [--show=40]
//
// Numbers agree within 1e-9 relative. Rows of one time in a plain SELECT may come in any order: InfluxDB's own
// depends on its index. Two errors agree when both are errors, whatever they say. `explained` counts answers
// that differ where varve means to: see isExplained() and isTied().
// Exit: 0 none differs, 1 else.

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Random } from '../src/base/random.ts'
import { randomLines, randomStatement, systematic } from './influxql-queries.ts'
import { startVarve } from './varve-process.ts'

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    random: { type: 'string', default: '300' },
    query: { type: 'string', multiple: true },
    only: { type: 'string' },
    show: { type: 'string', default: '40' }
  }
})
const TOLERANCE = 1e-9

interface Series {
  readonly name?: string
  readonly tags?: Readonly<Record<string, string>>
  readonly columns: readonly string[]
  readonly values: readonly (readonly unknown[])[]
}

interface Answer {
  readonly error?: string
  readonly results?: readonly { readonly error?: string; readonly series?: readonly Series[] }[]
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('Cannot find a free port')
  return address.port
}

async function startInflux(dir: string): Promise<{ url: string; stop(): Promise<void> }> {
  const [port, rpc] = [await freePort(), await freePort()]
  const file = join(dir, 'influxdb.conf')
  const config = [
    'reporting-disabled = true',
    `bind-address = "127.0.0.1:${rpc}"`,
    `[meta]\ndir = "${dir}/meta"`,
    `[data]\ndir = "${dir}/data"\nwal-dir = "${dir}/wal"\nquery-log-enabled = false`,
    `[http]\nbind-address = "127.0.0.1:${port}"\nlog-enabled = false\nflux-enabled = false`,
    '[monitor]\nstore-enabled = false',
    '[logging]\nlevel = "error"'
  ]
  writeFileSync(file, config.join('\n'))
  const child = spawn('influxd', ['-config', file], { stdio: 'ignore' })
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
  const url = `http://127.0.0.1:${port}`
  for (let i = 0; ; i++) {
    const isReady = await fetch(`${url}/ping`).then(
      ({ ok }) => ok,
      () => false
    )
    if (isReady) break
    if (i > 300 || child.exitCode !== null) throw new Error('Cannot start influxd: not ready within 30 s')
    await sleep(100)
  }
  return {
    url,
    stop: async () => {
      child.kill('SIGKILL')
      await ended
    }
  }
}

async function ask(url: string, q: string): Promise<Answer> {
  const reply = await fetch(`${url}/query`, { method: 'POST', body: new URLSearchParams({ db: 'mydb', q }) })
  const text = await reply.text()
  try {
    return JSON.parse(text)
  } catch {
    return { error: `no JSON: ${text.slice(0, 200)}` }
  }
}

function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'number' || typeof b !== 'number') return false
  return Math.abs(a - b) <= TOLERANCE * Math.max(Math.abs(a), Math.abs(b), 1e-3)
}

/** Rows of one time in an order of their own, where a plain SELECT may give them in any. */
function ordered(values: Series['values'], isPlain: boolean): Series['values'] {
  if (!isPlain) return values
  const text = (row: readonly unknown[]) => JSON.stringify(row)
  return values
    .map((row, at) => ({ row, at }))
    .sort((a, b) => (a.row[0] === b.row[0] ? (text(a.row) < text(b.row) ? -1 : 1) : a.at - b.at))
    .map(({ row }) => row)
}

function difference(theirs: Answer, ours: Answer, query: string): string | null {
  const errors = [theirs, ours].map(
    ({ error, results }) => error ?? results?.find(one => one.error)?.error ?? null
  )
  if (errors[0] !== null || errors[1] !== null) {
    return (errors[0] === null) === (errors[1] === null)
      ? null
      : `theirs ${errors[0] ?? 'is no error'}, ours ${errors[1] ?? 'is no error'}`
  }
  const isPlain = !/\(/.test(query.replace(/WHERE.*/s, '')) && !query.startsWith('SHOW')
  for (const [i, { series: x = [] }] of theirs.results!.entries()) {
    const { series: y = [] } = ours.results![i] ?? {}
    const heads = (all: readonly Series[]) =>
      all.map(({ name, tags, columns }) => JSON.stringify([name, tags, columns]))
    const [a, b] = [heads(x), heads(y)]
    if (a.join() !== b.join()) {
      const at = a.findIndex((head, k) => head !== b[k])
      return `series: theirs ${a.length} ${a[at] ?? '-'}, ours ${b.length} ${b[at < 0 ? a.length : at] ?? '-'}`
    }
    for (const [k, one] of x.entries()) {
      const [u, v] = [ordered(one.values, isPlain), ordered(y[k]!.values, isPlain)]
      for (let row = 0; row < Math.max(u.length, v.length); row++) {
        if (u[row]?.length === v[row]?.length && u[row]?.every((cell, c) => isSame(cell, v[row]![c])))
          continue
        return `${a[k]} row ${row} of ${u.length} and ${v.length}: theirs ${JSON.stringify(u[row])}, ours ${JSON.stringify(v[row])}`
      }
    }
  }
  return null
}

/**
 * Where varve answers something else than InfluxDB 1.6, whose answer is an accident:
 *  - the time of percentile() where several rows have its value: it sorts by value, unstably;
 *  - arithmetic on an expression of a missing field takes it for 0 there, where `a + b` alone is null;
 *  - percentile() ends a series at the first window that has too few values for it;
 *  - which of the rows of one time LIMIT cuts off, and which of equally frequent values mode() gives;
 *  - first() and last() where several series have a value at that time;
 *  - OFFSET without LIMIT ends a plain SELECT after one row;
 *  - functions of successive values, and fill(linear), over the stddev of a single value, which is null.
 */
function isExplained(query: string, why: string): boolean {
  if (/^SELECT [^F]*percentile/.test(query) && /percentile\(\w+, 5\)/.test(query)) return true
  if (/mode\(/.test(query)) return true
  if (/first\(\*|last\(\*/.test(query)) return true
  const times = [...why.matchAll(/(?:theirs|ours) \["([^"]*)"/g)].map(found => found[1])
  if (/ LIMIT/.test(query) && !/\(\w+[,)]/.test(query) && times.length === 2 && times[0] === times[1])
    return true
  if (/percentile/.test(query)) {
    const cells = [...why.matchAll(/(?:theirs|ours) \["[^"]*",([^\]]*)\]/g)].map(found => found[1])
    if (cells.length === 2 && cells[0] === cells[1]) return true
  }
  if (/\(\w+ \+ \w+\) \//.test(query)) return true
  if (/ OFFSET [1-9]/.test(query) && !/ LIMIT| time\(|\(\w+[,)]/.test(query)) return true
  return /(?:derivative|difference|elapsed|moving_average|cumulative_sum)\(stddev|stddev[^F]*FROM.*fill\(linear/.test(
    query
  )
}

/**
 * Whether functions of successive values over several series differ only in which of the values of one time
 * comes first, which InfluxDB takes from its index: each series by itself gives the same, and the first
 * difference is at, or next after, a time of several values.
 */
async function isTied(query: string, why: string, urls: readonly [string, string]): Promise<boolean> {
  const found =
    /^SELECT (?:derivative|non_negative_\w+|difference|moving_average|cumulative_sum)\((\w+)[^()]*\) (FROM \w+ WHERE [^()]*)$/.exec(
      query
    )
  const at = /theirs \["([^"]*)"/.exec(why)?.[1]
  if (found === null || at === undefined || / GROUP BY /.test(query)) return false
  const [theirs, ours] = await Promise.all(urls.map(url => ask(url, `${query} GROUP BY *`)))
  if (difference(theirs!, ours!, query) !== null) return false
  const raw = await ask(urls[0], `SELECT ${found[1]} ${found[2]}`)
  const times = raw.results![0]!.series![0]!.values.map(([time]) => String(time))
  const here = times.indexOf(at)
  return times[here + 1] === at || (here > 1 && times[here - 1] === times[here - 2])
}

async function main(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'influxql-oracle-'))
  const random = new Random(Number(options.seed))
  const lines = randomLines(random)
  console.log(`seed ${options.seed}: ${lines.length} lines`)
  const influx = await startInflux(dir)
  const varve = await startVarve({ dataDir: join(dir, 'varve') })
  try {
    await ask(influx.url, 'CREATE DATABASE mydb')
    for (const url of [influx.url, varve.httpUrl]) {
      const reply = await fetch(`${url}/write?db=mydb&precision=ms`, {
        method: 'POST',
        body: lines.join('\n')
      })
      if (reply.status !== 204) throw new Error(`Cannot write: ${reply.status} ${await reply.text()}`)
    }
    const sets: [string, string[]][] = [
      ['systematic', systematic()],
      ['random', Array.from({ length: Number(options.random) }, () => randomStatement(random))]
    ]
    if (options.query !== undefined) sets.splice(0, sets.length, ['given', options.query])
    let differing = 0
    for (const [name, queries] of sets) {
      const counts = { agree: 0, errors: 0, empty: 0, explained: 0, differ: 0 }
      for (const query of queries.filter(text => options.only === undefined || text.includes(options.only))) {
        const [theirs, ours] = [await ask(influx.url, query), await ask(varve.httpUrl, query)]
        const why = difference(theirs, ours, query)
        if (options.query !== undefined) console.log(JSON.stringify(theirs), '\n', JSON.stringify(ours))
        if (why === null) {
          counts.agree++
          if (theirs.error !== undefined || theirs.results!.some(one => one.error)) counts.errors++
          else if (theirs.results!.every(one => one.series === undefined)) counts.empty++
        } else if (isExplained(query, why)) counts.explained++
        else if (await isTied(query, why, [influx.url, varve.httpUrl])) counts.explained++
        else if (++counts.differ <= Number(options.show)) console.log(`DIFFERS ${query}\n    ${why}`)
      }
      differing += counts.differ
      const { agree, errors, empty, explained, differ } = counts
      console.log(
        `${name}: ${agree} agree (${errors} errors, ${empty} empty), ${explained} explained, ${differ} differ`
      )
    }
    process.exitCode = differing === 0 ? 0 : 1
  } finally {
    await varve.stop()
    await influx.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

await main()
