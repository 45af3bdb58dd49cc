// Every answer is compared with what a plain loop over all rows says.
import t from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { Random } from '../../src/base/random.ts'
import type { Answer, Cell } from '../../src/query/answer.ts'
import { evaluate } from '../../src/query/evaluate.ts'
import { Budget, DEFAULT_QUERY_LIMITS } from '../../src/query/limits.ts'
import {
  type HistoryRequest,
  type NativeRequest,
  type RangeRequest,
  WINDOW_FUNCTIONS,
  type WindowFunction
} from '../../src/query/request.ts'
import { labelValue, makeLabels } from '../../src/series/label.ts'
import { KIND_NAMES, type Value } from '../../src/series/sample.ts'
import { parseSelector } from '../../src/series/selector.ts'
import { topicMatches } from '../../src/series/topic-filter.ts'
import { anyGroups, FakeSource, kindOf, seeds } from './fake-source.ts'

const QUESTION = { format: 'json', time: 'us', limit: null, select: { selectors: [], topic: null } } as const

function budget(limits = DEFAULT_QUERY_LIMITS): Budget {
  return new Budget(limits, systemClock, () => false)
}

interface Found {
  name: string
  labels: string
  rows: [number, ...Cell[]][]
}

function taken(answer: Answer): Found[] {
  if (answer.is === 'messages') throw new Error('not series')
  return Array.from(answer.parts, ({ name, labels, rows }) => ({
    name,
    labels: JSON.stringify(labels),
    rows: Array.from(rows, ({ timeUs, cells }): [number, ...Cell[]] => [timeUs, ...cells])
  }))
}

/** The samples of each series in a request's span, by id. */
function modelSamples(source: FakeSource, request: RangeRequest): Map<number, [number, Value][]> {
  const found = new Map<number, [number, Value][]>()
  for (const { id, group, field } of source.all) {
    const samples: [number, Value][] = []
    for (const { timeUs, cells } of source.groups[group]!.rows) {
      const cell = cells[field]!
      if (cell !== null && timeUs >= request.fromUs && timeUs <= request.toUs) samples.push([timeUs, cell])
    }
    if (request.order === 'desc') samples.reverse()
    if (samples.length > 0) found.set(id, samples)
  }
  return found
}

function modelWindow(fn: WindowFunction, samples: readonly [number, Value][]): Cell {
  const numbers = samples
    .map(([, value]) => value)
    .filter(v => typeof v === 'number' || typeof v === 'boolean')
  const sum = numbers.reduce<number>((all, v) => all + Number(v), 0)
  const real = numbers.map(Number).filter(v => !Number.isNaN(v))
  if (fn === 'count') return samples.length
  if (fn === 'first') return samples[0]![1]
  if (fn === 'last') return samples.at(-1)![1]
  if (numbers.length === 0) return null
  if (fn === 'sum') return sum
  if (fn === 'avg') return sum / numbers.length
  if (real.length === 0) return Number.NaN
  return fn === 'min' ? Math.min(...real) : Math.max(...real)
}

/** Series put together by name and labels; their samples sorted by time, and by series at one time. */
function modelWindows(source: FakeSource, request: RangeRequest): Found[] {
  const { stepUs, functions, by } = request.windows!
  const groups = new Map<string, { name: string; labels: string; samples: [number, Value][] }>()
  const spans = modelSamples(source, { ...request, order: 'asc' })
  for (const [id, samples] of spans) {
    const { name, labels, group } = source.series(id)
    const kept = by === null ? labels : labels.filter(([label]) => by.includes(label))
    const key = `${by === null ? group : ''} ${JSON.stringify(kept)} ${name}`
    const known = groups.get(key) ?? { name, labels: JSON.stringify(kept), samples: [] }
    known.samples.push(...samples)
    groups.set(key, known)
  }
  return [...groups.values()].map(({ name, labels, samples }) => {
    const windows = new Map<number, [number, Value][]>()
    for (const sample of samples.sort(([a], [b]) => a - b)) {
      const startUs = Math.floor(sample[0] / stepUs) * stepUs
      windows.set(startUs, [...(windows.get(startUs) ?? []), sample])
    }
    const rows = [...windows]
      .sort(([a], [b]) => (request.order === 'asc' ? a - b : b - a))
      .slice(0, request.limit ?? Number.POSITIVE_INFINITY)
      .map(([startUs, inside]): [number, ...Cell[]] => [
        startUs,
        ...functions.map(fn => modelWindow(fn, inside))
      ])
    return { name, labels, rows }
  })
}

