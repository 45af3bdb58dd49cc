// The store against a plain map, over seeds (model-run.ts); scripts/kv-histories.ts runs as many as one likes.
import t from 'tap'
import { seeds } from '../kit/seeds.ts'
import { runModel } from './model-run.ts'

t.test('KvStore agrees with a plain map over flushes, compactions, reopens and power cuts', async t => {
  let reopens = 0
  for (const seed of seeds(400)) {
    const found = await runModel(seed, 250)
    reopens += found.reopens
    if (found.faults.length === 0) continue
    t.fail(`VARVE_SEED=${seed}: ${found.faults[0]!.slice(0, 1500)}`)
    return
  }
  t.ok(reopens > 0, `${reopens} reopens`)
})
