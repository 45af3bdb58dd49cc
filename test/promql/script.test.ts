// The scripts of this folder, by the rules of Prometheus 3.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Script } from './script.ts'

for (const file of readdirSync(import.meta.dirname).filter(name => name.endsWith('.test'))) {
  t.test(`PromQL does as ${file} says`, async t => {
    const { evaluated, faults } = new Script(readFileSync(join(import.meta.dirname, file), 'utf8')).run()
    t.ok(evaluated > 5, `${evaluated} queries`)
    for (const { line, text, why } of faults) t.fail(`line ${line}: ${text}: ${why}`)
  })
}

t.test('the rules of Prometheus 2 close ranges and the look-back at their start', async t => {
  const text = `
load 30s
  r 1 2 3 4 5
eval instant at 1m sum_over_time(r[1m])
  {} 6
eval instant at 7m r
  r 5
eval instant at 1m count_over_time(r[1m:30s])
  {} 3
`
  t.same(new Script(text, '2').run().faults, [])
  t.equal(new Script(text, '3').run().faults.length, 3)
})
