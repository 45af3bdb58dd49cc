// Runs kept beyond their iteration, and messages of several groups put in the order of their times.
import type { Run } from '../series/run.ts'
import type { Order } from '../series/source.ts'

/** A run of its own arrays. */
export function copyRun(run: Run): Run {
  return {
    rows: run.rows,
    times: run.times.slice(0, run.rows),
    columns: run.columns.map(column => ({
      field: column.field,
      kind: column.kind,
      present: column.present === null ? null : column.present.slice(0, run.rows),
      count: column.count,
      numbers: column.numbers === null ? null : column.numbers.slice(0, column.count),
      texts:
        column.texts === null
          ? null
          : {
              bytes: column.texts.bytes.slice(0, column.texts.offsets[column.count]),
              offsets: column.texts.offsets.slice(0, column.count + 1)
            }
    }))
  }
}

/** Bytes that copyRun() of this run takes, about. */
export function runBytes(run: Run): number {
  let bytes = 400 + run.rows * 8
  for (const column of run.columns) {
    bytes += 200 + (column.present === null ? 0 : run.rows) + (column.numbers === null ? 0 : column.count * 8)
    if (column.texts !== null) bytes += column.count * 4 + column.texts.offsets[column.count]!
  }
  return bytes
}

interface Timed {
  readonly timeUs: number
}

interface Head<T extends Timed> {
  readonly rank: number
  readonly rest: Iterator<T>
  message: T
}

/** One ordered sequence of several; at equal times the earlier given goes first. */
export function* mergeByTime<T extends Timed>(sequences: readonly Iterable<T>[], order: Order): Generator<T> {
  const sign = order === 'asc' ? 1 : -1
  const before = (a: Head<T>, b: Head<T>): boolean => {
    const apart = (a.message.timeUs - b.message.timeUs) * sign
    return apart < 0 || (apart === 0 && a.rank < b.rank)
  }
  const heap: Head<T>[] = []
  sequences.forEach((sequence, rank) => {
    const rest = sequence[Symbol.iterator]()
    const next = rest.next()
    if (next.done) return
    heap.push({ rank, rest, message: next.value })
  })
  for (let i = (heap.length >> 1) - 1; i >= 0; i--) sink(heap, i, before)
  while (heap.length > 0) {
    const head = heap[0]!
    yield head.message
    const next = head.rest.next()
    if (next.done) {
      const last = heap.pop()!
      if (heap.length > 0) heap[0] = last
    } else head.message = next.value
    if (heap.length > 1) sink(heap, 0, before)
  }
}

/** Moves the head at i down a heap until none below it goes before it. */
function sink<T extends Timed>(
  heap: Head<T>[],
  i: number,
  before: (a: Head<T>, b: Head<T>) => boolean
): void {
  const head = heap[i]!
  for (;;) {
    let child = 2 * i + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
    if (!before(heap[child]!, head)) break
    heap[i] = heap[child]!
    i = child
  }
  heap[i] = head
}
