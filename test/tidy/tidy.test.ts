// The style, kept by a test. Each rule is tried on planted violations first: a rule that cannot fail keeps
// nothing.

import { readdirSync } from 'node:fs'
import t from 'tap'
import {
  deadFaults,
  exportFaults,
  headerFaults,
  lengthFaults,
  markFaults,
  nameFaults,
  referenceFaults,
  topLevelFaults
} from './files.ts'
import { layerFaults, ownerFaults } from './layers.ts'
import { codeOf, importsOf, readSources, root, type Source } from './source.ts'
import { wordFaults } from './words.ts'

const program = readSources('src')
const everything = [...program, ...readSources('test', 'scripts')]

function plant(path: string, text: string): Source[] {
  return [{ path, text }]
}

t.test('codeOf() leaves code and empties strings, templates, comments and patterns', async t => {
  t.equal(codeOf("a = 'b' // c\nd"), "a = '' \nd")
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the text is a program
  t.equal(codeOf('`x ${y + `z ${w}`} v` + u'), '`${y + `${w}`}` + u')
  t.equal(codeOf('a = /[/"]b/.test(c) / d'), 'a = / /.test(c) / d')
  t.equal(codeOf('/* a */ b "c\\"d" e'), ' b "" e')
})

t.test('importsOf() finds every form', async t => {
  const text = [
    "import { a } from './a.ts'",
    "import type {\n  B\n} from './b.ts'",
    "import './c.ts'",
    "export { d } from './d.ts'",
    "const e = await import('./e.ts')",
    "new Worker(new URL('./f.ts', import.meta.url))",
    "// import { g } from './g.ts'"
  ].join('\n')
  t.strictSame(
    importsOf({ path: 'x', text }).map(({ target, typeOnly }) => `${target}${typeOnly ? ' type' : ''}`),
    ['./a.ts', './b.ts type', './c.ts', './d.ts', './e.ts', './f.ts']
  )
})

t.test('layers: a folder imports only what its row of the table allows', async t => {
  const faulty: readonly [path: string, text: string][] = [
    ['src/kv/a.ts', "import { b } from '../series/b.ts'"],
    ['src/series/a.ts', "import { b } from '../kv/b.ts'"],
    ['src/broker/a.ts', "import { b } from '../ingest/b.ts'"],
    ['src/ingest/a.ts', "import type { B } from '../broker/b.ts'"],
    ['src/engine/a.ts', "import { b } from '../series/label.ts'"],
    ['src/http/a.ts', "const b = await import('../config/schema.ts')"],
    ['src/series/a.ts', "import { b } from '../disk/node-disk.ts'"],
    ['src/base/a.ts', "import { b } from '../../test/kit/b.ts'"],
    ['src/daemon/a.ts', "export { b } from '../cli/b.ts'"],
    ['src/novel/a.ts', 'export const a = 1']
  ]
  for (const [path, text] of faulty) t.equal(layerFaults(plant(path, text)).length, 1, `planted in ${path}`)
  t.strictSame(layerFaults(plant('src/series/a.ts', "import type { Disk } from '../disk/disk.ts'")), [])
  t.strictSame(layerFaults(program), [])
})

t.test('owners: a package is used in one place', async t => {
  const faulty: readonly [path: string, text: string][] = [
    ['src/kv/a.ts', "import { readFileSync } from 'node:fs'"],
    ['src/http/a.ts', "import { pino } from 'pino'"],
    ['src/query/a.ts', "import { Worker } from 'node:worker_threads'"],
    ['src/base/a.ts', "import x from 'left-pad/deep'"],
    ['src/broker/a.ts', 'const now = Date.now()'],
    ['src/broker/a.ts', 'const dice = Math.random()'],
    ['src/cli/a.ts', "import { exec } from 'node:child_process'"]
  ]
  for (const [path, text] of faulty) t.equal(ownerFaults(plant(path, text)).length, 1, `planted in ${path}`)
  t.strictSame(ownerFaults(plant('src/base/a.ts', '// not Date.now() here')), [])
  t.strictSame(ownerFaults(program), [])
})

