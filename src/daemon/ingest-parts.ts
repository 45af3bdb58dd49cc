// Puts together what messages and lines of protocol go through: rules, limits, dead letters, and the sinks.
//
// Not here: what the sinks do (ingest-sink.ts, http-sinks.ts), the faces before them (faces.ts).
import { DeadLetters } from '../ingest/dead-letter.ts'
import { INGEST_LIMITS } from '../ingest/limits.ts'
import { PrecisionAppender } from '../ingest/precision.ts'
import { TimeGuard } from '../ingest/time-guard.ts'
import type { Gate } from './gate.ts'
import { LineProtocolSink, PrometheusSink, WriteWaits } from './http-sinks.ts'
import { RowImportSink } from './import-sink.ts'
import { MessageSink } from './ingest-sink.ts'
import { DeadLetterEntries } from './kept-entries.ts'
import * as policy from './policy.ts'
import type { Storage } from './storage.ts'
import type { Ground } from './upkeep.ts'

/** How much of memory.max unsynced rows of /write may take. */
const PENDING_SHARE = 0.05

export function openIngest(ground: Ground, { engine, series, kv }: Storage, gate: Gate) {
  const { config, clock } = ground
  const entries = new DeadLetterEntries(kv, error => ground.background('keep dead letter', error))
  const deadLetters = new DeadLetters({
    clock,
    store: entries,
    stored: entries.stored(),
    capacity: Math.max(1, config.ingest.deadLettersMax)
  })
  const precision = policy.precisionRules(config)
  const options = {
    deadLetters,
    rules: policy.topicRules(config),
    guard: new TimeGuard({
      aheadUsMax: config.ingest.futureMax * 1000,
      isGatewayKnown: () => clock.isKnown
    }),
    limits: { ...INGEST_LIMITS, ...policy.ingestLimits(config) },
    topicsMax: policy.topicsMax(config)
  }
  const messages = new MessageSink(series, clock, options, precision)
  const pendingMax = Math.max(4 << 20, config.memory.max * PENDING_SHARE)
  const waits = new WriteWaits(series, engine.wal, gate, clock, pendingMax)
  const rows = precision.length === 0 ? series : new PrecisionAppender(series, precision)
  const lines = new LineProtocolSink(rows, waits, clock)
  const remote = new PrometheusSink(rows, waits, clock, config.http.inflatedMax)
  const imports = new RowImportSink(rows, waits, options.limits)
  return { deadLetters, messages, lines, remote, imports }
}
