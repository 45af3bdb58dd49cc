// An engine in memory for tests of the store: WAL groups, manifest edits and segment files with the
// semantics that kv/host.ts states, on a medium that loses power at a chosen step. A step is one thing
// that becomes durable or not: a group, an edit, a finished segment, a removal. At the cut the step may
// still land (it was written, its acknowledgement was not heard); everything after it fails.

import { ByteWriter } from '../../src/base/bytes.ts'
import { VarveError } from '../../src/base/errors.ts'
import type { Random } from '../../src/base/random.ts'
import type { SegmentInfo } from '../../src/engine/manifest.ts'
import {
  KV_KIND,
  type KvManifest,
  type KvWal,
  type SegmentFiles,
  type SegmentIn,
  type SegmentOut
} from '../../src/kv/host.ts'
import type { KvStore } from '../../src/kv/store.ts'

interface StoredSegment {
  readonly bytes: Uint8Array
  readonly footer: Uint8Array
}

/** What survives. */
export class Medium {
  readonly wal = new Map<number, Uint8Array[]>([[1, []]])
  readonly segments = new Map<number, StoredSegment>()
  readonly infos = new Map<number, SegmentInfo>()
  readonly notes = new Map<string, Uint8Array>()
  checkpoint = 1
  walFile = 1
  nextId = 1
  steps = 0
  cutAt = Number.POSITIVE_INFINITY
  readonly random: Random

  constructor(random: Random) {
    this.random = random
  }

  get dead(): boolean {
    return this.steps > this.cutAt
  }

  /** Makes something durable, or loses power. */
  async step(land: () => void): Promise<void> {
    await Promise.resolve()
    this.steps++
    if (this.steps < this.cutAt) return land()
    if (this.steps === this.cutAt && this.random.chance(0.5)) land()
    this.steps = this.cutAt + 1
    throw new VarveError('VARVE_IO', 'Cannot write: power is gone')
  }

  /** Power is back. */
  restore(): void {
    this.steps = 0
    this.cutAt = Number.POSITIVE_INFINITY
  }
}

export class SimWal implements KvWal {
  pendingGroup = 1
  syncedGroup = 0
  failure: VarveError | null = null
  noted = 0
  full = false
  private readonly medium: Medium
  private readonly store: KvStore
  private readonly listeners: ((group: number) => void)[] = []
  private last: Promise<void> = Promise.resolve()
  private file: number

  constructor(medium: Medium, store: KvStore) {
    this.medium = medium
    this.store = store
    this.file = medium.walFile
  }

  note(bytes: number): void {
    this.noted += bytes
  }

  onSynced(listener: (group: number) => void): void {
    this.listeners.push(listener)
  }

  admit(): void {
    if (this.failure !== null) throw this.failure
  }

  onPressure(): void {}

  async synced(group: number): Promise<void> {
    while (this.syncedGroup < group) await this.sync()
  }

  /** Writes the pending group and waits for it; groups go one after the other. */
  sync(): Promise<void> {
    this.last = this.last.then(() => this.writeGroup())
    return this.last
  }

  async rotate(): Promise<number> {
    await this.sync()
    this.file = ++this.medium.walFile
    this.medium.wal.set(this.file, [])
    return this.file
  }

  private async writeGroup(): Promise<void> {
    const out = new ByteWriter()
    this.store.drain(out)
    const group = this.pendingGroup++
    const payload = out.copy()
    const { file } = this
    try {
      await this.medium.step(() => {
        if (payload.length > 0) this.medium.wal.get(file)!.push(payload)
      })
    } catch (error) {
      this.failure = error as VarveError
      throw error
    }
    this.syncedGroup = group
    for (const listener of this.listeners) listener(group)
  }
}

export class SimManifest implements KvManifest {
  private readonly medium: Medium

  constructor(medium: Medium) {
    this.medium = medium
  }

  get segments(): ReadonlyMap<number, SegmentInfo> {
    return this.medium.infos
  }

  nextSegmentId(): number {
    return this.medium.nextId++
  }

  note(key: string): Uint8Array | undefined {
    return this.medium.notes.get(key)
  }

  commit(edit: Parameters<KvManifest['commit']>[0]): Promise<void> {
    const { medium } = this
    return medium.step(() => {
      for (const info of edit.add ?? []) medium.infos.set(info.id, info)
      for (const id of edit.remove ?? []) medium.infos.delete(id)
      for (const [key, value] of edit.notes ?? []) {
        if (value === null) medium.notes.delete(key)
        else medium.notes.set(key, value)
      }
      if (edit.checkpoint !== undefined) medium.checkpoint = edit.checkpoint.walFile
      for (const file of medium.wal.keys()) if (file < medium.checkpoint) medium.wal.delete(file)
    })
  }
}

export class SimFiles implements SegmentFiles {
  private readonly medium: Medium

  constructor(medium: Medium) {
    this.medium = medium
  }

  async create(id: number): Promise<SegmentOut> {
    const { medium } = this
    const out = new ByteWriter()
    return {
      block(_kind, payload) {
        const offset = out.length
        out.raw(payload)
        return { offset, length: payload.length }
      },
      room: () => Promise.resolve(),
      async finish(footer, { order, level, entries }) {
        await medium.step(() => medium.segments.set(id, { bytes: out.copy(), footer }))
        const times = { bucketUs: 0, spanUs: 0, timeMinUs: 0, timeMaxUs: 0 }
        const bytes = out.length + footer.length
        return { id, family: KV_KIND, class: 'kv', ...times, order, level, bytes, samples: entries, boot: 0 }
      },
      abort: () => Promise.resolve()
    }
  }

  open(id: number): SegmentIn {
    let closed = false
    const found = this.medium.segments.get(id)
    if (found === undefined)
      throw new VarveError('VARVE_NOT_FOUND', `Cannot open segment ${id}: it is not there`)
    return {
      file: `seg/${id}`,
      footer: found.footer,
      damage: [],
      blocks: () => [],
      block(offset, length) {
        if (closed) throw new Error(`segment ${id} is read after it was closed`)
        return found.bytes.slice(offset, offset + length)
      },
      close: () => {
        closed = true
      }
    }
  }

  remove(id: number): Promise<void> {
    return this.medium.step(() => this.medium.segments.delete(id))
  }
}

/** Opens a store on what the medium holds, as the engine would. */
export async function openOn(medium: Medium, store: KvStore): Promise<SimWal> {
  medium.restore()
  for (const id of medium.segments.keys()) if (!medium.infos.has(id)) medium.segments.delete(id)
  const files = [...medium.wal.keys()].filter(file => file >= medium.checkpoint).sort((a, b) => a - b)
  for (const file of files) for (const payload of medium.wal.get(file)!) store.replay(payload)
  medium.walFile = Math.max(medium.walFile, ...files) + 1
  medium.wal.set(medium.walFile, [])
  const wal = new SimWal(medium, store)
  await store.attach({ wal, manifest: new SimManifest(medium), files: new SimFiles(medium) })
  return wal
}
