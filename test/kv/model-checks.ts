// What a store must agree on with the plain map beside it: scans, pages, gets, snapshots, watches, and after a reopen
// the whole of it.
import { cursorOf } from '../../src/kv/view.ts'
import { type Run, SPACES, storedKey, textOf } from './model-state.ts'

export function check(run: Run): void {
  const model = run.after(run.batches.length)
  const wanted = run.visible(model)
  run.same(run.contents(run.store), wanted, 'scan')
  run.same(run.contents(run.store, true), [...wanted].reverse(), 'scan backwards')
  const { ns, key } = run.key()
  const found = run.store.get(ns, key)
  const kept = model.get(storedKey(ns, key))
  const alive = kept !== undefined && (kept.expiresUs === 0 || kept.expiresUs > run.clock.nowUs())
  run.same(
    found && textOf(found),
    alive ? `${storedKey(ns, key)}=${kept.value}@${kept.version}` : undefined,
    'get'
  )
  run.same(run.store.has(ns, key), alive, 'has')
  const otherwise = Buffer.from('none')
  run.same(
    Buffer.from(run.store.getOrDefault(ns, key, otherwise)).toString(),
    alive ? kept.value : 'none',
    'getOrDefault'
  )
  page(run)
  for (const { snapshot, model, nowUs } of run.snapshots) {
    run.same(run.contents(snapshot), run.visible(model, nowUs), 'snapshot')
  }
}

/** A page of a range, forwards or backwards, against the same cut from the model. */
function page(run: Run): void {
  const { random, store } = run
  const reverse = random.chance(0.5)
  const limit = 1 + random.below(5)
  const range = random.pick([
    {},
    { prefix: 'key/' },
    { from: 'key/x', to: 'key/xxx' },
    { prefix: 'doc/', from: 'doc/1' }
  ])
  const ns = random.pick(SPACES)
  const { prefix = '', from = '', to = '\uffff' } = range as { prefix?: string; from?: string; to?: string }
  const all = run.visible(run.after(run.batches.length)).filter(line => {
    const key = line.slice(ns.length + 1)
    return line.startsWith(`${ns}\0`) && key.startsWith(prefix) && key >= from && key < to
  })
  if (reverse) all.reverse()
  const found: string[] = []
  let cursor: string | undefined
  do {
    const entries = [
      ...store.scan(ns, { ...range, reverse, limit, ...(cursor === undefined ? {} : { cursor }) })
    ]
    found.push(...entries.map(textOf))
    cursor = entries.length < limit ? undefined : cursorOf(entries.at(-1)!)
  } while (cursor !== undefined)
  run.same(found, all, `pages of ${limit} of ${JSON.stringify(range)}`)
}

/** Compares what the watch tells with the batches that are durable. */
export function listen(run: Run): void {
  for (const entry of run.watch.take(10_000))
    run.told.push(`${entry.stored}@${entry.version}${entry.deleted}`)
  run.acknowledge()
  run.same(run.told, wanted(run, run.acknowledged), 'watch')
}

function wanted(run: Run, batches: number): string[] {
  return [
    ...run.expected,
    ...run.batches
      .slice(0, batches)
      .flat()
      .filter(({ key, version }) => key.startsWith('a\0') && version > run.watchFrom)
      .map(({ key, version, kept }) => `${key}@${version}${kept === null}`)
  ]
}

/**
 * After a reopen: finds which of the possible states is there, and goes on from it. States that differ
 * only in what has expired look the same to a scan; what the watch tells decides between them.
 */
export function settle(run: Run, watched: boolean): void {
  const found = JSON.stringify(run.contents(run.store))
  const told = JSON.stringify(run.told)
  let fits = false
  for (let n = run.batches.length; n >= run.acknowledged; n--) {
    if (found !== JSON.stringify(run.visible(run.after(n)))) continue
    fits = true
    if (watched && told !== JSON.stringify(wanted(run, n))) continue
    run.expected = watched ? wanted(run, n) : []
    run.base = run.after(n)
    run.batches = []
    run.acknowledged = 0
    return
  }
  run.faults.push(
    fits
      ? `watch over a reopen: told ${told}, of all ${JSON.stringify(wanted(run, run.batches.length))}`
      : `no state fits: ${found}; acknowledged ${run.acknowledged} of ${run.batches.length}`
  )
}

/** Goes on watching where the watch before ended, or from now where that is too old. */
export function rewatch(run: Run): boolean {
  const at = run.watch?.version ?? 0
  try {
    run.watch = run.store.watch('a', { after: at })
    return true
  } catch (error) {
    if ((error as { code?: string }).code !== 'VARVE_WATCH_OLD') throw error
    run.told = []
    run.expected = []
    run.watchFrom = run.store.lastVersion
    run.watch = run.store.watch('a', {})
    return false
  }
}
