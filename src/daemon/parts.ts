// What a running daemon is made of, for those who report on it.
import type { GatewayClock } from '../base/gateway-clock.ts'
import type { Broker } from '../broker/server.ts'
import type { NodeDisk } from '../disk/node-disk.ts'
import type { WearMeter } from '../disk/wear-meter.ts'
import type { DeadLetters } from '../ingest/dead-letter.ts'
import type { AnswerCache } from '../query/answer-cache.ts'
import type { Jobs } from '../schedule/jobs.ts'
import type { ClockKeeper } from './clock-keeper.ts'
import type { DiskGuard } from './disk-guard.ts'
import type { LineProtocolSink, PrometheusSink } from './http-sinks.ts'
import type { RowImportSink } from './import-sink.ts'
import type { MessageSink } from './ingest-sink.ts'
import type { QuestionCounts } from './query-topics.ts'
import type { Storage } from './storage.ts'
import type { Tail } from './tail.ts'
import type { WearLedger } from './wear-ledger.ts'
import type { WearSteer } from './wear-steer.ts'
import type { Workers } from './workers.ts'

export interface HttpCounts {
  requests: number
  /** Requests that ended in a status of 500 or above. */
  failures: number
}

/** Delay of the event loop, in ms. */
export interface LoopDelay {
  p99Ms(): number
  maxMs(): number
}

export interface Parts {
  readonly clock: GatewayClock
  /** By the monotonic clock. */
  readonly startedMs: number
  readonly version: string
  readonly disk: NodeDisk
  readonly storage: Storage
  readonly meter: WearMeter
  readonly ledger: WearLedger
  readonly steer: WearSteer
  readonly keeper: ClockKeeper
  readonly workers: Workers
  /** Asks the workers, or gives what they said before. */
  readonly answers: AnswerCache
  readonly broker: Broker
  readonly messages: MessageSink
  readonly lines: LineProtocolSink
  readonly remote: PrometheusSink
  readonly imports: RowImportSink
  readonly tail: Tail
  readonly questions: QuestionCounts
  readonly deadLetters: DeadLetters
  readonly jobs: Jobs
  readonly guard: DiskGuard
  readonly http: HttpCounts
  /** memory.max, bytes. */
  readonly memoryMax: number
  readonly loop: LoopDelay
  /** Damage found since the start. */
  readonly damage: readonly { readonly file: string; readonly offset: number; readonly why: string }[]
}
