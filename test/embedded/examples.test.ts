// The examples of src/embedded/README.md: each is a program here, the page shows its very text, and each ends by
// itself on an empty directory.
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

const run = promisify(execFile)
const folder = join(import.meta.dirname, 'examples')
const page = readFileSync(join(import.meta.dirname, '../../src/embedded/README.md'), 'utf8')
const names = readdirSync(folder).map(name => name.replace(/\.ts$/, ''))

t.test('src/embedded/README.md shows the examples as they are', async t => {
  const shown = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(match => match[1]!)
  for (const name of names) t.ok(shown.includes(readFileSync(join(folder, `${name}.ts`), 'utf8')), name)
  t.equal(shown.length, names.length, 'and nothing else')
})

t.test('every example runs to its end', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'varve-examples-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  for (const name of names) {
    const { stderr } = await run(process.execPath, [join(folder, `${name}.ts`)], {
      cwd: dir,
      timeout: 120_000
    })
    t.equal(stderr, '', name)
  }
})
