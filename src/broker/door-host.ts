// What all doors share and ask of the broker. Its own file, since doors, their publishers and the broker know
// each other only through it. Not here: any of it done (server.ts, handshakes.ts, sync-watch.ts).
import type { Clock } from '../base/clock.ts'
import type { Door } from './door.ts'
import type { InnerStream } from './inner-stream.ts'
import type { Intake, SyncGate } from './intake.ts'
import type { BrokerLimits } from './limits.ts'
import type { Outlets } from './outlet.ts'
import type { Patience } from './patience.ts'
import type { SessionStore } from './session.ts'
import type { BrokerStats } from './stats.ts'
import type { SyncWatch } from './sync-watch.ts'
import type { TopicCache } from './topic-cache.ts'

export interface DoorHost {
  readonly limits: BrokerLimits
  readonly stats: BrokerStats
  readonly topics: TopicCache
  readonly intake: Intake
  readonly gate: SyncGate
  readonly syncWatch: SyncWatch
  readonly sessions: SessionStore
  readonly outlets: Outlets
  readonly patience: Patience
  readonly clock: Clock
  readonly fastPath: boolean
  /** Gives the stream to aedes; returns a function that restarts its keep-alive timer. */
  introduce(stream: InnerStream, door: Door): () => void
  /** CONNECT was accepted or the door closed without. */
  settled(door: Door): void
  closed(door: Door): void
}
