import t from 'tap'
import { VarveError } from '../../src/base/errors.ts'
import { Tail } from '../../src/daemon/tail.ts'
import { Catalog } from '../../src/series/catalog.ts'
import type { ArrivedRow } from '../../src/series/head-walk.ts'
import { makeLabels } from '../../src/series/label.ts'
import type { Matcher } from '../../src/series/matcher.ts'
import { HandClock } from '../kit/hand-clock.ts'

/** A tail over a WAL whose groups are built and synced by hand. */
function world(clientsMax = 4) {
  const catalog = new Catalog({ seriesMax: 100, fieldsPerGroupMax: 100 })
  const group = catalog.group('m', makeLabels([['site', 'a']]))
  catalog.field(group, 'value')
  const listeners: ((group: number) => void)[] = []
  const wal = {
    pendingGroup: 1,
    onSynced: (listener: (group: number) => void) => void listeners.push(listener)
  }
  const asked = new Set<(row: ArrivedRow) => void>()
  const series = {
    catalog,
    onDrain: (listener: (row: ArrivedRow) => void) => {
      asked.add(listener)
      return () => void asked.delete(listener)
    }
  }
  const clock = new HandClock()
  const tail = new Tail({ series, wal, clock, clientsMax: () => clientsMax })
  const template = { fields: Uint16Array.of(0), kinds: Uint8Array.of(0) }
  return {
    tail,
    catalog,
    asked,
    clock,
    /** Builds the next group of rows with these values. */
    drain(...values: number[]) {
      wal.pendingGroup++
      values.forEach((value, i) => {
        for (const tell of asked)
          tell({ id: 0, shape: { group, boot: 0, template }, timeUs: i, value: () => value })
      })
    },
    synced(upTo: number) {
      for (const listener of listeners) listener(upTo)
    }
  }
}

const ALL = { selectors: [], topic: null }

/** Follows, and gathers what is told. */
function follow(tail: Tail, select: { selectors: Matcher[][]; topic: string | null } = ALL) {
  const stop = new AbortController()
  const told: string[] = []
  const ended = (async () => {
    for await (const piece of tail.follow(select, stop.signal)) told.push(String(piece))
  })()
  return { told, ended, stop }
}

async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

t.test('a row is told after its group is synced, not before, and once', async t => {
  const { tail, asked, drain, synced } = world()
  t.equal(asked.size, 0, 'nothing is looked at while nobody follows')
  drain(0)
  const { told, stop, ended } = follow(tail)
  await turns()
  t.same(told, [': following\n\n'])
  drain(1)
  drain(2, 3)
  await turns()
  t.equal(told.length, 1, 'not yet')
  synced(1)
  await turns()
  t.equal(told.length, 1, 'of an earlier group')
  synced(2)
  await turns()
  t.same(told.slice(1), [
    'id: 1\ndata: {"time_us":0,"name":"m","labels":{"site":"a"},"fields":{"value":1}}\n\n'
  ])
  synced(3)
  synced(3)
  await turns()
  t.match(told[2], /"value":2\}\}\n\nid: 3\n.*"value":3/s)
  t.equal(told.length, 3)
  stop.abort()
  await ended
  t.equal(asked.size, 0)
  t.equal(tail.clients, 0)
})

t.test('who does not take rows loses those beyond the bound, counted, with their place', async t => {
  const { tail, drain, synced, clock } = world()
  const iteration = tail.follow(ALL, new AbortController().signal)[Symbol.asyncIterator]()
  await iteration.next()
  let group = 1
  for (; group <= 30; group++) {
    drain(...new Array<number>(1000).fill(group))
    synced(group)
    clock.advance(1000)
  }
  const first = String((await iteration.next()).value)
  const kept = first.split('data: {"time').length - 1
  t.ok(first.length < 1.1 * 1024 ** 2 && first.length > 1024 ** 2, `${first.length} bytes are held`)
  drain(7)
  synced(group)
  const next = String((await iteration.next()).value)
  const dropped = [...(first + next).matchAll(/event: dropped\ndata: \{"rows":(\d+)\}/g)].reduce(
    (sum, [, n]) => sum + Number(n),
    0
  )
  t.equal(kept + dropped, 30_000)
  t.match(next, /"value":7/)
  await iteration.return(undefined)
})

t.test('no more rows a second are made into text than the bound', async t => {
  const { tail, drain, synced } = world()
  const { told, stop, ended } = follow(tail)
  await turns()
  for (let group = 1; group <= 25; group++) {
    drain(...new Array<number>(1000).fill(1))
    synced(group)
    await turns()
  }
  const text = told.join('')
  t.equal(text.split('data: {"time').length - 1, 20_000)
  t.match(text, /event: dropped/)
  stop.abort()
  await ended
})

t.test('a matcher that costs too much ends its follower, and nobody else', async t => {
  const { tail, drain, synced, catalog } = world()
  const other = follow(tail)
  const { at } = catalog
  const bad = follow(tail, { selectors: [[{ name: 'site', op: '=', value: 'a' }]], topic: null })
  await turns()
  let asked = 0
  catalog.at = function (this: Catalog, id: number) {
    if (++asked === 2) throw new VarveError('VARVE_REGEX_COST', 'Cannot match: it costs too much')
    return at.call(this, id)
  }
  drain(1)
  synced(1)
  await bad.ended
  t.match(bad.told.at(-1), /^event: error\ndata: \{"code":"VARVE_REGEX_COST"/)
  await turns()
  t.match(other.told.at(-1), /"value":1/)
  tail.close()
  await other.ended
})

t.test('one client too many is refused', async t => {
  const { tail } = world(1)
  const { stop, ended } = follow(tail)
  await turns()
  await t.rejects(follow(tail).ended, { code: 'VARVE_TAIL_CLIENTS' })
  stop.abort()
  await ended
  const again = follow(tail)
  await turns()
  t.equal(again.told.length, 1)
  tail.close()
  await again.ended
})
