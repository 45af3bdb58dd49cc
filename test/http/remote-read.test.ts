import t from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { snappyLength, undoSnappy } from '../../src/ingest/snappy.ts'
import { answer } from '../../src/query/evaluate.ts'
import { DEFAULT_QUERY_LIMITS } from '../../src/query/limits.ts'
import { readRemoteRequest } from '../../src/query/promql/remote-read.ts'
import { makeLabels } from '../../src/series/label.ts'
import { seeds } from '../kit/seeds.ts'
import { compress, field, label, sample, varint } from '../kit/write-request.ts'
import { FakeSource } from '../query/fake-source.ts'
import { Kit } from './server-kit.ts'

/** A Query: its span and matchers of (op, name, value). */
function query(fromMs: number, toMs: number, ...matchers: (readonly [number, string, string])[]): Buffer {
  const all = matchers.map(([op, name, value]) =>
    field(3, varint(8), varint(op), field(2, Buffer.from(name)), field(3, Buffer.from(value)))
  )
  return field(1, varint(8), varint(fromMs), varint(16), varint(toMs), ...all)
}

function post(kit: Kit, body: Uint8Array<ArrayBuffer>) {
  const headers = { 'content-type': 'application/x-protobuf', 'accept-encoding': 'gzip, snappy' }
  return kit.fetch('/api/v1/read', { method: 'POST', body, headers })
}

t.test(
  '/api/v1/read answers each query with its series, in snappy whatever else the client takes',
  async t => {
    const kit = await Kit.open({ rows: 3000 })
    t.teardown(() => kit.server.close())
    const body = Buffer.concat([query(0, 1, [2, '__name__', 't|u']), query(5, 9, [0, '__name__', 't'])])
    const response = await post(kit, compress(body))
    t.equal(response.status, 200)
    t.equal(response.headers.get('content-encoding'), 'snappy')
    const block = new Uint8Array(await response.arrayBuffer())
    const bytes = Buffer.alloc(snappyLength(block))
    undoSnappy(block, bytes)
    // Rows lie a microsecond apart, and a millisecond has one sample: that of rows 0, 1000 and 2000.
    const labels = [label('__name__', 't'), label('site', 'ž'), label('topic', 'site1/t')]
    const series = field(1, ...labels, field(2, sample(0, 0)), field(2, sample(1, 125)))
    t.strictSame(bytes, Buffer.concat([field(1, series), field(1)]))
  }
)

t.test('a string that ends is a stale mark to who reads remotely', async t => {
  const cells = ['on', 'off', 'on']
  const rows = cells.map((cell, i) => ({ timeUs: i * 1000, cells: [cell] }))
  const source = new FakeSource([{ name: '', labels: makeLabels([]), fields: ['lamp'], rows }])
  const context = { limits: DEFAULT_QUERY_LIMITS, clock: systemClock, isCancelled: () => false }
  const request = readRemoteRequest(query(0, 5, [0, '__name__', 'lamp'], [0, 'value', 'on']))
  const block = Buffer.concat([...answer(source, request, context)])
  const bytes = Buffer.alloc(snappyLength(block))
  undoSnappy(block, bytes)
  const stale = Buffer.from([9, 2, 0, 0, 0, 0, 0, 0xf0, 0x7f, 16, 1])
  const samples = [sample(0, 1), stale, sample(2, 1)].map(one => field(2, one))
  const series = field(1, label('__name__', 'lamp'), label('value', 'on'), ...samples)
  t.strictSame(bytes, field(1, series))
})

t.test('/api/v1/read refuses what is no request, with its reason', async t => {
  const kit = await Kit.open()
  t.teardown(() => kit.server.close())
  const bad: readonly [Uint8Array<ArrayBuffer>, RegExp][] = [
    [new Uint8Array([9, 9]), /snappy/],
    [compress(Buffer.from([10, 200, 1])), /field is cut|no protobuf/],
    [compress(query(0, 1, [7, 'a', 'b'])), /no matcher: type 7/],
    [compress(query(0, 1, [0, '', 'b'])), /no matcher/],
    [compress(query(0, 1, [2, 'a', '('])), /regular expression/i],
    [compress(Buffer.concat(Array.from({ length: 65 }, () => query(0, 1)))), /more than 64 queries/],
    [compress(Buffer.alloc(1024 ** 2 + 1)), /longer than/]
  ]
  for (const [body, why] of bad) {
    const response = await post(kit, body)
    t.ok([400, 413].includes(response.status), String(why))
    t.match(await response.text(), why)
  }
})

t.test('readRemoteRequest() reads or refuses changed bytes', async t => {
  for (const seed of seeds(3000)) {
    const random = new Random(seed)
    const bytes = query(random.below(1e9), 2e12, [random.below(4), 'job', 'x|y'], [0, '__name__', 'up'])
    for (let n = 1 + random.below(4); n > 0; n--) bytes[random.below(bytes.length)] = random.below(256)
    try {
      readRemoteRequest(bytes)
    } catch (error) {
      if (!(error instanceof VarveError)) return t.fail(`${error}: VARVE_SEED=${seed}`)
    }
  }
})