function anyRange(random: Random): RangeRequest {
  const fromUs = random.chance(0.5) ? -1e15 : random.below(20_000_000)
  const by = random.pick([null, [], ['site'], ['device', 'site'], ['absent']])
  const windows = {
    stepUs: random.pick([1000, 1_000_000, 7_000_000, 60_000_000, 86_400_000_000]),
    functions: WINDOW_FUNCTIONS.filter(() => random.chance(0.7)),
    by,
    tier: 'auto',
    explain: false
  }
  return {
    ...QUESTION,
    kind: 'range',
    fromUs,
    toUs: random.chance(0.5) ? 1e15 : fromUs + random.below(50_000_000),
    order: random.pick(['asc', 'desc']),
    limit: random.chance(0.3) ? 1 + random.below(20) : null,
    windows: random.chance(0.3) ? null : windows
  }
}

t.test('evaluate() of a range says what a plain loop says', async t => {
  for (const seed of seeds(150)) {
    const random = new Random(seed)
    const source = new FakeSource(anyGroups(random, 1 + random.below(12), 80), seed, 1 + random.below(30))
    const request = anyRange(random)
    const found = taken(evaluate(source, request, budget()))
    let expected: Found[]
    if (request.windows === null) {
      expected = [...modelSamples(source, request)].map(([id, samples]) => {
        const { name, labels } = source.series(id)
        const rows = samples.slice(0, request.limit ?? Number.POSITIVE_INFINITY)
        return { name, labels: JSON.stringify(labels), rows }
      })
    } else expected = modelWindows(source, request)
    const byKey = (a: Found, b: Found) => (a.labels + a.name < b.labels + b.name ? -1 : 1)
    t.strictSame(found.sort(byKey), expected.sort(byKey), `VARVE_SEED=${seed}`)
  }
})

t.test('evaluate() of a history merges topics by time, whatever is held at once', async t => {
  for (const seed of seeds(120)) {
    const random = new Random(seed)
    const source = new FakeSource(anyGroups(random, 1 + random.below(8), 60), seed, 1 + random.below(20))
    const topic = random.pick(['#', 'site1/#', '+/+/state', 'site0/dev0/telemetry'])
    const request: HistoryRequest = {
      ...QUESTION,
      kind: 'history',
      select: { selectors: [], topic },
      fromUs: random.chance(0.7) ? -1e15 : random.below(20_000_000),
      toUs: random.chance(0.7) ? 1e15 : 40_000_000,
      order: random.pick(['asc', 'desc']),
      limit: random.chance(0.3) ? 1 + random.below(30) : null
    }
    const held = random.pick([24_000, 200_000, 1e8])
    const answer = evaluate(source, request, budget({ ...DEFAULT_QUERY_LIMITS, heldBytesMax: held }))
    if (answer.is !== 'messages') throw new Error('not messages')
    const found = Array.from(answer.messages, ({ timeUs, topic, names, cells, raw }) => {
      t.equal(names.length, cells.length)
      const fields = Object.fromEntries(names.map((name, i) => [name, cells[i]]))
      return [timeUs, topic, { ...fields, ...(raw === null ? {} : { payload: raw }) }]
    })
    const expected = source.groups
      .filter(({ labels }) => topicMatches(topic, labelValue(labels, 'topic')))
      .flatMap(({ rows, labels, fields }, rank) =>
        rows
          .filter(({ timeUs }) => timeUs >= request.fromUs && timeUs <= request.toUs)
          .map(({ timeUs, cells }) => ({
            rank,
            message: [
              timeUs,
              labelValue(labels, 'topic'),
              Object.fromEntries(
                fields.map((name, i) => [name, cells[i]]).filter(([, cell]) => cell !== null)
              )
            ]
          }))
      )
      .sort((a, b) => {
        const apart = (a.message[0] as number) - (b.message[0] as number)
        return (request.order === 'asc' ? apart : -apart) || a.rank - b.rank
      })
      .slice(0, request.limit ?? Number.POSITIVE_INFINITY)
    t.strictSame(
      found,
      expected.map(({ message }) => message),
      `VARVE_SEED=${seed}`
    )
  }
})

