// A backup of a daemon under load, by HTTP and by the command beside it, restored and served: what was acknowledged
// before it is there, and telemetry and entries are of one moment.
import { chmodSync, cpSync, existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ask, type LastAnswer, type Varve } from '../../scripts/varve-process.ts'
import { runHere, runVarve, serve, temporary, write } from './daemon.ts'

interface Report {
  readonly number: number
  readonly segments_linked: number
  readonly segments_copied: number
  readonly segments_kept: number
  readonly content_sum: string
  readonly damage: unknown[]
}

/** Writes row i, and when it is acknowledged entry i, until it is stopped. */
class Load {
  rows = 0
  entries = 0
  private readonly varve: Varve
  private isStopped = false
  readonly done: Promise<void>

  constructor(varve: Varve) {
    this.varve = varve
    this.done = this.run()
  }

  stop(): Promise<void> {
    this.isStopped = true
    return this.done
  }

  private async run(): Promise<void> {
    for (let i = 1; !this.isStopped; i++) {
      const [status, body] = await write(
        this.varve,
        `load,site=a value=${i} ${1_700_000_000 + i}\n`,
        '?precision=s'
      )
      if (status !== 204) throw new Error(`Cannot write: ${status} ${body}`)
      this.rows = i
      const reply = await fetch(`${this.varve.httpUrl}/v1/kv/app/counter`, { method: 'PUT', body: String(i) })
      if (!reply.ok) throw new Error(`Cannot put: ${reply.status} ${await reply.text()}`)
      this.entries = i
    }
  }
}

async function post<T>(varve: Varve, path: string): Promise<T> {
  const reply = await fetch(`${varve.httpUrl}${path}`, { method: 'POST' })
  if (!reply.ok) throw new Error(`${reply.status} ${await reply.text()}`)
  return (await reply.json()) as T
}

/** The newest row and the entry of a daemon; fails unless every row to the newest is there. */
async function stateOf(varve: Varve): Promise<{ rows: number; entries: number }> {
  const { series } = await ask<LastAnswer>(varve, '/v1/last?match=load')
  const rows = Number(series[0]!.value)
  const range = await fetch(
    `${varve.httpUrl}/v1/range?match=load&from=2023-11-01T00:00:00Z&step=1000d&fn=count&format=csv`
  )
  const lines = (await range.text()).trim().split('\n')
  t.equal(Number(lines.at(-1)!.split(',').at(-1)), rows, 'no row is missing')
  const entry = await fetch(`${varve.httpUrl}/v1/kv/app/counter`)
  return { rows, entries: Number(await entry.text()) }
}

