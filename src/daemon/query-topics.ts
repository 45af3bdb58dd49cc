// Questions over MQTT, for clients that speak nothing else: `$varve/query` and `$varve/replay`.
//
//   $varve/query    {"kind":"last","topic":"site1/#", ...}      parameters of /v1/last, series, range, history
//                   {"query":"avg(temperature)", "time":..}     PromQL; with start, end and step over a span
//   $varve/replay   {"topic":"site1/dev7/telemetry","from":"-1h","rate":100}
//                   the messages of /v1/history, one message each, at most `rate` a second (1000); then
//                   {"end":true,"messages":N}. {"cancel":true} ends what runs.
// Answers go to the response topic of MQTT 5, with its correlation data; without one to the member `reply_to`, without
// that to `$varve/reply/{client id}`. Of a failure it is {"code","message"}.
//
// Rights: the client must be allowed to publish to `$varve/query` (or replay), and to the topic of the answer, unless
// that is `$varve/reply/{its id}`. One whose subscriptions are restricted asks by `topic`, within what it may
// subscribe to, and no PromQL.
//
// Invariants: evaluated in the workers with the limits of every query; at most runsMax at once for a client; all ends
// when the client goes. Answers are not stored, and reach whoever subscribes to their topic.
// Not here: parameters (query/parameters.ts), rights (broker/auth.ts).
import type { Clock } from '../base/clock.ts'
import { reason, VarveError } from '../base/errors.ts'
import { correlationProperty } from '../broker/properties.ts'
import type { ServiceRequest, TopicService } from '../broker/service.ts'
import { readRequest } from '../query/parameters.ts'
import { type PromqlOptions, readInstantRequest, readRangeRequest } from '../query/promql/parameters.ts'
import type { QueryKind, QueryRequest } from '../query/request.ts'
import type { QueryRunner } from '../query/runner.ts'
import { replay } from './replay.ts'

const ROOT = '$varve'
const REPLY = `${ROOT}/reply/`
const KINDS: readonly string[] = ['series', 'last', 'range', 'history']
const QUESTION_BYTES_MAX = 65_536
const RUNS_MAX = 4
const RATE = { usual: 1000, max: 10_000 } as const
/** Members that say how to answer, and are no parameters. */
const ABOUT = ['kind', 'reply_to', 'rate', 'cancel']

export interface QueryTopicsParts {
  readonly runner: QueryRunner
  readonly clock: Clock
  readonly promql: PromqlOptions
  /** Longest answer, bytes. */
  readonly answerBytesMax: number
  relay(topic: string, payload: Uint8Array | string, qos: 0 | 1 | 2, properties: Uint8Array | null): void
  /** Told of what is our fault. */
  onError(error: unknown): void
  readonly counts: QuestionCounts
}

/** Since the start, of requests over MQTT: questions, replays, and those of either that were refused or failed. */
export interface QuestionCounts {
  queries: number
  replays: number
  refused: number
}

type Question = Readonly<Record<string, unknown>>

/** Where the answers to one request go. */
interface Reply {
  send(payload: Uint8Array | string): void
}

export class QueryTopics implements TopicService {
  readonly root = ROOT
  private readonly parts: QueryTopicsParts
  /** What runs, by client. */
  private readonly runs = new Map<string, Set<AbortController>>()

  constructor(parts: QueryTopicsParts) {
    this.parts = parts
  }

  request(request: ServiceRequest): number {
    const { topic } = request
    if (topic !== `${ROOT}/query` && topic !== `${ROOT}/replay`) {
      throw new VarveError('VARVE_TOPIC', `Cannot publish ${topic.slice(0, 80)}: nothing is served there`)
    }
    const { question, wrong } = readQuestion(request.payload)
    const reply = this.replyOf(request, question)
    if (reply === null) {
      throw new VarveError('VARVE_MQTT_RIGHTS', `Cannot answer ${topic}: its client may not publish where to`)
    }
    if (topic === `${ROOT}/query`) this.parts.counts.queries++
    else this.parts.counts.replays++
    if (wrong !== null) this.refuse(reply, wrong)
    else if (question.cancel === true) this.cancel(request.client.id)
    else {
      const ask =
        topic === `${ROOT}/query`
          ? this.query(request, question, reply)
          : this.replayed(request, question, reply)
      ask.catch(error => this.parts.onError(error))
    }
    return 0
  }

  subscribing(): void {}

  retained(): [] {
    return []
  }

  /** Null when the client may not publish where the answer would go. */
  private replyOf(
    { client, responseTopic, correlation, qos }: ServiceRequest,
    question: Question
  ): Reply | null {
    const own = REPLY + client.id
    const { reply_to: named } = question
    const topic = responseTopic ?? (typeof named === 'string' ? named : own)
    const isOwn = topic === own
    if (!isOwn && (topic.startsWith('$') || client.rights?.mayPublish({ topic }) === false)) return null
    const properties = correlation === null ? null : correlationProperty(correlation)
    return { send: payload => this.parts.relay(topic, payload, qos === 0 ? 0 : 1, properties) }
  }

