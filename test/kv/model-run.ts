// The store against a plain map, over seeds, with flushes and compactions under way, clean reopens and
// power cuts at any step. After a cut the store holds what the map held after some of the batches, in
// order, and at least after all that were acknowledged: nothing lost, nothing invented, no batch in part.
import { check, listen, rewatch, settle } from './model-checks.ts'
import { Run } from './model-state.ts'
import { write } from './model-writes.ts'

async function oneStep(run: Run): Promise<void> {
  const { random } = run
  const draw = random.below(100)
  if (draw < 60) write(run)
  else if (draw < 72) await run.wal.sync()
  else if (draw < 76) run.clock.advance(random.below(20_000))
  else if (draw < 80) background(run, run.store.flush(random.pick(['any', 'segment'])))
  else if (draw < 84) background(run, run.store.compact(random.pick([1e9, 2000])))
  else if (draw < 86) await run.store.flush('segment')
  else if (draw < 88) await run.store.compact()
  else if (draw < 91) {
    if (run.snapshots.length > 3) run.snapshots.shift()!.snapshot.close()
    const nowUs = run.clock.nowUs()
    run.snapshots.push({ snapshot: run.store.snapshot(), model: run.after(run.batches.length), nowUs })
  } else if (draw < 97) check(run)
  else await new Promise(resolve => setImmediate(resolve))
  if (random.chance(0.3)) listen(run)
  run.acknowledge()
}

function background(run: Run, work: Promise<unknown>): void {
  work.catch(error => {
    if (!run.medium.dead && run.wal.failure === null) run.faults.push(`background: ${error}`)
  })
}

async function reopen(run: Run): Promise<void> {
  run.acknowledge()
  for (const { snapshot } of run.snapshots) snapshot.close()
  run.snapshots = []
  await run.store.close()
  run.reopens++
  await run.open()
  const watched = rewatch(run)
  for (const entry of run.watch.take(10_000))
    run.told.push(`${entry.stored}@${entry.version}${entry.deleted}`)
  settle(run, watched)
}

/** One run of a seed: what went wrong, and how often the store was opened again. */
export async function runModel(seed: number, steps: number): Promise<{ faults: string[]; reopens: number }> {
  const run = new Run(seed)
  await run.open()
  rewatch(run)
  let cuts = true
  for (let i = 0; i < steps && run.faults.length === 0; i++) {
    if (cuts) {
      run.medium.cutAt = run.medium.steps + 1 + run.random.below(40)
      cuts = false
    }
    try {
      await oneStep(run)
      if (!run.medium.dead && !run.random.chance(0.01)) continue
      if (!run.medium.dead) await run.wal.sync()
    } catch (error) {
      if (!run.medium.dead) throw error
    }
    await reopen(run)
    cuts = true
  }
  await run.store.close()
  return { faults: run.faults, reopens: run.reopens }
}
