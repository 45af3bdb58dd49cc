import assert from 'node:assert/strict'
import { open } from 'varve'

await using db = await open('locks')

// The pump takes orders of the newest holder only: it remembers the greatest token that it saw.
let newest = 0
function pump(order: string, token: number): string {
  if (token < newest) throw new Error('Cannot run pump: the lease is over')
  newest = token
  return order
}

const first = await db.leases.acquire('pump', { ttlMs: 20, owner: 'controller 1' })
{
  // The first holder hangs; its lease runs out and the next one gets it.
  await using second = await db.leases.acquire('pump', { ttlMs: 5000, waitMs: 1000, owner: 'controller 2' })
  assert.equal(pump('on', second.token), 'on')
  assert.throws(() => pump('off', first.token), /the lease is over/)
  assert.equal(await db.leases.tryAcquire('pump'), null)
}
// Given back at the end of the block.
await using third = await db.leases.acquire('pump')
assert.ok(third.token > newest)
