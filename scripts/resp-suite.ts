// Runs Redis' own published test-suite against varve, and says which of its cases pass.
//
//   node scripts/resp-suite.ts --redis DIR [--only type/string,multi] [--list yes] [--dir DIR] [--varve "--flag value"]
//
// DIR is a checkout of https://github.com/redis/redis (its runtest and tests/ are enough; tclsh 8.5 or newer has
// to be there). The suite runs in its mode for servers that it did not start. Cases that need Redis' debugging
// commands, replication, or to start a server of their own are skipped by the suite; those that fail are named with
// --list. So are cases that set a limit of memory at which Redis throws keys away or refuses (needs:config-maxmemory): varve's
// entries are on the medium, it evicts none. The data directory belongs on fast storage: the suite makes 100,000 writes one after the other.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { benchArguments } from './bench-arguments.ts'
import { printTable } from './bench-report.ts'
import { startVarve } from './varve-process.ts'

const UNITS = [
  ...[
    'type/string',
    'type/incr',
    'type/hash',
    'type/list',
    'type/list-2',
    'type/list-3',
    'type/set',
    'type/zset'
  ],
  ...['keyspace', 'expire', 'scan', 'multi', 'pubsub']
] as const
/** Commands that are not here, by what failures say that need them. */
const NOT_OURS = /unknown command '(\w+)'|no such variable|lua-time-limit/i
const SECONDS_MAX = 600

interface Outcome {
  readonly unit: string
  readonly passed: number
  readonly skipped: number
  /** Name of the case, and the first line of what it said. */
  readonly failed: readonly (readonly [name: string, why: string])[]
  readonly isComplete: boolean
}

async function run(redis: string, unit: string, port: number): Promise<Outcome> {
  const tags = '-needs:debug -needs:repl -needs:save -needs:reset -needs:config-maxmemory -cli -large-memory'
  const flags = ['--host', '127.0.0.1', '--port', String(port), '--clients', '1', '--durable', '--no-latency']
  const child = spawn('./runtest', [...flags, '--tags', tags, '--single', `unit/${unit}`], {
    cwd: redis,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: SECONDS_MAX * 1000
  })
  const pieces: string[] = []
  for (const output of [child.stdout, child.stderr]) output.on('data', piece => pieces.push(String(piece)))
  await new Promise(resolve => child.once('close', resolve))
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the suite colours what it says
  const said = pieces.join('').replace(/\x1b\[[0-9;]*m/g, '')
  const end = said.indexOf('The End')
  const failures = said
    .slice(Math.max(0, end))
    .split(/^\*\*\* \[err\]: /m)
    .slice(1)
    .map(text => text.split('\n'))
  return {
    unit,
    passed: said.match(/^\[ok\]: /gm)?.length ?? 0,
    skipped: said.match(/^\[(?:skip|ignore)\]: /gm)?.length ?? 0,
    failed: failures.map(([name, ...why]) => [
      name!.replace(/ in tests\/.*$/, ''),
      why.join(' ').trim().slice(0, 160)
    ]),
    isComplete: end >= 0
  }
}

async function main(): Promise<void> {
  const args = benchArguments(UNITS, [], ['redis', 'list'])
  const redis = args.text('redis')
  if (redis === undefined || !existsSync(join(redis, 'runtest'))) {
    throw new Error('Cannot run the suite: --redis DIR has to be a checkout of Redis')
  }
  const rows: Record<string, string | number>[] = []
  const named: string[] = []
  for (const unit of args.names) {
    const dataDir = join(args.dir, unit.replace('/', '-'))
    const respFlags = [
      '--resp.enabled',
      'true',
      '--resp.port',
      '0',
      '--ack.delay_max',
      '0s',
      '--flash.size',
      '1TiB'
    ]
    const varve = await startVarve({ program: args.program, dataDir, flags: [...respFlags, ...args.flags] })
    const { port } = JSON.parse(readFileSync(join(dataDir, 'run.json'), 'utf8')).resp
    const { passed, skipped, failed, isComplete } = await run(redis, unit, port)
    await varve.stop()
    const foreign = failed.filter(([, why]) => NOT_OURS.test(why)).length
    rows.push({
      unit: isComplete ? unit : `${unit} (did not end)`,
      passed,
      failed: failed.length - foreign,
      'failed for commands not here': foreign,
      skipped
    })
    for (const [name, why] of failed) named.push(`${unit}: ${name}: ${why}`)
  }
  printTable(rows)
  const sum = (name: string) => rows.reduce((all, row) => all + Number(row[name]), 0)
  console.log(
    `\n${sum('passed')} pass, ${sum('failed')} fail, ${sum('failed for commands not here')} need other commands`
  )
  for (const line of named) console.log(line)
}

await main()
