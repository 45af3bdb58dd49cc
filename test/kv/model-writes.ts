// One random write to a store and to the plain map beside it: a put or a delete, with a condition or not, a batch of
// them, or one key that is read, changed and written.
import { ConflictError, type Write } from '../../src/kv/write.ts'
import { type Change, type Run, SPACES, storedKey } from './model-state.ts'

export function write(run: Run): void {
  const { random, store } = run
  if (random.chance(0.2)) {
    change(run)
    return
  }
  const model = run.after(run.batches.length)
  const writes: Write[] = []
  const count = random.chance(0.2) ? 1 + random.below(6) : 1
  for (let i = 0; i < count; i++) {
    const { ns, key } = run.key()
    if (random.chance(0.25)) writes.push({ op: 'delete', ns, key })
    else {
      const value = Buffer.from('v'.repeat(random.below(random.chance(0.05) ? 3000 : 60)) + random.u32())
      const expiresUs = random.chance(0.2) ? run.clock.nowUs() + random.below(60) * 1_000_000 : 0
      writes.push({ op: 'put', ns, key, value, expiresUs })
    }
  }
  const before = store.lastVersion
  const changes: Change[] = []
  if (count === 1) {
    const write = writes[0]!
    const there = model.get(storedKey(write.ns, write.key as string))
    const alive = there !== undefined && (there.expiresUs === 0 || there.expiresUs > run.clock.nowUs())
    const condition = random.chance(0.2) ? { ifVersion: alive && random.chance(0.6) ? there.version : 0 } : {}
    try {
      if (write.op === 'put')
        store.put(write.ns, write.key, write.value, { expiresUs: write.expiresUs!, ...condition })
      else store.delete(write.ns, write.key, condition)
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error
      if (condition.ifVersion === (alive ? there.version : 0))
        run.faults.push(`conflict without cause: ${error}`)
      return
    }
    if (condition.ifVersion !== undefined && condition.ifVersion !== (alive ? there.version : 0)) {
      run.faults.push('a condition that does not hold let a write through')
    }
  } else store.batch(writes)
  let version = before
  for (const write of writes) {
    if (count === 1 && store.lastVersion === before) continue
    const key = storedKey(write.ns, write.key as string)
    version++
    const kept =
      write.op === 'delete'
        ? null
        : { value: Buffer.from(write.value).toString(), version, expiresUs: write.expiresUs! }
    changes.push({ key, version, kept })
  }
  if (changes.length === 0) return
  run.batches.push(changes)
  run.groups.push(store.lastGroup)
}

/** One key is read, changed and written: a counter, a structured value in part, or any value by a function. */
function change(run: Run): void {
  const { random, store } = run
  const kind = random.pick(['count', 'doc', 'any'] as const)
  const ns = random.pick(SPACES)
  const key = `${kind}/${random.below(4)}`
  const there = run.after(run.batches.length).get(storedKey(ns, key))
  const now = there !== undefined && run.isAlive(there) ? there : undefined
  const expiresUs = now?.expiresUs ?? 0
  const before = store.lastVersion
  let value: string | null
  if (kind === 'count') {
    const by = random.below(20) - 10
    value = String(Number(now?.value ?? 0) + by)
    if (store.add(ns, key, by).value !== Number(value)) run.faults.push(`add gave another than ${value}`)
  } else if (kind === 'doc') {
    const member = `m${random.below(3)}`
    const patch = { [member]: random.chance(0.3) ? null : random.below(100) }
    const merged = { ...JSON.parse(now?.value ?? '{}'), ...patch }
    if (patch[member] === null) delete merged[member]
    value = JSON.stringify(merged)
    store.patch(ns, key, Buffer.from(JSON.stringify(patch)))
  } else {
    value = random.chance(0.3) ? null : `${now?.value ?? ''}${random.below(10)}`.slice(-40)
    store.update(
      ns,
      key,
      entry => {
        run.same(entry && Buffer.from(entry.value).toString(), now?.value, 'update')
        return value === null ? null : Buffer.from(value)
      },
      { expiresUs }
    )
  }
  if (store.lastVersion === before) return
  const version = before + 1
  run.batches.push([
    { key: storedKey(ns, key), version, kept: value === null ? null : { value, version, expiresUs } }
  ])
  run.groups.push(store.lastGroup)
}
