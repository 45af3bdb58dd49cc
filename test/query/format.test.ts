// Every format is read back and compared with the answer it was made from.
import { decode } from 'cbor-x'
import t from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { Random } from '../../src/base/random.ts'
import { answer } from '../../src/query/evaluate.ts'
import { DEFAULT_QUERY_LIMITS } from '../../src/query/limits.ts'
import { PIECE_BYTES } from '../../src/query/pieces.ts'
import { FORMATS, type NativeRequest, type TimeStyle } from '../../src/query/request.ts'
import { isoTime, parseTime, timeName } from '../../src/query/time-text.ts'
import { makeLabels } from '../../src/series/label.ts'
import { anyGroups, FakeSource, seeds } from './fake-source.ts'

const CONTEXT = { limits: DEFAULT_QUERY_LIMITS, clock: systemClock, isCancelled: () => false }
const ALL = { selectors: [], topic: '#' }
const SPAN = { fromUs: -1e15, toUs: 1e15, order: 'asc', limit: null } as const

function bytesOf(source: FakeSource, request: NativeRequest): Buffer {
  return Buffer.concat([...answer(source, request, CONTEXT)])
}

function requests(format: NativeRequest['format'], time: TimeStyle): NativeRequest[] {
  const question = { format, time, select: ALL, ...SPAN }
  const windows = {
    stepUs: 5_000_000,
    functions: ['count', 'first', 'avg'],
    by: ['site'],
    tier: 'auto',
    explain: false
  } as const
  return [
    { ...question, kind: 'series' },
    { ...question, kind: 'last' },
    { ...question, kind: 'range', windows: null },
    { ...question, kind: 'range', windows },
    { ...question, kind: 'history' }
  ]
}

/** What JSON can hold of a value: no NaN, bytes in base64. */
function asJson(value: unknown): unknown {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString('base64') }
  if (Array.isArray(value)) return value.map(asJson)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, asJson(inner)]))
}

/** A reader of RFC 4180 written for this test: records of fields, `"` doubled inside quotes. */
function readCsv(text: string): { text: string; quoted: boolean }[][] {
  const records: { text: string; quoted: boolean }[][] = [[]]
  for (let at = 0; at < text.length; ) {
    const quoted = /"((?:[^"]|"")*)"/y
    const plain = /[^",\r\n]*/y
    quoted.lastIndex = plain.lastIndex = at
    const found = quoted.exec(text) ?? plain.exec(text)!
    const isQuoted = text[at] === '"'
    at += found[0].length
    records.at(-1)!.push({ text: isQuoted ? found[1]!.replaceAll('""', '"') : found[0], quoted: isQuoted })
    if (text.startsWith('\r\n', at)) {
      at += 2
      if (at < text.length) records.push([])
    } else if (text[at] === ',') at++
    else throw new Error(`no CSV at ${at}`)
  }
  return records
}

interface Document {
  columns?: string[]
  series?: { name: string; labels: Record<string, string>; rows?: unknown[][]; [member: string]: unknown }[]
  messages?: { topic: string; fields: Record<string, unknown>; raw?: unknown; [time: string]: unknown }[]
}

/** The document as one flat object a row, as NDJSON has it. */
function flat(document: Document): unknown[] {
  if (document.messages !== undefined) return document.messages
  return document.series!.flatMap(({ name, labels, rows, ...rest }) => {
    if (rows === undefined) return [{ name, labels, ...rest }]
    return rows.map(row => ({
      name,
      labels,
      ...Object.fromEntries(document.columns!.map((column, i) => [column, row[i]]))
    }))
  })
}

function csvText(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  if (value === Number.NEGATIVE_INFINITY) return '-Inf'
  return Object.is(value, -0) ? '-0' : String(value)
}

