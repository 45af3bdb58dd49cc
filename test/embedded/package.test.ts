// What a program installs: the package is made, packed and unpacked below a node_modules of its own, with no TypeScript
// and no other package near it. There an example runs, a compaction runs in its thread, and the declarations hold.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { buildEmbedded } from '../../scripts/build-embedded.ts'

const exec = promisify(execFile)
/** Without the loaders that tap puts into NODE_OPTIONS. */
const run = (...command: string[]) =>
  exec('env', ['-u', 'NODE_OPTIONS', ...command], { cwd: dir, timeout: 120_000 })
const root = join(import.meta.dirname, '../..')
const dir = mkdtempSync(join(tmpdir(), 'varve-package-'))
const installed = join(dir, 'node_modules/varve')
t.teardown(() => rmSync(dir, { recursive: true }))

const example = (name: string) => readFileSync(join(root, `test/embedded/examples/${name}.ts`), 'utf8')

/** Overwrites more than a memtable holds until segments were joined. */
const COMPACTION = `
import { open } from 'varve'
const db = await open('compacted', { limits: { memtableBytesMax: 2 ** 18, carryBytesMax: 2 ** 16 } })
const entries = db.namespace('n')
const deadline = Date.now() + 90_000
for (let i = 0; db.statistics().compactions.runs === 0 && Date.now() < deadline; i++) {
  await Promise.all(Array.from({ length: 100 }, (_, k) => entries.put((i % 9) + '/' + k, String(i).padEnd(1000))))
}
await db.compact()
const { segments, compactions } = db.statistics()
console.log(JSON.stringify({ segments, runs: compactions.runs }))
await db.close()
`

t.before(async () => {
  const made = join(dir, 'made')
  await buildEmbedded(made)
  const { stdout } = await run('npm', 'pack', made, '--silent', '--pack-destination', dir)
  mkdirSync(installed, { recursive: true })
  await run('tar', 'xzf', join(dir, stdout.trim()), '-C', installed, '--strip-components=1')
})

t.test('the package needs no other, and has no TypeScript to be stripped', async t => {
  const { dependencies } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
  t.equal(dependencies, undefined)
  const { stdout } = await run('find', installed, '-name', '*.ts', '-not', '-name', '*.d.ts')
  t.equal(stdout, '')
})

t.test('an example runs on the installed package', async t => {
  writeFileSync(join(dir, 'job-queue.mjs'), stripTypeScriptTypes(example('job-queue')))
  const { stderr } = await run(process.execPath, 'job-queue.mjs')
  t.equal(stderr, '')
})

t.test('its thread joins segments', async t => {
  writeFileSync(join(dir, 'compaction.mjs'), COMPACTION)
  const { stdout } = await run(process.execPath, 'compaction.mjs')
  const { segments, runs } = JSON.parse(stdout) as { segments: number; runs: number }
  t.ok(segments > 0 && runs > 0, stdout)
})

t.test('its declarations type an example, and refuse a wrong value', async t => {
  const check = async (name: string, text: string) => {
    writeFileSync(join(dir, name), text)
    const flags = '--noEmit --strict --target esnext --module nodenext --types node'.split(' ')
    const typeRoots = ['--typeRoots', join(root, 'node_modules/@types')]
    return run(join(root, 'node_modules/.bin/tsc'), ...flags, ...typeRoots, name).then(
      () => '',
      error => String(error.stdout)
    )
  }
  t.equal(await check('good.mts', example('session-store')), '')
  const wrong =
    "import { open } from 'varve'\nawait (await open('x')).namespace<number>('n').put('k', 'text')\n"
  t.match(await check('wrong.mts', wrong), /'string' is not assignable to parameter of type 'number'/)
})