  private refuse(reply: Reply, error: unknown): void {
    this.parts.counts.refused++
    const isKnown = error instanceof VarveError
    if (!isKnown) this.parts.onError(error)
    const code = isKnown ? error.code : 'VARVE_INTERNAL'
    const message = isKnown ? reason(error) : 'Cannot answer: internal error, the log says more'
    try {
      reply.send(JSON.stringify({ code, message }))
    } catch (cause) {
      // The topic of the answer is none: nobody can be told.
      if (!(cause instanceof VarveError)) throw cause
    }
  }

  private async query(request: ServiceRequest, question: Question, reply: Reply): Promise<void> {
    const { runner, answerBytesMax } = this.parts
    await this.running(request, reply, async signal => {
      const pieces: Uint8Array[] = []
      let bytes = 0
      for await (const piece of runner.run(this.read(request, question), signal)) {
        bytes += piece.length
        if (bytes > answerBytesMax) {
          throw new VarveError(
            'VARVE_QUERY_BYTES',
            `Cannot finish query: its answer is longer than ${answerBytesMax} bytes`
          )
        }
        pieces.push(piece)
      }
      if (!signal.aborted) reply.send(Buffer.concat(pieces))
    })
  }

  private async replayed(request: ServiceRequest, question: Question, reply: Reply): Promise<void> {
    const { rate = RATE.usual } = question
    const { runner, clock } = this.parts
    await this.running(request, reply, async signal => {
      if (typeof rate !== 'number' || !(rate > 0 && rate <= RATE.max)) {
        throw new VarveError(
          'VARVE_PARAMETER',
          `Cannot read parameter rate: it is above 0 and at most ${RATE.max} a second`
        )
      }
      const asked = this.read(request, { ...question, kind: 'history', format: 'ndjson' })
      const messages = await replay(runner.run(asked, signal), rate, clock, signal, line => reply.send(line))
      if (!signal.aborted) reply.send(JSON.stringify({ end: true, messages }))
    })
  }

  /** Runs work that ends with its client, one of at most RUNS_MAX; tells what it throws. */
  private async running(
    { client }: ServiceRequest,
    reply: Reply,
    work: (signal: AbortSignal) => Promise<void>
  ): Promise<void> {
    const own = this.runs.get(client.id) ?? new Set()
    if (own.size >= RUNS_MAX) {
      this.refuse(
        reply,
        new VarveError('VARVE_QUERY_BUSY', `Cannot start query: ${RUNS_MAX} of this client run`)
      )
      return
    }
    const run = new AbortController()
    own.add(run)
    this.runs.set(client.id, own)
    client.onGone(() => run.abort())
    try {
      await work(run.signal)
    } catch (error) {
      if (!run.signal.aborted) this.refuse(reply, error)
    } finally {
      own.delete(run)
      if (own.size === 0 && this.runs.get(client.id) === own) this.runs.delete(client.id)
    }
  }

  private cancel(client: string): void {
    for (const run of this.runs.get(client) ?? []) run.abort()
  }

  /** @throws {VarveError} VARVE_PARAMETER, VARVE_MQTT_RIGHTS */
  private read({ client }: ServiceRequest, question: Question): QueryRequest {
    const { clock, promql } = this.parts
    const parameters = parametersOf(question)
    const isPromql = parameters.has('query')
    const [filter] = parameters.get('topic') ?? []
    const { rights } = client
    if (
      rights !== null &&
      !rights.seesEverything &&
      (isPromql || filter === undefined || !rights.maySubscribe(filter))
    ) {
      throw new VarveError('VARVE_MQTT_RIGHTS', 'Cannot answer: ask with a topic that you may subscribe to')
    }
    if (isPromql) {
      return parameters.has('step')
        ? readRangeRequest(parameters, clock.nowUs(), promql)
        : readInstantRequest(parameters, clock.nowUs(), promql)
    }
    const { kind = 'last' } = question
    if (typeof kind !== 'string' || !KINDS.includes(kind)) {
      throw new VarveError('VARVE_PARAMETER', `Cannot read parameter kind: it is one of ${KINDS.join(', ')}`)
    }
    return readRequest(kind as QueryKind, parameters, clock.nowUs())
  }
}

/** A question, and what is wrong with it: then it has no members. */
function readQuestion(payload: Uint8Array): { question: Question; wrong: VarveError | null } {
  const refuse = (why: string) => ({
    question: {},
    wrong: new VarveError('VARVE_PARAMETER', `Cannot read question: ${why}`)
  })
  if (payload.length > QUESTION_BYTES_MAX) return refuse(`it is longer than ${QUESTION_BYTES_MAX} bytes`)
  try {
    const found: unknown = JSON.parse(Buffer.from(payload).toString())
    if (typeof found !== 'object' || found === null || Array.isArray(found))
      return refuse('it is no JSON object')
    return { question: found as Question, wrong: null }
  } catch (error) {
    return refuse(reason(error))
  }
}

/** @throws {VarveError} VARVE_PARAMETER for a value that is neither text nor number */
function parametersOf(question: Question): Map<string, string[]> {
  const parameters = new Map<string, string[]>()
  for (const [name, given] of Object.entries(question)) {
    if (ABOUT.includes(name)) continue
    const values = Array.isArray(given) ? given : [given]
    if (!values.every(value => typeof value === 'string' || typeof value === 'number')) {
      throw new VarveError(
        'VARVE_PARAMETER',
        `Cannot read parameter ${name.slice(0, 60)}: it is neither text nor number`
      )
    }
    parameters.set(name, values.map(String))
  }
  return parameters
}
