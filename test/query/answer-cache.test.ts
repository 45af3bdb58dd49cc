// Answers that are kept: given again only while nothing that they depend on has changed.
import t from 'tap'
import { AnswerCache } from '../../src/query/answer-cache.ts'
import type { PromqlInstantRequest, QueryRequest } from '../../src/query/request.ts'
import { bodyOf } from '../../src/query/runner.ts'

const TEXT = new TextEncoder()

/** A store whose answer is how often it was asked, and whose state the test sets. */
class Asked {
  times = 0
  epochText = 'a'
  lowUs = Number.POSITIVE_INFINITY
  /** Called between the pieces of an answer. */
  meanwhile: () => void = () => {}
  failure: Error | null = null
  length = 1

  async *run(): AsyncGenerator<Uint8Array> {
    this.times++
    yield TEXT.encode(`${this.times}`)
    this.meanwhile()
    if (this.failure !== null) throw this.failure
    yield TEXT.encode('.'.repeat(this.length))
  }

  epoch(): string {
    return this.epochText
  }

  takeLowUs(): number {
    const { lowUs } = this
    this.lowUs = Number.POSITIVE_INFINITY
    return lowUs
  }
}

function at(timeUs: number, query = 'up'): PromqlInstantRequest {
  return {
    kind: 'promql-instant',
    query,
    timeUs,
    lookbackUs: 1,
    subqueryStepUs: 1,
    rules: '3',
    secondsMax: null,
    tier: 'auto',
    explain: false,
    limit: null
  }
}

async function text(cache: AnswerCache, request: QueryRequest): Promise<string> {
  let all = ''
  const body = bodyOf(cache, request, new AbortController().signal)
  for await (const piece of body instanceof Uint8Array ? [body] : body) all += Buffer.from(piece)
  return all
}

function open(bytesMax = 100_000) {
  const store = new Asked()
  return { store, cache: new AnswerCache(store, store, bytesMax) }
}

t.test('AnswerCache gives the same answer again without asking', async t => {
  const { store, cache } = open()
  t.equal(await text(cache, at(100)), '1.')
  t.equal(await text(cache, at(100)), '1.')
  t.equal(await text(cache, at(101)), '2.', 'another request is another answer')
  t.equal(store.times, 2)
  t.equal(cache.hits, 1)
})

t.test('AnswerCache asks again after a row that the answer may speak of, and only then', async t => {
  const { store, cache } = open()
  await text(cache, at(100))
  store.lowUs = 101
  t.equal(await text(cache, at(100)), '1.', 'a later row changes nothing')
  store.lowUs = 100
  t.equal(await text(cache, at(100)), '2.')
  store.epochText = 'b'
  t.equal(await text(cache, at(100)), '3.', 'other segments')
  t.equal(await text(cache, at(100)), '3.')
})

t.test('AnswerCache keeps nothing that changed while it was made', async t => {
  const { store, cache } = open()
  store.meanwhile = () => {
    store.lowUs = 50
  }
  await text(cache, at(100))
  store.meanwhile = () => {
    store.epochText = 'b'
  }
  t.equal(await text(cache, at(100)), '2.', 'a row came meanwhile')
  store.meanwhile = () => {
    store.lowUs = 50
    // Somebody else's request takes note of the row.
    cache.known(at(1))
  }
  t.equal(await text(cache, at(100)), '3.', 'the segments changed meanwhile')
  store.meanwhile = () => {}
  t.equal(await text(cache, at(100)), '4.', 'a row came meanwhile, and another request saw it')
  t.equal(await text(cache, at(100)), '4.')
})

t.test('AnswerCache keeps no errors, no half answers, no lists and nothing that looks ahead', async t => {
  const { store, cache } = open()
  store.failure = new Error('no')
  await t.rejects(text(cache, at(100)))
  store.failure = null
  t.equal(await text(cache, at(100)), '2.')
  for await (const _ of cache.run(at(200), new AbortController().signal)) break
  t.equal(await text(cache, at(200)), '4.', 'one that was left early')
  for (const query of ['up @ 5', 'up offset -5m', 'up OFFSET -5m']) {
    const before = await text(cache, at(100, query))
    t.not(await text(cache, at(100, query)), before, query)
  }
  const list: QueryRequest = { kind: 'promql-labels', match: [], name: '', startUs: 0, endUs: 1, limit: null }
  t.not(await text(cache, list), await text(cache, list))
})

t.test('AnswerCache stays within its bytes', async t => {
  const { store, cache } = open(16_000)
  store.length = 400
  for (let i = 0; i < 30; i++) await text(cache, at(i))
  t.ok(cache.bytes <= 16_000 && cache.bytes > 8000, `${cache.bytes} bytes`)
  const { hits } = cache
  await text(cache, at(29))
  t.equal(cache.hits, hits + 1, 'the newest is there')
  await text(cache, at(0))
  t.equal(cache.hits, hits + 1, 'the oldest is not')
  store.length = 2000
  await text(cache, at(1000))
  await text(cache, at(1000))
  t.equal(cache.hits, hits + 1, 'one answer may not take it all')
  const none = open(0)
  await text(none.cache, at(1))
  await text(none.cache, at(1))
  t.equal(none.store.times, 2)
})
