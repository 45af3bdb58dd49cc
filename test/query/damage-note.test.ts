// What could not be read for an answer stands in the answer.
import t from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { CorruptionError } from '../../src/base/errors.ts'
import { damageMember, withDamage } from '../../src/query/damage-note.ts'
import { answer } from '../../src/query/evaluate.ts'
import { DEFAULT_QUERY_LIMITS } from '../../src/query/limits.ts'
import { readRequest } from '../../src/query/parameters.ts'
import type { QueryKind } from '../../src/query/request.ts'
import { makeLabels } from '../../src/series/label.ts'
import { FakeSource } from './fake-source.ts'

const DAMAGE = new CorruptionError('segments/0000000007.seg', 4711, 'the block is damaged')

class DamagedSource extends FakeSource {
  readonly damage: CorruptionError[] = []
  readonly sampleDamage = this.damage
}

function ask(kind: QueryKind, params: Record<string, string>, isDamaged: boolean): string {
  const rows = [1, 2, 3].map(timeUs => ({ timeUs, cells: [timeUs / 8] }))
  const source = new DamagedSource([{ name: '', labels: makeLabels([['topic', 'a']]), fields: ['t'], rows }])
  // Found while it is read, as segments are.
  const runs = source.runs.bind(source)
  source.runs = function* (...args) {
    if (isDamaged && source.damage.length === 0) source.damage.push(DAMAGE)
    yield* runs(...args)
  }
  const request = readRequest(
    kind,
    new Map(Object.entries(params).map(([name, value]) => [name, [value]])),
    10
  )
  const context = { limits: DEFAULT_QUERY_LIMITS, clock: systemClock, isCancelled: () => false }
  return Buffer.concat([...answer(source, request, context)]).toString()
}

t.test('an answer in JSON says what was damaged, and is else as it was', async t => {
  for (const [kind, params] of [
    ['range', { match: 't', from: '0us', to: '9us' }],
    ['range', { match: 't', from: '0us', to: '9us', step: '1ms', fn: 'sum' }],
    ['history', { topic: 'a', from: '0us', to: '9us' }]
  ] as const) {
    const sound = JSON.parse(ask(kind, params, false))
    t.notOk('damage' in sound)
    const { damage, ...rest } = JSON.parse(ask(kind, params, true))
    t.same(damage, [{ file: DAMAGE.file, offset: DAMAGE.offset, why: DAMAGE.why, missing: true }])
    t.same(rest, sound)
    t.ok(ask(kind, params, true).endsWith('}\n'))
    for (const format of ['csv', 'ndjson', 'cbor'])
      t.equal(ask(kind, { ...params, format }, true), ask(kind, { ...params, format }, false))
  }
})

const told = (...missing: CorruptionError[]) => ({ damage: missing, missing, notes: [] })

t.test('withDamage() adds a member to the last piece of a document, wherever pieces end', async t => {
  const text = '{"status":"success","data":{"a":[1,2]}}'
  for (let cut = 0; cut <= text.length; cut++) {
    const pieces = [text.slice(0, cut), text.slice(cut)].map(piece => new Uint8Array(Buffer.from(piece)))
    const parsed = JSON.parse(Buffer.concat([...withDamage(pieces, 'infos', () => told(DAMAGE))]).toString())
    t.match(parsed, { status: 'success', data: { a: [1, 2] }, infos: [/samples are missing: .*4711/] })
    t.equal(Buffer.concat([...withDamage(pieces, 'infos', () => told())]).toString(), text)
  }
})

t.test('damageMember() knows which documents have a place for it', async t => {
  const is = (request: object) => damageMember(request as never)
  t.equal(is({ kind: 'promql-range' }), 'infos')
  t.equal(is({ kind: 'last', format: 'json' }), 'damage')
  t.equal(is({ kind: 'last', format: 'cbor' }), null)
  t.equal(is({ kind: 'remote-read' }), null)
  t.equal(is({ kind: 'influxql' }), null)
})
