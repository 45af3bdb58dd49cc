// The store in the own process, through the package's name, as another program has it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { bytes, ConflictError, type Database, type OpenChoices, open, text } from 'varve'

function temporary(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'varve-embedded-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

async function opened(t: Test, choices: OpenChoices = {}): Promise<Database> {
  const db = await open(temporary(t), choices)
  t.teardown(() => db.close())
  return db
}

async function all<T>(from: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const one of from) found.push(one)
  return found
}

t.test('open() refuses a directory that is open, and finds everything again after close()', async t => {
  const dir = temporary(t)
  const first = await open(dir)
  await first.namespace<number>('n').put('k', 1)
  await t.rejects(open(dir), { code: 'VARVE_LOCKED' })
  await first.close()
  await first.close()
  await t.rejects(first.namespace('n').get('k'), { code: 'VARVE_CLOSED' })
  await t.rejects(first.namespace('n').put('k', 2), { code: 'VARVE_CLOSED' })
  const again = await open(dir)
  t.teardown(() => again.close())
  t.equal(await again.namespace('n').get('k'), 1)
})

t.test('what a program was told is there after SIGKILL', async t => {
  const dir = temporary(t)
  const program = `
    import { open } from 'varve'
    const db = await open(${JSON.stringify(dir)})
    const n = db.namespace('n')
    for (let i = 0; ; i++) {
      await Promise.all(Array.from({ length: 20 }, (_, k) => n.put(String(k), i)))
      process.stdout.write(i + ' ')
    }`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { cwd: import.meta.dirname })
  let said = ''
  child.stdout.on('data', piece => {
    said += piece
    if (said.length > 400) child.kill('SIGKILL')
  })
  await once(child, 'close')
  const told = Number(
    said
      .trim()
      .split(' ')
      .at(said.endsWith(' ') ? -1 : -2)
  )
  const db = await open(dir)
  t.teardown(() => db.close())
  const values = (await all(db.namespace<number>('n').entries())).map(({ value }) => value)
  t.equal(values.length, 20)
  t.ok(told > 10 && values.every(value => value === told || value === told + 1), `${told}: ${values}`)
})

t.test('Namespace iterates both ways by prefix, range, limit and cursor', async t => {
  const n = (await opened(t)).namespace('n', text)
  for (const key of ['a', 'b1', 'b2', 'b3', 'c']) await n.put(key, key.toUpperCase())
  t.same(await all(n.keys({ prefix: 'b', reverse: true })), ['b3', 'b2', 'b1'])
  t.same(await all(n.keys({ from: 'b2', to: 'c' })), ['b2', 'b3'])
  const [first] = await all(n.entries({ limit: 1 }))
  t.match(first, { key: 'a', value: 'A', expires: null })
  t.same(await all(n.keys({ cursor: first!.cursor, limit: 2 })), ['b1', 'b2'])
})

t.test('Namespace.put() and delete() keep their conditions, and batch() is all or nothing', async t => {
  const db = await opened(t)
  const n = db.namespace<number>('n')
  const version = await n.put('k', 1, { ifAbsent: true })
  await t.rejects(n.put('k', 2, { ifAbsent: true }), ConflictError)
  await t.rejects(n.delete('k', { ifVersion: version + 1 }), { code: 'VARVE_CONFLICT' })
  await t.rejects(db.batch([n.putting('other', 1), n.putting('k', 2, { ifVersion: 0 })]), ConflictError)
  t.equal(await n.has('other'), false)
  t.ok((await db.batch([n.putting('k', 3, { ifVersion: version }), n.deleting('other')])) > version)
  t.equal(await n.update('k', now => (now ?? 0) + 1), 4)
  t.equal(await n.update('k', () => undefined), undefined)
  t.equal(await n.getOrDefault('k', 9), 9)
  t.same(await Promise.all([1, 2, 3].map(by => n.add('count', by))), [1, 3, 6])
  t.equal(await n.get('count'), 6)
  const raw = db.namespace('raw', bytes)
  await raw.put('k', new Uint8Array([0, 255]))
  t.same(await raw.get('k'), new Uint8Array([0, 255]))
  await t.rejects(raw.patch('k', new Uint8Array([1])), { code: 'VARVE_PATCH' })
  await t.rejects(n.put('k'.repeat(1025), 1), { code: 'VARVE_KEY' })
})

t.test('a snapshot and the watch after it tell everything once', async t => {
  const db = await opened(t)
  const n = db.namespace<number>('n')
  await n.put('a', 1)
  using snapshot = db.snapshot()
  await Promise.all([n.put('a', 2), n.put('b', 3)])
  await n.delete('a')
  t.same([...snapshot.of(n).entries()], [['a', 1]])
  t.same([snapshot.of(n).get('a'), snapshot.of(n).get('b')], [1, undefined])
  const told: string[] = []
  for await (const { key, value } of n.watch({ after: snapshot.version })) {
    told.push(`${key}=${value}`)
    if (told.length === 3) break
  }
  t.same(told, ['a=2', 'b=3', 'a=undefined'])
})

t.test('segments are joined by themselves, and verify() finds them sound', async t => {
  const db = await opened(t, { limits: { memtableBytesMax: 20_000, carryBytesMax: 0 } })
  const n = db.namespace<string>('n')
  let last = ''
  // Another thread flushes, so that it takes some rounds until there is something to join.
  const deadline = performance.now() + 20_000
  for (let round = 0; db.statistics().compactions.runs === 0 && performance.now() < deadline; round++) {
    last = 'v'.repeat(round % 50)
    await Promise.all(Array.from({ length: 200 }, (_, i) => n.put(`key/${i}`, last)))
  }
  await db.compact()
  const { segments, compactions } = db.statistics()
  t.ok(segments < 12 && compactions.runs > 0, `${segments} segments after ${compactions.runs} compactions`)
  const report = await db.verify()
  t.ok(report.blocks > 0 && report.entries >= 200 && report.damaged === 0, JSON.stringify(report))
  t.equal(await n.get('key/7'), last)
})

t.test('close() while segments are joined leaves all of them, and the next open no other file', async t => {
  const dir = temporary(t)
  const errors: unknown[] = []
  const choices = {
    limits: { memtableBytesMax: 20_000, carryBytesMax: 0 },
    onError: (e: unknown) => errors.push(e)
  }
  let last = ''
  for (let round = 0; round < 4; round++) {
    const db = await open(dir, choices)
    const n = db.namespace<string>('n')
    for (let i = 0; i < 10 || (db.statistics().segments < 2 && i < 2000); i++) {
      last = `${round} ${i}`
      await Promise.all(Array.from({ length: 200 }, (_, key) => n.put(`key/${key}`, last)))
    }
    const ended = db.compact().then(
      () => 'joined',
      error => error.code
    )
    await db.close()
    t.ok(['joined', 'VARVE_CLOSED'].includes(await ended), await ended)
  }
  const db = await open(dir, choices)
  t.equal((await all(db.namespace<string>('n').entries())).filter(({ value }) => value === last).length, 200)
  t.equal(readdirSync(join(dir, 'segments')).length, db.statistics().segments)
  t.equal((await db.verify()).damaged, 0)
  await db.close()
  t.same(errors, [])
})
