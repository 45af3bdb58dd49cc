// What memory is used by what, against memory.max. The parts are counted where they are held; what the
// process has beyond them is the runtime: its code, its own heap, and garbage that waits to be collected
// (heap.ts bounds it).
//
// Not here: the shares that parts may take (policy.ts), how they are kept (gate.ts, and whoever holds them).
import type { Parts } from './parts.ts'

export interface MemoryPart {
  readonly name: string
  readonly bytes: number
}

/** Every part that grows with data, topics or clients, in bytes. */
export function memoryParts({ storage, messages, broker, workers, answers }: MemoryOwners): MemoryPart[] {
  const { engine, series, kv } = storage
  const entries = kv.statistics()
  const { topics, retained, outgoing } = broker.memory
  return [
    { name: 'heads', bytes: series.headBytes },
    { name: 'head_pages_kept', bytes: series.pooledBytes },
    { name: 'catalog', bytes: series.catalog.bytes + series.shapes.bytes },
    { name: 'topics', bytes: topics + messages.mapper.topicBytes },
    { name: 'wal_pending', bytes: engine.stats.pendingBytes },
    { name: 'entries', bytes: entries.memtableBytes + entries.indexBytes + entries.cacheBytes },
    { name: 'retained', bytes: retained },
    { name: 'outgoing', bytes: outgoing },
    { name: 'answers', bytes: answers.bytes },
    ...workers.heapBytes().map(([lane, bytes]) => ({ name: `thread_${lane}`, bytes }))
  ]
}

export type MemoryOwners = Pick<Parts, 'storage' | 'messages' | 'broker' | 'workers' | 'answers'>