t.test('words: names keep to the glossary', async t => {
  for (const text of ['const shards = 1', 'export class ValueBlob {}', 'function purgeOld() {}']) {
    t.equal(wordFaults(plant('src/kv/a.ts', text)).length, 1, text)
  }
  t.equal(wordFaults(plant('src/kv/sstable.ts', '')).length, 1, 'a file name')
  t.strictSame(wordFaults(plant('src/kv/a.ts', "map.purge('shard') // a shard")), [])
  t.strictSame(wordFaults(plant('src/ingest/line-protocol.ts', 'const measurement = 1')), [])
  t.strictSame(wordFaults(program), [])
})

t.test('files: 500 lines at most', async t => {
  t.equal(lengthFaults(plant('src/a.ts', '\n'.repeat(501))).length, 1)
  t.strictSame(lengthFaults(plant('src/a.ts', '\n'.repeat(500))), [])
  t.strictSame(lengthFaults(everything), [])
})

t.test('files: each opens by saying what it is', async t => {
  t.equal(
    headerFaults(
      plant('src/a.ts', "import { a } from 'b'\n// A comment that comes too late to be a header\n")
    ).length,
    1
  )
  t.equal(headerFaults(plant('src/a.ts', '// Short.\n')).length, 1)
  t.strictSame(headerFaults([...program, ...readSources('scripts')]), [])
})

t.test('files: no default exports in src', async t => {
  t.equal(exportFaults(plant('src/a.ts', 'export default 1')).length, 1)
  t.equal(exportFaults(plant('src/a.ts', 'export { a as default }')).length, 1)
  t.strictSame(exportFaults(program), [])
})

t.test('files: names say what is inside, and none is a barrel', async t => {
  for (const path of ['src/kv/utils.ts', 'src/common/a.ts', 'src/kv/types.ts', 'test/kit/misc.ts']) {
    t.equal(nameFaults(plant(path, 'export const a = 1')).length, 1, path)
  }
  t.equal(
    nameFaults(plant('src/kv/all.ts', "// All.\nexport * from './a.ts'\nexport { b } from './b.ts'\n"))
      .length,
    1
  )
  t.strictSame(nameFaults(everything), [])
})

t.test('files: no work left in comments', async t => {
  t.equal(markFaults(plant('src/a.ts', `// ${'TO'}${'DO'}: later`)).length, 1)
  t.equal(markFaults(plant('src/a.ts', `// ${'FIX'}${'ME'}`)).length, 1)
  t.strictSame(markFaults(everything), [])
})

t.test('files: what a comment names is there', async t => {
  const paths = ['src/kv/a.ts', 'src/kv/b.ts', 'src/engine/c.ts']
  t.strictSame(
    referenceFaults(plant('src/kv/a.ts', '// Not here: b.ts, engine/c.ts (src/kv/b.ts).'), paths),
    []
  )
  for (const text of ['// Not here: c.ts.', '/** As in gone.ts. */', '   * kv/c.ts']) {
    t.equal(referenceFaults(plant('src/kv/a.ts', text), paths).length, 1, text)
  }
  t.strictSame(
    referenceFaults(
      program,
      everything.map(({ path }) => path)
    ),
    []
  )
})

t.test('files: each file of src is reached from an entry', async t => {
  const planted: Source[] = [
    { path: 'src/main.ts', text: "import { run } from './cli/run.ts'" },
    { path: 'src/cli/run.ts', text: "await import('./query.ts')" },
    { path: 'src/cli/query.ts', text: '' },
    { path: 'src/cli/forgotten.ts', text: "import './run.ts'" }
  ]
  t.equal(deadFaults(planted).length, 1)
  t.match(deadFaults(planted)[0], 'forgotten')
  t.strictSame(deadFaults(program), [])
})

t.test('repository: the top level holds only what belongs there', async t => {
  t.equal(topLevelFaults(['src', 'notes.txt']).length, 1)
  t.strictSame(topLevelFaults(readdirSync(root)), [])
})
