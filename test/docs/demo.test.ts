// The demo, as a newcomer without a terminal of its own sees it: lines soon, figures that move, nothing left.

import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

const root = join(import.meta.dirname, '../..')
const run = promisify(execFile)

/** Lines that tell how it goes. */
function figuresOf(text: string): string[] {
  return text.split('\n').filter(line => /^ +\d+ s {2}[\d.]+ messages\/s/.test(line))
}

const secondsOf = (line: string) => Number.parseInt(line, 10)

t.test('demo shows samples arriving and leaves nothing behind', async t => {
  const temporary = t.testdir()
  const demo = run(process.execPath, [join(root, 'scripts/demo.ts'), '--seconds', '600'], {
    cwd: root,
    env: { ...process.env, TMPDIR: temporary }
  })
  let shown = ''
  demo.child.stdout!.on('data', piece => {
    shown += piece
    if (figuresOf(shown).length >= 4) demo.child.kill('SIGINT')
  })
  const { stdout } = await demo
  const lines = stdout.split('\n')
  t.match(lines[0], /^varve is ready after \d+ ms; 20 devices publish to mqtt:/)
  for (const command of ['mosquitto_sub', 'mosquitto_pub', 'curl', 'npx varve query', 'npx varve wear']) {
    t.ok(
      lines.some(line => line.startsWith(`  ${command} `)),
      `it says how to try ${command}`
    )
  }
  const figures = figuresOf(stdout)
  t.ok(
    figures.every((line, i) => i === 0 || secondsOf(line) > secondsOf(figures[i - 1]!)),
    'a line a second at most'
  )
  t.match(figures.at(-1), /temperature -?\d/)
  t.match(stdout, 'temperature{topic="garden/climate-1"}')
  t.match(stdout, '┤', 'a chart was drawn')
  const [, samples] = /^(\d+) samples {3}/m.exec(stdout) ?? []
  t.ok(Number(samples) > 50, `${samples} samples`)
  t.match(stdout, / [1-9]\d* publishes acknowledged/)
  t.strictSame(readdirSync(temporary), [], 'the data directory is gone')
})

t.test('demo refuses what it cannot read', async t => {
  const failure = await run(process.execPath, [join(root, 'scripts/demo.ts'), '--seconds', 'soon'], {
    cwd: root
  }).catch((error: { code: number; stderr: string }) => error)
  t.match(failure, { code: 1, stderr: /Cannot use --seconds soon/ })
})