t.test('answer() says the same in JSON, lines, CSV and CBOR', async t => {
  for (const seed of seeds(25)) {
    const random = new Random(seed)
    const groups = anyGroups(random, 1 + random.below(6), 40)
    const time = random.pick(['us', 'ms', 's', 'iso'] as const)
    for (let i = 0; i < 5; i++) {
      const bytes = FORMATS.map(format => bytesOf(new FakeSource(groups, seed), requests(format, time)[i]!))
      const document = decode(bytes[3]!) as Document
      t.strictSame(JSON.parse(String(bytes[0])), withPayloads(asJson(document)), `JSON VARVE_SEED=${seed}`)
      const lines = String(bytes[1]).split('\n')
      t.equal(lines.pop(), '')
      t.strictSame(
        lines.map(line => JSON.parse(line)),
        flat(withPayloads(asJson(document)) as Document),
        `lines VARVE_SEED=${seed}`
      )
      t.strictSame(csvRows(String(bytes[2])), expectedCsv(document, timeName(time)), `CSV VARVE_SEED=${seed}`)
    }
  }
})

/** Payloads that are text are shown as text in JSON. */
function withPayloads(document: unknown): unknown {
  for (const message of (document as Document).messages ?? []) {
    if (message.raw === undefined) continue
    const bytes = Buffer.from((message.raw as { base64: string }).base64, 'base64')
    if (bytes.equals(Buffer.from(bytes.toString()))) message.raw = bytes.toString()
  }
  return document
}

/** Rows as objects of their cells that are not empty, sorted by column. */
function csvRows(text: string): unknown[] {
  const [header, ...rows] = readCsv(text)
  return rows.map(row => {
    if (row.length !== header!.length) throw new Error('a row of another length')
    const cells = row.flatMap((cell, i) =>
      cell.text === '' && !cell.quoted ? [] : [[header![i]!.text, cell.text]]
    )
    return cells.sort(([a], [b]) => (a! < b! ? -1 : 1))
  })
}

function expectedCsv(document: Document, time: string): unknown[] {
  const rows = flat(document) as Record<string, unknown>[]
  return rows.map(row => {
    const { labels, fields, raw, ...rest } = row
    const shown = raw instanceof Uint8Array ? { payload: payloadText(raw) } : {}
    const all: Record<string, unknown> = { ...rest, ...(labels as object), ...(fields as object), ...shown }
    if (all[time] === undefined) delete all[time]
    const cells = Object.entries(all)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => [name, csvText(value)])
    return cells.sort(([a], [b]) => (a! < b! ? -1 : 1))
  })
}

function payloadText(raw: Uint8Array): string {
  const text = Buffer.from(raw).toString()
  return Buffer.from(text).equals(Buffer.from(raw)) ? text : Buffer.from(raw).toString('base64')
}

t.test('answer() makes the bytes that its headers promise', async t => {
  const labels = makeLabels([
    ['topic', 'a/t'],
    ['value', 'odd']
  ])
  const rows = [1, Number.NaN, 'x'].map((cell, i) => ({ timeUs: i + 1, cells: [cell] }))
  const source = () => new FakeSource([{ name: '', labels, fields: ['t'], rows }])
  const range = { ...requests('json', 'us')[2]! }
  const text = (request: NativeRequest) => bytesOf(source(), request).toString()
  t.equal(
    text(range),
    '{"columns":["time_us","value"],"series":[{"name":"t","labels":{"topic":"a/t","value":"odd"},"rows":[[1,1],[2,null],[3,"x"]]}]}\n'
  )
  t.equal(
    text({ ...range, format: 'csv', time: 'iso' }),
    'time,name,topic,label_value,value\r\n1970-01-01T00:00:00.000001Z,t,a/t,odd,1\r\n' +
      '1970-01-01T00:00:00.000002Z,t,a/t,odd,NaN\r\n1970-01-01T00:00:00.000003Z,t,a/t,odd,x\r\n'
  )
  t.equal(
    text({ ...requests('ndjson', 's')[1]! }),
    '{"time_s":0.000003,"name":"t","labels":{"topic":"a/t","value":"odd"},"value":"x","kind":"string"}\n'
  )
  const nothing = bytesOf(new FakeSource([]), { ...range, format: 'cbor' }).toString('hex')
  const example = 'a2 67 636f6c756d6e73 82 67 74696d655f7573 65 76616c7565 66 736572696573 9f ff'
  t.equal(nothing, example.replaceAll(' ', ''))
})

