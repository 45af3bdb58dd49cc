// Which message of a queue is next: ready ones by priority and age, delayed ones by the time they wait for,
// delivered ones by the time their visibility ends. In memory only, made anew from the store at a start.
//
// Invariants: a message is in exactly one of the three states; a place in a heap that its message has left is
// passed over when it comes up. Times are monotonic, in ms.
// Not here: bytes (queue-record.ts), writes (queue.ts).

export const PRIORITY_MAX = 9

/** What is known of a message without its body. */
export interface Waiting {
  readonly id: number
  readonly priority: number
  readonly attemptsMax: number
  /** Deliveries so far. */
  readonly attempts: number
  /** Delayed until then; 0: ready. */
  readonly readyMs: number
  /** The delivery under way. */
  readonly delivery: { readonly token: number; readonly deadlineMs: number } | null
}

/** Smallest first. */
class Heap {
  private readonly keys: number[] = []
  private readonly ids: number[] = []

  get size(): number {
    return this.ids.length
  }

  get firstKey(): number {
    return this.keys[0] ?? Infinity
  }

  get firstId(): number {
    return this.ids[0]!
  }

  add(key: number, id: number): void {
    const { keys, ids } = this
    let at = keys.length
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (keys[parent]! <= key) break
      keys[at] = keys[parent]!
      ids[at] = ids[parent]!
      at = parent
    }
    keys[at] = key
    ids[at] = id
  }

  removeFirst(): void {
    const { keys, ids } = this
    const [key, id] = [keys.pop()!, ids.pop()!]
    const { length } = keys
    if (length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= length) break
      if (child + 1 < length && keys[child + 1]! < keys[child]!) child++
      if (keys[child]! >= key) break
      keys[at] = keys[child]!
      ids[at] = ids[child]!
      at = child
    }
    keys[at] = key
    ids[at] = id
  }
}

export class QueueIndex {
  private readonly all = new Map<number, Waiting>()
  private readonly ready = Array.from({ length: PRIORITY_MAX + 1 }, () => new Heap())
  private readonly delayed = new Heap()
  private readonly delivered = new Heap()
  private counts = { ready: 0, delayed: 0, delivered: 0 }

  get size(): number {
    return this.all.size
  }

  get states(): { readonly ready: number; readonly delayed: number; readonly delivered: number } {
    return this.counts
  }

  get(id: number): Waiting | undefined {
    return this.all.get(id)
  }

  /** Adds a message, or replaces what was known of it. */
  place(message: Waiting): void {
    const before = this.all.get(message.id)
    if (before !== undefined) this.count(before, -1)
    this.all.set(message.id, message)
    this.count(message, 1)
    if (message.delivery !== null) this.delivered.add(message.delivery.deadlineMs, message.id)
    else if (message.readyMs > 0) this.delayed.add(message.readyMs, message.id)
    else this.ready[message.priority]!.add(message.id, message.id)
  }

  remove(id: number): void {
    const message = this.all.get(id)
    if (message === undefined) return
    this.count(message, -1)
    this.all.delete(id)
  }

  /** The ready message of the highest priority, of those the oldest. */
  next(): Waiting | null {
    for (let priority = PRIORITY_MAX; priority >= 0; priority--) {
      const heap = this.ready[priority]!
      while (heap.size > 0) {
        const message = this.all.get(heap.firstId)
        if (message !== undefined && stateOf(message) === 'ready') return message
        heap.removeFirst()
      }
    }
    return null
  }

  /** A delayed message whose time has come, or a delivered one whose visibility is over; null: none now. */
  due(nowMs: number): Waiting | null {
    return this.dueOf(this.delayed, nowMs, 'delayed') ?? this.dueOf(this.delivered, nowMs, 'delivered')
  }

  /** When due() has something next, ms; Infinity: never. */
  get dueMs(): number {
    return Math.min(this.delayed.firstKey, this.delivered.firstKey)
  }

  private dueOf(heap: Heap, nowMs: number, state: State): Waiting | null {
    while (heap.firstKey <= nowMs) {
      const message = this.all.get(heap.firstId)
      if (message !== undefined && stateOf(message) === state && timeOf(message) <= nowMs) return message
      heap.removeFirst()
    }
    return null
  }

  private count(message: Waiting, by: number): void {
    const state = stateOf(message)
    this.counts = { ...this.counts, [state]: this.counts[state] + by }
  }
}

type State = 'ready' | 'delayed' | 'delivered'

function stateOf(message: Waiting): State {
  if (message.delivery !== null) return 'delivered'
  return message.readyMs > 0 ? 'delayed' : 'ready'
}

function timeOf(message: Waiting): number {
  return message.delivery?.deadlineMs ?? message.readyMs
}
