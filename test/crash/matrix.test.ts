// A sample of the crash matrix (scripts/crash-matrix.ts runs all of it): cuts of power over whole lives of the
// store, a medium that fails or is full, bytes that change at rest; and planted faults, each of which it finds.
// A failure prints VARVE_SEED=n, which replays that one here or with the script's --seed.
import t from 'tap'
import { failuresOf, type Part, runTask, seedOf, type Task } from '../kit/matrix-task.ts'
import { DISK_PLANTS, MUTE_PLANTS, PLANTS, type PlantName, showsInFlips } from '../kit/plants.ts'

const only = process.env.VARVE_SEED === undefined ? undefined : Number(process.env.VARVE_SEED)

/** The tasks of a sample, or the one of VARVE_SEED. */
function sample(part: Part, seeds: number, how: Pick<Task, 'limit' | 'every'>): Task[] {
  if (only !== undefined) return [{ part, seed: seedOf(part, only), limit: how.limit, only }]
  return Array.from({ length: seeds }, (_, i) => ({ part, seed: 1001 + i, ...how }))
}

for (const [name, part, seeds, how] of [
  [
    'keeps everything acknowledged over cuts at any write of its lives',
    'cuts',
    5,
    { limit: 9999, every: 20 }
  ],
  [
    'acknowledges nothing that is not durable when the medium fails or is full',
    'faults',
    2,
    { limit: 999, every: 12 }
  ],
  ['shows no wrong value and names the file when a bit changed at rest', 'flips', 1, { limit: 80 }],
  ['shows no wrong value and names the file when a sector changed at rest', 'sectors', 1, { limit: 40 }]
] as const) {
  t.test(`the store ${name}`, async t => {
    let tried = 0
    for (const task of sample(part, seeds, how)) {
      const rows = await runTask(task)
      for (const failure of failuresOf(rows)) t.fail(failure)
      for (const row of Object.values(rows)) {
        t.equal(row.lost + row.invented + row.wrong, 0)
        tried += row.tried
      }
    }
    t.ok(tried >= (only === undefined ? 40 : 0), `${tried} tried`)
  })
}

t.test('the crash matrix finds each planted fault', async t => {
  for (const plant of Object.keys({ ...DISK_PLANTS, ...MUTE_PLANTS }) as PlantName[]) {
    const rows = await runTask(
      { part: showsInFlips(plant) ? 'flips' : 'cuts', seed: 1, limit: 300, plant },
      found => failuresOf(found).length === 0
    )
    t.ok(failuresOf(rows).length > 0, PLANTS[plant])
  }
})
