import assert from 'node:assert/strict'
import { cbor, open } from 'varve'

interface Preferences {
  language: string
  seen?: Date
  panels?: Record<string, { height: number }>
}

await using db = await open('preferences')
const preferences = db.namespace('preferences', cbor<Preferences>())

await preferences.put('user/ada', { language: 'en', seen: new Date(0) }, { ifAbsent: true })
await preferences.patch('user/ada', { panels: { power: { height: 200 } } })
await preferences.patch('user/ada', { language: 'de', panels: { heat: { height: 100 } } })
assert.deepEqual(await preferences.get('user/ada'), {
  language: 'de',
  seen: new Date(0),
  panels: { power: { height: 200 }, heat: { height: 100 } }
})

// A page of users at a time, in order.
await preferences.put('user/bob', { language: 'fr' })
const users: string[] = []
for await (const key of preferences.keys({ prefix: 'user/', limit: 10 })) users.push(key)
assert.deepEqual(users, ['user/ada', 'user/bob'])
