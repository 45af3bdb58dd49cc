import assert from 'node:assert/strict'
import { open } from 'varve'

interface Session {
  user: string
  visits: number
}

await using db = await open('sessions')
const sessions = db.namespace<Session>('sessions')

// A session lives for half an hour after it was last seen.
const ttlMs = 30 * 60_000
await sessions.put('s-81f2', { user: 'ada', visits: 1 }, { ttlMs })
const seen = await sessions.update('s-81f2', now => now && { ...now, visits: now.visits + 1 }, { ttlMs })
assert.deepEqual(seen, { user: 'ada', visits: 2 })

// One that is over is not there, to the microsecond.
await sessions.put('s-0000', { user: 'bob', visits: 1 }, { ttlMs: 1 })
await new Promise(resolve => setTimeout(resolve, 5))
assert.equal(await sessions.get('s-0000'), undefined)
