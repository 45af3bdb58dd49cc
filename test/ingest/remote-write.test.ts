import t from 'tap'
import { VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { LabelSets } from '../../src/ingest/label-sets.ts'
import { RemoteWrite, remoteWriteMessage } from '../../src/ingest/remote-write.ts'
import { seeds } from '../kit/seeds.ts'
import {
  field,
  label,
  type RequestSeries,
  STALE_BITS,
  sample,
  varint,
  writeRequest
} from '../kit/write-request.ts'
import { FakeAppender } from './fake-appender.ts'

const NOW_MS = 1_760_000_000_000
const NOW_US = NOW_MS * 1000
const up = (...more: [string, string][]): RequestSeries['labels'] => [['__name__', 'up'], ...more]

t.test('remote write: a series is the group of its name, the sample its field `value`', async t => {
  const appender = new FakeAppender()
  const writer = new RemoteWrite(appender)
  const body = writeRequest([
    {
      labels: up(['instance', 'a:1'], ['job', 'é']),
      samples: [
        [NOW_MS, 1.5],
        [NOW_MS + 1, -0]
      ]
    },
    {
      labels: [
        ['__name__', 'go_gc'],
        ['empty', '']
      ],
      samples: [[0, Number.POSITIVE_INFINITY]]
    }
  ])
  const result = writer.store(body, { nowUs: NOW_US })
  t.match(result, { samples: 3, refused: 0, refusals: [] })
  t.equal(remoteWriteMessage(result), null)
  t.match(appender.rows, [
    { name: 'up', labels: { instance: 'a:1', job: 'é' }, timeUs: NOW_US, fields: { value: 1.5 } },
    { name: 'up', timeUs: NOW_US + 1000, fields: { value: -0 } },
    { name: 'go_gc', labels: {}, timeUs: 0, fields: { value: Number.POSITIVE_INFINITY } }
  ])
  writer.store(body, { nowUs: NOW_US })
  t.equal(appender.asked, 2, 'known label sets are not looked up again')
})

t.test('remote write: the bits of a value reach the store as they are', async t => {
  const appender = new FakeAppender()
  const bits: bigint[] = []
  const { end } = appender
  appender.end = () => {
    bits.push(new BigUint64Array(appender.slots.buffer)[appender.at]!)
    end.call(appender)
  }
  const sent = [STALE_BITS, 0x7ff8000000000001n, 0xfff0000000000123n, 1n, 0x8000000000000000n]
  const samples = sent.map((value, i) => [NOW_MS + i, value] as const)
  new RemoteWrite(appender).store(writeRequest([{ labels: up(), samples }]), { nowUs: NOW_US })
  t.strictSame(bits, sent)
})

t.test('remote write: metadata, exemplars and fields of later versions are passed over', async t => {
  const appender = new FakeAppender()
  const odd = Buffer.concat([
    field(9, Buffer.from('x')),
    varint(10 * 8),
    varint(7),
    varint(11 * 8 + 5),
    Buffer.alloc(4)
  ])
  const body = Buffer.concat([
    field(3, field(2, Buffer.from('up'))),
    odd,
    writeRequest([{ labels: up(), samples: [[NOW_MS, 1]], before: odd, after: field(3, sample(1, 2)) }]),
    varint(12 * 8 + 1),
    Buffer.alloc(8)
  ])
  t.match(new RemoteWrite(appender).store(body, { nowUs: NOW_US }), { samples: 1, refused: 0 })
  t.equal(appender.rows.length, 1)
})

t.test('remote write: labels may stand anywhere in their series', async t => {
  const appender = new FakeAppender()
  const body = (i: number) => {
    const between = field(2, sample(NOW_MS, 1 + i))
    return field(1, label('job', 'j'), between, label('__name__', 'm'), field(2, sample(NOW_MS + 5, 2)))
  }
  const writer = new RemoteWrite(appender)
  for (let i = 0; i < 2; i++) t.match(writer.store(body(i), { nowUs: NOW_US }), { samples: 2, refused: 0 })
  t.match(appender.rows[0], { name: 'm', labels: { job: 'j' }, fields: { value: 1 } })
  t.equal(appender.asked, 1)
})

t.test('remote write: what cannot be stored is refused by name, the rest is stored', async t => {
  const appender = new FakeAppender()
  const good = { labels: up(), samples: [[NOW_MS, 1]] } as const
  const bad: readonly [Buffer, RegExp][] = [
    [writeRequest([{ labels: [['job', 'x']], samples: good.samples }]), /__name__ is not there/],
    [writeRequest([{ labels: up(['a', '1'], ['a', '2']), samples: good.samples }]), /a is given twice/],
    [writeRequest([{ labels: up(['', '1']), samples: good.samples }]), /name of 0 bytes/],
    [writeRequest([{ labels: up(['a', 'x'.repeat(5000)]), samples: good.samples }]), /5000 bytes, the limit/],
    [field(1, label('__name__', Buffer.from([0xff])), field(2, sample(NOW_MS, 1))), /not UTF-8/],
    [writeRequest([{ labels: up(), samples: [[-1, 1]] }]), /time -1 ms is not within/],
    [writeRequest([{ labels: up(), samples: [[NOW_MS * 2, 1]] }]), /is not within 1970 and a year ahead/],
    [writeRequest([{ labels: up(), samples: [[2 ** 62, 1]] }]), /is not within/],
    [field(1, label('__name__', 'h'), field(4, Buffer.alloc(3))), /{__name__="h"}: native histograms/]
  ]
  const writer = new RemoteWrite(appender)
  const last = writeRequest([
    {
      labels: up(),
      samples: [
        [NOW_MS + 5, 1],
        [NOW_MS + 6, 1]
      ]
    }
  ])
  const times = { nowUs: NOW_MS * 1000, latestUs: (NOW_MS + 5) * 1000 }
  t.match(writer.store(last, times), { samples: 1, refused: 1 }, 'the latest time itself is taken')
  for (const [one, why] of bad) {
    const rows = appender.rows.length
    const result = writer.store(Buffer.concat([one, writeRequest([good])]), { nowUs: NOW_US })
    t.match(result, { samples: 1, refused: 1 }, String(why))
    t.match(remoteWriteMessage(result), why)
    t.equal(appender.rows.length, rows + 1)
  }
  appender.seriesMax = 1
  const full = writer.store(writeRequest([{ labels: up(['new', '1']), samples: good.samples }, good]), {
    nowUs: NOW_US
  })
  t.match(full, { samples: 1, refused: 1, refusals: [/limit is reached/] })
  appender.rowsMax = appender.rows.length
  t.throws(() => writer.store(writeRequest([good]), { nowUs: NOW_US }), { code: 'VARVE_STORE_FAILED' })
})

t.test('remote write: a body over a limit, cut or no protobuf is refused whole, with its place', async t => {
  const series = {
    labels: up(),
    samples: [
      [NOW_MS, 1],
      [NOW_MS + 1, 2]
    ]
  } as const
  const body = writeRequest([series, series])
  const writer = (limits: { seriesMax: number; samplesMax: number }) =>
    new RemoteWrite(new FakeAppender(), limits)
  const code = 'VARVE_REMOTE_WRITE'
  t.throws(() => writer({ seriesMax: 1, samplesMax: 9 }).store(body, { nowUs: NOW_US }), {
    code,
    message: /1 series at byte/
  })
  t.throws(() => writer({ seriesMax: 2, samplesMax: 3 }).store(body, { nowUs: NOW_US }), {
    code,
    message: /3 samples/
  })
  t.match(writer({ seriesMax: 2, samplesMax: 4 }).store(body, { nowUs: NOW_US }), { samples: 4 })
  const usual = { seriesMax: 9, samplesMax: 9 }
  for (let at = 1; at < body.length; at++) {
    const isWhole = at === body.length / 2
    const store = () => writer(usual).store(body.subarray(0, at), { nowUs: NOW_US })
    if (isWhole) t.equal(store().samples, 2)
    else t.throws(store, { code }, `cut at ${at}`)
  }
  for (const bytes of [
    [0],
    [1],
    [7],
    [11],
    [12, 1],
    [10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]
  ]) {
    t.throws(() => writer(usual).store(Buffer.from(bytes), { nowUs: NOW_US }), { code }, String(bytes))
  }
})

t.test('remote write: changed bytes store or are refused, and break nothing', async t => {
  for (const seed of seeds(3000)) {
    const random = new Random(seed)
    const all = Array.from({ length: 1 + random.below(3) }, (_, i) => ({
      labels: up(['i', String(i)]),
      samples: Array.from({ length: random.below(4) }, (_, k) => [NOW_MS + k, random.unit()] as const)
    }))
    const body = writeRequest(all)
    for (let n = 1 + random.below(4); n > 0 && body.length > 0; n--)
      body[random.below(body.length)] = random.below(256)
    const appender = new FakeAppender()
    try {
      const result = new RemoteWrite(appender).store(body, { nowUs: NOW_US })
      if (result.samples !== appender.rows.length) return t.fail(`miscounted: VARVE_SEED=${seed}`)
    } catch (error) {
      if (!(error instanceof VarveError)) return t.fail(`${error}: VARVE_SEED=${seed}`)
    }
  }
})

t.test('LabelSets finds what it was given, and forgets all rather than hold too much', async t => {
  const sets = new LabelSets(2000)
  const bytes = (i: number) => Buffer.from(`label${i}`)
  const find = (i: number) => sets.find(bytes(i), 0, bytes(i).length)
  for (let i = 0; i < 2000; i++) {
    if (find(i) !== -1) return t.fail(`${i} is known too early`)
    sets.add(bytes(i), 0, bytes(i).length, i)
  }
  t.ok(Array.from({ length: 2000 }, (_, i) => find(i)).every((shape, i) => shape === i))
  sets.add(bytes(2000), 0, bytes(2000).length, 2000)
  t.strictSame([find(2000), find(0)], [2000, -1])
})