t.test('a backup of a daemon under load holds all that was acknowledged, as of one moment', async t => {
  const dir = temporary(t)
  const target = join(temporary(t), 'backup')
  const varve = await serve(t, dir)
  const load = new Load(varve)
  while (load.entries < 20) await new Promise(resolve => setTimeout(resolve, 20))
  await post(varve, '/v1/flush')
  const first = await post<Report>(varve, `/v1/backup?dir=${encodeURIComponent(target)}`)
  t.match(first, { number: 1, segments_linked: 2, segments_copied: 0, segments_kept: 0, damage: [] })
  const [segment] = readdirSync(join(target, 'segments'))
  t.equal(statSync(join(target, 'segments', segment!)).nlink, 2, 'it is a link')
  while (load.entries < 40) await new Promise(resolve => setTimeout(resolve, 20))
  await post(varve, '/v1/flush')
  const before = { rows: load.rows, entries: load.entries }
  const ran = await runVarve('backup', '--data', dir, target, '--json')
  const after = { rows: load.rows, entries: load.entries }
  t.equal(ran.code, 0, ran.err)
  const second = JSON.parse(ran.out) as Report
  t.match(second, { number: 2, segments_linked: 2, segments_copied: 0, segments_kept: 2 }, 'only what is new')
  await load.stop()

  const restored = join(temporary(t), 'restored')
  const done = await runVarve('restore', target, restored)
  t.match(done, { code: 0, out: new RegExp(`restored backup 2 of .*content ${second.content_sum}`) })
  t.match(await runHere('check', restored), { code: 0, out: /^sound: / })
  const found = await stateOf(await serve(t, restored))
  t.ok(found.rows >= before.rows && found.entries >= before.entries, 'what was acknowledged before is there')
  t.ok(found.rows <= after.rows + 1, 'and nothing of later')
  t.ok(
    found.rows === found.entries || found.rows === found.entries + 1,
    `one moment: ${JSON.stringify(found)}`
  )

  await t.test('what cannot be is refused by name', async t => {
    t.match(await runHere('restore', target, restored), { code: 2, err: /not empty/ })
    t.match(await runHere('restore', dir, join(dir, 'x')), { code: 2, err: /no backup/ })
    t.match(await runHere('backup', '--data', dir, dir), { code: 2 })
    for (const path of ['/v1/backup', '/v1/backup?dir=relative'])
      t.equal((await fetch(`${varve.httpUrl}${path}`, { method: 'POST' })).status, 400)
    const taken = join(temporary(t), 'taken')
    await runHere('backup', '--data', dir, taken)
    const file = join(taken, 'segments', readdirSync(join(taken, 'segments'))[0]!)
    t.ok(existsSync(file))
    // On a copy: a link shares its bytes with the data directory.
    const copy = join(temporary(t), 'copy')
    cpSync(taken, copy, { recursive: true })
    const hurt = join(copy, 'segments', readdirSync(join(copy, 'segments'))[0]!)
    chmodSync(hurt, 0o640)
    writeFileSync(hurt, Buffer.concat([Buffer.from('x'), Buffer.alloc(statSync(hurt).size - 1)]))
    const refused = await runHere('restore', copy, join(copy, 'out'))
    t.match(refused, { code: 3, err: /segments\/\d+\.seg .*damaged/ })
    t.notOk(existsSync(join(copy, 'out')))
  })
})

t.test('a backup tells how far it is to who asks for events, and ends alike', async t => {
  const dir = temporary(t)
  const varve = await serve(t, dir)
  await write(varve, 'load,site=a value=1 1700000001\n', '?precision=s')
  await post(varve, '/v1/flush')
  const events = async (target: string) => {
    const headers = { accept: 'text/event-stream' }
    const reply = await fetch(`${varve.httpUrl}/v1/backup?dir=${target}`, { method: 'POST', headers })
    t.equal(reply.headers.get('content-type'), 'text/event-stream')
    return [...(await reply.text()).matchAll(/event: (\w+)\ndata: (.*)\n\n/g)].map(([, name, data]) => [
      name,
      JSON.parse(data!)
    ])
  }
  const told = await events(join(temporary(t), 'backup'))
  const segments = join(dir, 'segments')
  const bytes = statSync(join(segments, readdirSync(segments)[0]!)).size
  t.same(told[0], ['progress', { bytes, of: bytes }])
  t.match(told.at(-1), ['done', { number: 1, segments_linked: 1, damage: [] }])
  t.match(await events(dir), [['error', { code: 'VARVE_LOCKED' }]])
})

t.test('what the command writes to the medium of the data is in the wear ledger', async t => {
  const dir = temporary(t)
  const first = await serve(t, dir)
  await write(first, `load,site=a value="${'x'.repeat(50_000)}" 1700000001\n`, '?precision=s')
  await first.stop('SIGTERM')
  const writtenBytes = async () =>
    (JSON.parse((await runVarve('wear', '--data', dir, '--json')).out) as { bytes: { other: number } }).bytes
      .other
  const before = await writtenBytes()
  const ran = await runVarve('backup', '--data', dir, join(temporary(t), 'backup'), '--json')
  const copied = (JSON.parse(ran.out) as { bytes_copied: number }).bytes_copied
  t.ok(copied > 50_000 && ran.err === '', ran.err)
  const after = await writtenBytes()
  t.ok(after >= before + copied && after < before + copied + 500_000, `${before} ${after} ${copied}`)
  const slips = () => readdirSync(dir).filter(name => name.startsWith('WEAR-'))
  t.equal(slips().length, 1)
  await (await serve(t, dir)).stop('SIGTERM')
  t.same(slips(), [])
  t.ok((await writtenBytes()) >= after)
})
