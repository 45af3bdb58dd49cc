// Thousands of seeds of the tests of the key-value store that draw their operations: the model (every kind of operation
// against a plain map, with crashes and reopens) and concurrent histories of compare-and-set, leases and queues, which
// must be linearizable. Prints how many it ran; exits 1 at the first that fails, with the seed that replays it:
// VARVE_SEED=n npx tap test/kv/model.test.ts test/kv/linearizable.test.ts
//
//   node scripts/kv-histories.ts [--seeds 5000] [--first 1]
import { parseArgs } from 'node:util'
import { leaseHistory, queueHistory, registerHistory } from '../test/kv/concurrent.ts'
import { runModel } from '../test/kv/model-run.ts'

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '5000' }, first: { type: 'string', default: '1' } }
})
const STEPS = 250
let reopens = 0

const runs: [what: string, run: (seed: number) => Promise<string | null>][] = [
  [
    'the model',
    async seed => {
      const found = await runModel(seed, STEPS)
      reopens += found.reopens
      return found.faults[0] ?? null
    }
  ],
  ['compare-and-set over power cuts', registerHistory],
  ['leases', leaseHistory],
  ['queues', queueHistory]
]

const first = Number(values.first)
const count = Number(values.seeds)
for (const [what, run] of runs) {
  for (let seed = first; seed < first + count; seed++) {
    const wrong = await run(seed)
    if (wrong === null) continue
    console.log(`${what}: FAILS at VARVE_SEED=${seed}: ${wrong}`)
    process.exit(1)
  }
  console.log(`${what}: ${count} seeds from ${first} on hold`)
}
console.log(`the model's stores were opened again ${reopens} times, after a cut or a close`)