t.test('answer() gives pieces of about 64 KiB and stops when it is cancelled', async t => {
  const rows = Array.from({ length: 60_000 }, (_, i) => ({ timeUs: i, cells: [i / 8] }))
  const group = { name: '', labels: makeLabels([['topic', 'a']]), fields: ['v'], rows }
  for (const format of FORMATS) {
    const pieces = [...answer(new FakeSource([group], 1, 5000), requests(format, 'us')[2]!, CONTEXT)]
    t.ok(pieces.length > 3, format)
    t.ok(
      pieces.slice(0, -1).every(({ length }) => length >= PIECE_BYTES && length < PIECE_BYTES + 4096),
      `${format} pieces`
    )
  }
  let isCancelled = false
  const context = { ...CONTEXT, isCancelled: () => isCancelled }
  const pieces = answer(new FakeSource([group]), requests('json', 'us')[2]!, context)
  pieces.next()
  isCancelled = true
  t.throws(() => [...pieces], { code: 'VARVE_QUERY_CANCELLED' })
  const limits = { ...DEFAULT_QUERY_LIMITS, bytesMax: 100_000 }
  const short = answer(new FakeSource([group]), requests('json', 'us')[2]!, { ...CONTEXT, limits })
  t.throws(() => [...short], { code: 'VARVE_QUERY_BYTES' })
})

t.test('answer() does not count the time that a slow reader takes', async t => {
  let nowMs = 0
  const clock = { ...systemClock, monotonicMs: () => nowMs }
  const rows = Array.from({ length: 40_000 }, (_, i) => ({ timeUs: i, cells: [i] }))
  const source = new FakeSource([{ name: '', labels: [], fields: ['v'], rows }])
  const request = { ...requests('csv', 'us')[2]!, select: { selectors: [], topic: null } }
  for (const _ of answer(source, request, { ...CONTEXT, clock })) nowMs += 3_600_000
  t.pass('an hour a piece')
})

t.test('parseTime() reads every form of a time', async t => {
  const nowUs = 1_700_000_000_000_000
  for (const text of [
    '1700000000000000',
    '1700000000s',
    '1700000000000ms',
    '1700000000000000us',
    'now',
    'now-0s',
    '2023-11-14T22:13:20Z',
    '2023-11-14T23:13:20.000000+01:00',
    '2023-11-14T22:13:20'
  ]) {
    t.equal(parseTime(text, nowUs), nowUs, text)
  }
  t.equal(parseTime('-15m', nowUs), nowUs - 900_000_000)
  t.equal(parseTime('1.5s', nowUs), 1_500_000)
  t.equal(parseTime('7', nowUs), 7)
  t.equal(parseTime('2024-02-29', nowUs), Date.UTC(2024, 1, 29) * 1000)
  for (const text of [
    '2023-02-29',
    '2023-13-01',
    '12:00',
    '',
    'x',
    '9'.repeat(16),
    '1e6',
    '5m',
    '--5s',
    '-7'
  ]) {
    t.throws(() => parseTime(text, nowUs), { code: /VARVE_(TIME|UNIT)/ }, JSON.stringify(text))
  }
  for (const seed of seeds(200)) {
    const random = new Random(seed)
    const timeUs = random.below(2 ** 32) * random.below(2 ** 18)
    t.equal(parseTime(isoTime(timeUs), 0), timeUs === 0 ? 0 : timeUs, `VARVE_SEED=${seed}`)
  }
})
