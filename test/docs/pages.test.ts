// The pages that people read first are held against the repository: paths and links lead somewhere, commands
// and scripts exist, the tables say what the tests enforce, and the lines to try are tried.

import { execFile } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { startVarve } from '../../scripts/varve-process.ts'
import { COMMANDS } from '../../src/cli/run.ts'
import { layers, owners } from '../tidy/layers.ts'

const root = join(import.meta.dirname, '../..')
const run = promisify(execFile)
const pages = [
  'README.md',
  'src/README.md',
  'src/engine/FORMAT.md',
  'src/embedded/README.md',
  'deploy/raspberry-pi.md'
]
const facts = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

function read(page: string): string {
  return readFileSync(join(root, page), 'utf8')
}

/** What stands between backticks, outside of fenced blocks. */
function codeSpans(text: string): string[] {
  return [...text.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/`([^`\n]+)`/g)].map(match => match[1]!)
}

/** Fenced blocks of a language. */
function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(m => m[1]!)
}

/** Files that a page names but that are not there: looked for from the root, from src and beside the page. */
function missingPaths(page: string, text: string): string[] {
  const looksLikeFile = /^(?:[\w.*-]+\/)*[\w.*-]+\.(?:ts|md|json|toml|sh|service)$/
  const looksLikeFolder = /^(?:src|test|scripts|deploy|systemd)(?:\/[\w-]+)*$/
  return codeSpans(text)
    .filter(span => looksLikeFile.test(span) || looksLikeFolder.test(span))
    .filter(span =>
      [root, join(root, 'src'), join(root, dirname(page))].every(
        base => !existsSync(join(base, span)) && globSync(join(base, span)).length === 0
      )
    )
    .filter(
      span =>
        !['varve.toml', 'run.json', 'users.toml', '*.toml', 'conf.d/*.toml', 'codec-*.ts'].includes(span)
    )
}

/** The anchor that a heading has. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
}

function brokenLinks(page: string, text: string): string[] {
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(match => match[1]!)
    .filter(link => !/^https?:/.test(link))
    .filter(link => {
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? page : join(dirname(page), path)
      if (!existsSync(join(root, target))) return true
      if (anchor === undefined) return false
      const headings = [...read(target).matchAll(/^#+ (.+)$/gm)].map(match => anchorOf(match[1]!))
      return !headings.includes(anchor)
    })
}

/** Commands of varve, and scripts of npm, that are named but not there. */
function unknownCommands(text: string): string[] {
  const code = [...codeSpans(text), ...blocks(text, 'sh')].join('\n')
  const known = [...COMMANDS.map(({ name }) => name), 'help']
  const commands = [...code.matchAll(/(?:^|npx |\n|"|`)varve ([a-z]+)/g)].map(match => match[1]!)
  const scripts = [...code.matchAll(/npm run ([\w:]+)/g)].map(match => match[1]!)
  return [
    ...commands.filter(name => !known.includes(name)).map(name => `varve ${name}`),
    ...scripts.filter(name => facts.scripts[name] === undefined).map(name => `npm run ${name}`)
  ]
}

/** The rows of the first table whose head begins with these cells. */
function table(text: string, ...head: string[]): string[][] {
  const lines = text.split('\n')
  const at = lines.findIndex(line => line.startsWith(`| ${head.join(' | ')} |`))
  const end = lines.findIndex((line, i) => i > at && !line.startsWith('|'))
  return lines.slice(at + 2, end).map(line => line.slice(2, -2).split(' | '))
}

t.test('pages: the checks find what is planted', async t => {
  t.strictSame(missingPaths('README.md', '`src/nothing.ts` `engine/wal.ts` `test/none` `site1/dev7`'), [
    'src/nothing.ts',
    'test/none'
  ])
  t.strictSame(brokenLinks('README.md', '[a](src/README.md#no-such) [b](none.md) [c](LICENSE)'), [
    'src/README.md#no-such',
    'none.md'
  ])
  t.strictSame(unknownCommands('`varve query x` `varve dance` `npm run none`'), [
    'varve dance',
    'npm run none'
  ])
})

t.test('pages: every path, link, command and script is there', async t => {
  for (const page of pages) {
    const text = read(page)
    t.strictSame(missingPaths(page, text), [], `${page}: paths`)
    t.strictSame(brokenLinks(page, text), [], `${page}: links`)
    t.strictSame(unknownCommands(text), [], `${page}: commands`)
  }
})

t.test('src/README.md has the arrows and the folders that the layer test keeps', async t => {
  const text = read('src/README.md')
  const arrows = new Map(table(text, 'folder', 'may import').map(([name, list]) => [name, list]))
  for (const [folder, allowed] of Object.entries(layers)) {
    if (folder === 'index.ts') continue
    const names = allowed.split(' ').filter(name => name !== '')
    const list = names.map(name => name.replace(/(.*):types/, '$1 (types)')).join(', ')
    t.equal(arrows.get(`\`${folder}\``), names.length > 12 ? 'all but `cli`' : list || '–', folder)
    arrows.delete(`\`${folder}\``)
  }
  t.strictSame([...arrows.keys()], [], 'no arrow that the test does not know')
  const folders = new Set(table(text, 'folder', 'holds', 'begin with').map(([name]) => name))
  for (const path of globSync('src/*/', { cwd: root })) {
    const folder = path.split('/')[1]!
    t.ok(folders.has(`\`${folder}\``), `the map has ${folder}`)
  }
})

