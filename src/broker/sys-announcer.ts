// Tells subscribers of $SYS how the broker does, every few seconds: what changed since the last time.
//
// Invariants: nothing of it is stored; a new subscriber gets what was said last.
// Not here: which topics there are and what they say (sys-topics.ts).
import type { Clock } from '../base/clock.ts'
import type { FanOut } from './fan-out.ts'
import type { SyncGate } from './intake.ts'
import type { OwnMessages } from './own-messages.ts'
import type { RetainedMessages } from './retained.ts'
import type { Session, SessionStore } from './session.ts'
import type { BrokerStats } from './stats.ts'
import type { SubscriptionTrie } from './subscription-trie.ts'
import { sysTopics } from './sys-topics.ts'

interface Parts {
  readonly clock: Clock
  readonly stats: BrokerStats
  readonly trie: SubscriptionTrie<Session>
  readonly retained: RetainedMessages
  readonly sessions: SessionStore
  readonly gate: SyncGate
  readonly fanOut: FanOut
  readonly own: OwnMessages
}

export class SysAnnouncer {
  private readonly parts: Parts
  private readonly version: string
  private readonly startedMs: number
  private readonly told = new Map<string, string>()
  private cancel: () => void = () => {}

  /** @param version  what $SYS/broker/version says */
  constructor(parts: Parts, version: string) {
    this.parts = parts
    this.version = version
    this.startedMs = parts.clock.monotonicMs()
  }

  /** Tells now and every so many ms until stop(); 0: never. */
  start(everyMs: number): void {
    if (everyMs === 0) return
    this.announce()
    this.cancel = this.parts.clock.after(everyMs, () => this.start(everyMs))
  }

  stop(): void {
    this.cancel()
  }

  private announce(): void {
    const { clock, stats, trie, retained, sessions, gate, fanOut, own } = this.parts
    const gauges = {
      version: this.version,
      uptimeSeconds: Math.floor((clock.monotonicMs() - this.startedMs) / 1000),
      subscriptions: trie.count,
      retained: retained.count,
      retainedBytes: retained.bytes,
      sessionsAway: Math.max(0, sessions.away),
      pendingBytes: gate.pendingBytes
    }
    for (const [topic, value] of sysTopics(stats, gauges)) {
      if (this.told.get(topic) === value) continue
      this.told.set(topic, value)
      const publication = own.publication(topic, value, 0, true)
      retained.setVolatile(fanOut.keep(publication))
      fanOut.route(publication)
    }
  }
}
