import assert from 'node:assert/strict'
import { open } from 'varve'

interface Sampling {
  everyS: number
  fields?: string[]
}

await using db = await open('configuration')
const config = db.namespace<Sampling>('config')
await config.put('dev7', { everyS: 10, fields: ['temperature'] })

// Whoever needs the configuration reads it and follows its changes from there: none is missed, none comes twice.
const after = db.version
const follower = (async () => {
  for await (const { key, value } of config.watch({ prefix: 'dev', after })) return { key, value }
})()

// Changed in part, as RFC 7396 says: null removes.
await config.patch('dev7', { everyS: 60, fields: null })
assert.deepEqual(await follower, { key: 'dev7', value: { everyS: 60 } })

// Two who change it at once: the second one is told.
const found = (await config.entry('dev7'))!
await config.put('dev7', { everyS: 5 }, { ifVersion: found.version })
await assert.rejects(config.put('dev7', { everyS: 1 }, { ifVersion: found.version }), {
  code: 'VARVE_CONFLICT'
})
