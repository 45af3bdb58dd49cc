import assert from 'node:assert/strict'
import { open, text } from 'varve'

interface File {
  bytes: number
  type: string
}

await using db = await open('metadata')
const files = db.namespace<File>('files')
const byType = db.namespace('files.by-type', text)
const counts = db.namespace('files.counts', text)

// A file, its place in an index, and a count: one batch, so that they agree whatever happens.
for (const [path, type] of [
  ['2024/a.png', 'png'],
  ['2024/b.csv', 'csv'],
  ['2025/c.png', 'png']
] as const) {
  await db.batch([files.putting(path, { bytes: 100, type }), byType.putting(`${type}/${path}`, path)])
  await counts.add(type)
}

const pictures: string[] = []
for await (const { value } of byType.entries({ prefix: 'png/', reverse: true })) pictures.push(value)
assert.deepEqual(pictures, ['2025/c.png', '2024/a.png'])
assert.equal(await counts.get('png'), '2')

// What is stored is sound, and how large it is.
assert.equal((await db.verify()).damaged, 0)
assert.ok(db.statistics().entries > 0)