t.test('evaluate() of a history loses no message at the edges of its slices', async t => {
  const groups = Array.from({ length: 3 }, (_, i) => ({
    name: '',
    labels: makeLabels([['topic', `t${i}`]]),
    fields: ['v'],
    rows: Array.from({ length: 900 }, (_, row) => ({ timeUs: row, cells: [row] }))
  }))
  for (const order of ['asc', 'desc'] as const) {
    const select = { selectors: [], topic: '#' }
    const request: HistoryRequest = { ...QUESTION, kind: 'history', select, fromUs: -5, toUs: 5000, order }
    const source = new FakeSource(groups, 1, 20)
    const answer = evaluate(source, request, budget({ ...DEFAULT_QUERY_LIMITS, heldBytesMax: 6000 }))
    if (answer.is !== 'messages') throw new Error('not messages')
    const times = Array.from(answer.messages, ({ timeUs }) => timeUs)
    const expected = Array.from({ length: 2700 }, (_, i) => Math.floor(i / 3))
    t.strictSame(times, order === 'asc' ? expected : expected.reverse(), order)
  }
})

t.test('evaluate() of last values gives the newest sample of each series at or before a time', async t => {
  for (const seed of seeds(40)) {
    const random = new Random(seed)
    const source = new FakeSource(anyGroups(random, 6, 40), seed)
    const toUs = random.pick([1e15, 10_000_000, -1e15])
    const found = taken(evaluate(source, { ...QUESTION, kind: 'last', toUs }, budget()))
    const expected = source.all.flatMap(({ name, labels, group, field }) => {
      const samples = source.groups[group]!.rows.filter(
        row => row.cells[field] !== null && row.timeUs <= toUs
      )
      const newest = samples.at(-1)
      if (newest === undefined) return []
      const value = newest.cells[field]!
      return [
        { name, labels: JSON.stringify(labels), rows: [[newest.timeUs, value, KIND_NAMES[kindOf(value)]]] }
      ]
    })
    t.strictSame(found, expected, `VARVE_SEED=${seed}`)
  }
})

t.test('evaluate() takes series of any selector once, and lists no more than the limit', async t => {
  const source = new FakeSource(anyGroups(new Random(7), 9, 5))
  const selectors = ['temperature{site="s1"}', '{site=~"s[12]"}', '{device!=""}'].map(parseSelector)
  const request = { ...QUESTION, kind: 'series', select: { selectors, topic: 'site1/#' } } as const
  const names = (limit: number | null) => taken(evaluate(source, { ...request, limit }, budget()))
  const all = source.all.filter(({ labels }) => labelValue(labels, 'site') === 's1')
  t.strictSame(
    names(null).map(({ name, labels }) => name + labels),
    all.map(({ name, labels }) => name + JSON.stringify(labels))
  )
  t.equal(names(2).length, 2)
})

t.test('a query ends with the code of the limit it crosses', async t => {
  const source = new FakeSource(anyGroups(new Random(3), 9, 80))
  const range: NativeRequest = {
    ...QUESTION,
    kind: 'range',
    fromUs: -1e15,
    toUs: 1e15,
    order: 'asc',
    windows: { stepUs: 1000, functions: ['avg'], by: [], tier: 'auto', explain: false }
  }
  const run = (limits: Partial<typeof DEFAULT_QUERY_LIMITS>, request: NativeRequest) =>
    taken(evaluate(source, request, budget({ ...DEFAULT_QUERY_LIMITS, ...limits })))
  t.throws(() => run({ seriesMax: 3 }, range), { code: 'VARVE_QUERY_SERIES' })
  t.throws(() => run({ samplesMax: 100 }, range), { code: 'VARVE_QUERY_SAMPLES' })
  t.throws(() => run({ rowsMax: 100 }, { ...range, windows: null }), { code: 'VARVE_QUERY_ROWS' })
  t.throws(() => run({ secondsMax: -1 }, range), { code: 'VARVE_QUERY_SECONDS' })
  t.throws(() => run({ heldBytesMax: 2000 }, range), { code: 'VARVE_QUERY_MEMORY' })
  const select = { selectors: [], topic: '#' }
  const history: NativeRequest = { ...range, kind: 'history', select, limit: null }
  const held = evaluate(source, history, budget({ ...DEFAULT_QUERY_LIMITS, heldBytesMax: 100 }))
  if (held.is !== 'messages') throw new Error('not messages')
  t.throws(() => [...held.messages], { code: 'VARVE_QUERY_MEMORY' })
})