t.test('src/README.md says of each package who owns it', async t => {
  const rows = table(read('src/README.md'), 'package', 'used by')
  for (const name of Object.keys(facts.dependencies)) {
    const row = rows.find(([packages]) => packages!.includes(`\`${name}\``))
    t.ok(row, `${name} is there`)
    t.ok(Object.hasOwn(owners, name), `${name} has an owner`)
    for (const user of [...(row?.[1] ?? '').matchAll(/`([^`]+\.ts)`/g)].map(match => match[1]!)) {
      t.ok(
        rows.some(([packages]) =>
          [...packages!.matchAll(/`([^`]+)`/g)].some(match =>
            owners[match[1]!]?.some(owner => user.startsWith(owner))
          )
        ),
        `${user} may use it`
      )
    }
  }
})

t.test('README.md names every command, and every bench that has a bar', async t => {
  const text = read('README.md')
  for (const { name } of COMMANDS) t.match(text, `| \`varve ${name}\``)
  const helpers = ['arguments', 'bridge', 'peers', 'report'].map(name => `scripts/bench-${name}.ts`)
  for (const path of globSync('scripts/bench-*.ts', { cwd: root })) {
    if (!helpers.includes(path)) t.match(text, `\`${path}\``)
  }
})

t.test('README.md: the lines to try do what they say', async t => {
  const dir = t.testdir({ data: {}, work: {} })
  const dataDir = join(dir, 'data')
  const varve = await startVarve({ dataDir })
  t.teardown(() => varve.stop('SIGKILL'))
  const lines = blocks(read('README.md'), 'sh')
    .flatMap(block => block.trimEnd().split('\n'))
    .filter(line => !line.startsWith('npm '))
    .map(line =>
      line.replaceAll('http://127.0.0.1:8086', varve.httpUrl).replace('./varve-data', '"$VARVE_DATA__DIR"')
    )
  t.ok(lines.length >= 15, `${lines.length} lines`)
  const publish = join(root, 'test/kit/publish.ts')
  const prelude = [
    'set -euo pipefail',
    `mosquitto_pub() { if type -P mosquitto_pub >/dev/null; then command mosquitto_pub -p ${varve.mqttPort} "$@"`,
    `else "$NODE" '${publish}' -p ${varve.mqttPort} "$@"; fi; }`,
    // Nothing stands in for those two where they are not installed.
    ...['mosquitto_sub', 'mosquitto_rr'].map(
      name => `${name}() { ! type -P ${name} >/dev/null || command ${name} -p ${varve.mqttPort} -W 20 "$@"; }`
    ),
    'curl() { command curl --fail "$@"; }',
    `npx() { [ "$1" = varve ]; shift; "$NODE" '${join(root, 'src/main.ts')}' "$@"; }`
  ].join('\n')
  const said = new Map<string, string>()
  for (const line of lines) {
    const env = { ...process.env, NODE: process.execPath, VARVE_DATA__DIR: dataDir }
    const outcome = await run('bash', ['-c', `${prelude}\n${line}`], {
      cwd: join(dir, 'work'),
      env,
      timeout: 30_000
    }).catch((error: Error & { stderr: string }) => error)
    if (outcome instanceof Error) t.fail(`${line}: ${outcome.stderr}`)
    else {
      t.pass(line)
      said.set(line, outcome.stdout)
    }
  }
  const answer = (part: string) => [...said].find(([line]) => line.includes(part))?.[1] ?? ''
  t.match(answer('/v1/last?topic='), /"name":"rssi".*"value":-70/s)
  t.match(answer('/v1/last?topic='), /"name":"state".*"value":"open"/s)
  t.match(
    answer('format=csv'),
    /^time_us,name,topic,avg,max\r?\n\d+,temperature,site1\/dev7\/telemetry,21\.4,21\.4/
  )
  t.match(answer('query temperature'), '21.4')
  t.match(answer('--history'), 'on')
  t.match(answer('--chart'), '21.4')
  t.match(answer('varve wear'), /Written since/)
  t.match(answer('varve check'), /^sound/)
  t.match(answer('"fn":"min,max"'), '"columns":["time_us","min","max"]')
  t.match(answer('order=desc'), '"temperature":21.4')
  t.match(answer('time=iso'), /"time(_us)?":"\d{4}-/)
  t.match(answer('/health'), '"status":"pass"')
  t.match(answer('/v1/export'), '"fields":{"wind":4.2}')
  const wind = await fetch(`${varve.httpUrl}/v1/last?match=weather_wind`)
  t.match(await wind.json(), { series: [{ value: 4.2, time_us: 1_700_000_000_000_000 }] })
})
