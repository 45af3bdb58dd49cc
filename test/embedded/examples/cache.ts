import assert from 'node:assert/strict'
import { open, text } from 'varve'

// Syncs may wait for a second: a cache that loses its last second loses nothing, and the card is spared.
await using db = await open('cache', { delayMaxMs: 20, limits: { hotBytesMax: 4 * 2 ** 20 } })
const pages = db.namespace('pages', text)

let rendered = 0
async function page(path: string): Promise<string> {
  const known = await pages.get(path)
  if (known !== undefined) return known
  rendered++
  const made = `<h1>${path}</h1>`
  // Nobody waits for the sync; a failure is not a failure of the page.
  pages.put(path, made, { ttlMs: 60_000 }).catch(error => console.error(error))
  return made
}

assert.equal(await page('/status'), '<h1>/status</h1>')
assert.equal(await page('/status'), '<h1>/status</h1>')
assert.equal(rendered, 1)
