import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Random } from '../../src/base/random.ts'
import { NodeDisk } from '../../src/disk/node-disk.ts'
import { seeds } from '../kit/seeds.ts'
import { anyRows, Model, type ModelRow, runLines } from './model.ts'
import { mergeAll, openStore, type TestStore } from './test-store.ts'

function temporary(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'varve-store-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  return dir
}

/** Everything that a reader of the store sees, against the model. */
function sameAsModel(t: Test, store: TestStore, model: Model, message: string): void {
  const reader = store.reader()
  for (let group = 0; group < 4; group++) {
    if (reader.hasGroup(group))
      t.same(
        runLines(reader.source.runs(group, null, 0, Number.MAX_SAFE_INTEGER)),
        model.lines(group),
        message
      )
  }
  reader.source.close()
}

t.test('a store reads back what was written, through flushes, merges and reopens', async t => {
  for (const seed of seeds(12)) {
    const random = new Random(seed)
    const dir = temporary(t)
    const model = new Model()
    let store = await openStore(new NodeDisk(dir))
    let rows: ModelRow[] = []
    for (let step = 0; step < 12; step++) {
      rows = anyRows(random, 1 + random.below(300), 4, 5)
      for (const row of rows) {
        store.write(row)
        model.write(row)
      }
      await store.synced()
      const action = random.below(4)
      if (action === 0) await store.series.flush()
      else if (action === 1) await mergeAll(store, new NodeDisk(dir))
      else if (action === 2) {
        await store.engine.close()
        store = await openStore(new NodeDisk(dir))
      }
      sameAsModel(t, store, model, `VARVE_SEED=${seed} step ${step} action ${action}`)
    }
    await store.engine.close()
  }
})

t.test('a reader made before a flush and a merge goes on reading what it saw', async t => {
  const dir = temporary(t)
  const random = new Random(7)
  const model = new Model()
  const store = await openStore(new NodeDisk(dir))
  for (const row of anyRows(random, 500, 4, 5)) {
    store.write(row)
    model.write(row)
  }
  await store.series.flush()
  const reader = store.reader()
  const before = model.lines(1)
  for (const row of anyRows(random, 500, 4, 5)) store.write(row)
  await store.series.flush()
  await mergeAll(store, new NodeDisk(dir))
  t.same(runLines(reader.source.runs(1, null, 0, Number.MAX_SAFE_INTEGER)), before)
  await store.engine.close()
})

t.test('last() is the newest value of every field, wherever it lies', async t => {
  for (const seed of seeds(20)) {
    const random = new Random(seed)
    const dir = temporary(t)
    const store = await openStore(new NodeDisk(dir))
    const rows = anyRows(random, 200, 2, 4)
    const newest = new Map<string, [number, unknown]>()
    for (const row of rows) {
      store.write(row)
      for (const { field, value } of row.values) {
        const key = `${row.group} ${field}`
        if ((newest.get(key)?.[0] ?? 0) <= row.timeUs) newest.set(key, [row.timeUs, value])
      }
      if (random.chance(0.02)) await store.series.flush()
    }
    const reader = store.reader()
    for (let group = 0; group < 2; group++) {
      if (!reader.hasGroup(group)) continue
      const found = reader.source.last(group, Number.MAX_SAFE_INTEGER)
      for (const { field, timeUs, value } of found) {
        t.same([timeUs, value], newest.get(`${group} ${field}`), `VARVE_SEED=${seed}`)
      }
      t.equal(found.length, [...newest.keys()].filter(key => key.startsWith(`${group} `)).length)
    }
    await store.engine.close()
  }
})
