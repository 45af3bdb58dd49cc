import assert from 'node:assert/strict'
import { open } from 'varve'

await using db = await open('flags')
const flags = db.namespace<boolean>('flags')

// Flags that belong together change together, or not at all.
await db.batch([
  flags.putting('new-charts', true),
  flags.putting('old-charts', false),
  flags.deleting('beta')
])
assert.equal(await flags.getOrDefault('new-charts', false), true)
assert.equal(await flags.getOrDefault('never-set', false), false)

// Kept in memory, up to date: a snapshot, and every change after it.
const known = new Map<string, boolean>()
using snapshot = db.snapshot()
for (const [flag, isOn] of snapshot.of(flags).entries()) known.set(flag, isOn)
await flags.put('old-charts', true)
for await (const { key, value } of flags.watch({ after: snapshot.version })) {
  if (value === undefined) known.delete(key)
  else known.set(key, value)
  break
}
assert.deepEqual(Object.fromEntries(known), { 'new-charts': true, 'old-charts': true })
