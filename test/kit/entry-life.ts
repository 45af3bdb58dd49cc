// What a life does to the entries of its store: puts, deletes, batches over two namespaces, values that expire,
// writes on a condition, retained messages as the broker keeps them, flushes and compactions.
import { ByteWriter } from '../../src/base/bytes.ts'
import { CorruptionError } from '../../src/base/errors.ts'
import type { Random } from '../../src/base/random.ts'
import { encodeRetained, RetainedEntries } from '../../src/daemon/kept-entries.ts'
import type { Storage } from '../../src/daemon/storage.ts'
import type { Write } from '../../src/kv/write.ts'
import type { HandClock } from './hand-clock.ts'
import type { EntryWrite, SentEntries } from './sent-entries.ts'

const RETAINED = 'mqtt.retained'
export const NAMESPACES = ['a', 'b', RETAINED] as const

export class EntryLife {
  private readonly storage: Storage
  private readonly retained: RetainedEntries
  private readonly sent: SentEntries
  private readonly random: Random
  private readonly clock: HandClock

  constructor(storage: Storage, sent: SentEntries, random: Random, clock: HandClock) {
    this.storage = storage
    this.retained = new RetainedEntries(storage.kv, error => {
      throw error
    })
    this.sent = sent
    this.random = random
    this.clock = clock
  }

  /** Makes one write; resolves when it is acknowledged. */
  write(): Promise<void> {
    const { random } = this
    const draw = random.below(10)
    if (draw < 4) this.batch()
    else if (draw < 6) this.put()
    else if (draw < 7) this.delete()
    else this.retain()
    const { kv, engine } = this.storage
    const { count, life } = this.sent
    return engine.wal.synced(kv.lastGroup).then(() => this.sent.acknowledge(count, life))
  }

  flush(): Promise<unknown> {
    return this.storage.kv.flush(this.random.pick(['any', 'segment']))
  }

  compact(): Promise<unknown> {
    return this.storage.kv.compact()
  }

  private batch(): void {
    const { random } = this
    const key = this.anyKey()
    const writes = ['a', 'b'].map(ns => this.anyWrite(ns, key, random.chance(0.3)))
    this.storage.kv.batch(writes.map(asWrite), random.pick([0, 1, 2]))
    this.add(writes)
  }

  private put(): void {
    const { kv } = this.storage
    const write = this.anyWrite('a', this.anyKey(), false)
    const version = this.versionOf(write)
    const ifVersion = this.random.chance(0.5) && version !== null ? { ifVersion: version } : {}
    kv.put(write.ns, write.key, write.value!, { expiresUs: write.expiresUs, ...ifVersion })
    this.add([write])
  }

  /** Of what is under a key, 0 for nothing; null: it was in a damaged block, and may be overwritten all the same. */
  private versionOf({ ns, key }: EntryWrite): number | null {
    try {
      return this.storage.kv.get(ns, key)?.version ?? 0
    } catch (error) {
      if (error instanceof CorruptionError) return null
      throw error
    }
  }

  /** A delete of what is not there writes nothing. */
  private delete(): void {
    const { kv } = this.storage
    const before = kv.lastVersion
    const write = this.anyWrite('a', this.anyKey(), true)
    kv.delete(write.ns, write.key)
    if (kv.lastVersion > before) this.add([write])
  }

  private retain(): void {
    const { random } = this
    const { kv } = this.storage
    const before = kv.lastVersion
    const topic = `site/${random.below(6)}/state`
    const message = { qos: 1 as const, properties: null, payload: this.anyBytes(60) }
    const isGone = random.chance(0.2)
    if (isGone) this.retained.delete(topic)
    else this.retained.put({ topic, ...message })
    const value = isGone ? null : encodeRetained(message)
    if (kv.lastVersion > before) this.add([{ ns: RETAINED, key: topic, value, expiresUs: 0 }])
  }

  private add(writes: readonly EntryWrite[]): void {
    this.sent.add(writes, this.storage.kv.lastVersion)
  }

  private anyKey(): string {
    return `key/${this.random.below(20)}`
  }

  private anyWrite(ns: string, key: string, isDelete: boolean): EntryWrite {
    const { random } = this
    if (isDelete) return { ns, key, value: null, expiresUs: 0 }
    const expiresUs = random.chance(0.2) ? this.clock.nowUs() + 1 + random.below(20_000_000) : 0
    return { ns, key, value: this.anyBytes(random.chance(0.1) ? 3000 : 200), expiresUs }
  }

  private anyBytes(max: number): Uint8Array {
    const out = new ByteWriter(max + 8)
    for (let left = this.random.below(max); left > 0; left -= 4) out.u32(this.random.u32())
    return out.copy()
  }
}

function asWrite({ ns, key, value, expiresUs }: EntryWrite): Write {
  return value === null ? { op: 'delete', ns, key } : { op: 'put', ns, key, value, expiresUs }
}
