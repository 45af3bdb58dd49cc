// Removes collections whose time is over although nobody asks for them, a little at a time: without it what expired
// unread would stay on the medium. Strings expire in the store itself.
//
// Rests while no collection has a time to live: a round that met none waits until one is set.
// Not here: their elements (graveyard.ts).

import { DATABASES } from './databases.ts'
import { decodeHead } from './head.ts'
import type { Hub } from './hub.ts'

const STEP_MS = 100
const STEP_HEADS = 200
const REST_MS = 60_000

export class Sweep {
  private readonly hub: Hub
  private readonly onError: (error: unknown) => void
  private db = 0
  private after: string | null = null
  private hasMet = false
  private cancel: () => void = () => {}

  constructor(hub: Hub, onError: (error: unknown) => void) {
    this.hub = hub
    this.onError = onError
  }

  start(): void {
    this.later(STEP_MS)
  }

  stop(): void {
    this.cancel()
  }

  private later(ms: number): void {
    this.cancel = this.hub.clock.after(ms, () => {
      let rest = REST_MS
      try {
        rest = this.step()
      } catch (error) {
        this.onError(error)
      }
      this.hub.space.takeWait()
      this.hub.blocking.serve()
      this.later(rest)
    })
  }

  /** @returns ms until the next step */
  private step(): number {
    const db = this.hub.database(this.db)
    const { space, heads } = db
    const nowUs = space.clock.nowUs()
    let looked = 0
    const from = this.after === null ? {} : { from: `${this.after}\0` }
    for (const { stored, value } of space.scan(heads, { ...from, limit: STEP_HEADS })) {
      looked++
      this.after = stored.slice(heads.length + 1)
      const head = decodeHead(value)
      if (head.expiresUs === 0) continue
      this.hasMet = true
      if (head.expiresUs <= nowUs) db.expire(this.after, head)
    }
    if (looked === STEP_HEADS) return STEP_MS
    this.after = null
    this.db = (this.db + 1) % DATABASES
    if (this.db > 0) return 0
    const { hasMet } = this
    this.hasMet = false
    return hasMet ? STEP_MS : REST_MS
  }
}
