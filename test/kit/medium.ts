// What a medium holds between the writes of programs, as plain data, and what of it is found after a cut: by
// the model in src/disk/disk.ts, what was synced stays, what was not may vanish, land in part or in any order,
// and names are durable after a sync of their directory only.
//
// Bytes are never changed in place once they are shared, so that a copy of a whole medium costs its names only:
// the crash matrix keeps one for each write of a life.
// Not here: the disk that programs see (crash-disk.ts).
import type { Random } from '../../src/base/random.ts'

const SECTOR_BYTES = 512

/**
 * What becomes of unsynced writes and names: all lost; the process was killed and power stayed, so all are seen
 * and none is safe; a prefix of them landed and the next one is torn between sectors; any of them landed, in any
 * order; anything that may happen, torn at any byte.
 */
export const FATES = ['lost', 'killed', 'torn', 'reordered', 'mixed'] as const
export type Fate = (typeof FATES)[number]

export interface Write {
  readonly at: number
  readonly bytes: Uint8Array
}

type Bytes = Uint8Array<ArrayBuffer>

/** The bytes of a file, as programs see them and as they are on the medium. */
export class Inode {
  private now: Bytes = new Uint8Array(0)
  private kept: Bytes = new Uint8Array(0)
  private writes: readonly Write[] = []
  /** Whether somebody else may hold `now`. */
  private shared = false
  /** A sync failed: the kernel gave up what was written until then, and no later sync brings it back. */
  private dropped = false
  private syncsBegun = 0
  /** The sync whose bytes are kept. */
  private syncKept = 0

  /** As programs see it; never to be changed. */
  get seen(): Uint8Array {
    return this.now
  }

  get unsynced(): readonly Write[] {
    return this.writes
  }

  write(at: number, bytes: Uint8Array): void {
    this.change(at, bytes)
    this.writes = [...this.writes, { at, bytes: bytes.slice() }]
  }

  /** A sync begins; what was written until now is on the medium once the result is called. */
  sync(): () => void {
    const { now, writes } = this
    const begun = ++this.syncsBegun
    this.shared = true
    return () => {
      // Two syncs may overlap: the one that began first may end last, and takes nothing back.
      if (begun > this.syncKept) this.kept = this.dropped ? putAll(this.kept, writes) : now
      this.syncKept = Math.max(this.syncKept, begun)
      this.writes = this.writes.filter(write => !writes.includes(write))
    }
  }

  /** A sync failed. */
  failSync(): void {
    this.writes = []
    this.dropped = true
  }

  /** Changes bytes at rest: synced as they are. */
  alter(at: number, bytes: Uint8Array): void {
    this.change(at, bytes)
    this.kept = this.now
    this.shared = true
  }

  copy(): Inode {
    const copy = new Inode()
    this.shared = true
    copy.shared = true
    copy.now = this.now
    copy.kept = this.kept
    copy.writes = this.writes
    copy.dropped = this.dropped
    copy.syncsBegun = this.syncsBegun
    copy.syncKept = this.syncKept
    return copy
  }

  /** What is left of it. */
  land(fate: Fate, random: Random): Inode {
    const left = new Inode()
    left.now = this.kept
    left.shared = true
    if (fate === 'torn') left.landTorn(this.writes, random)
    else if (fate === 'reordered') left.landReordered(this.writes, random)
    else if (fate === 'mixed') left.landMixed(this.writes, this.now.length, random)
    left.kept = left.now
    left.shared = true
    return left
  }

  private landTorn(writes: readonly Write[], random: Random): void {
    if (writes.length === 0) return
    const whole = random.below(writes.length)
    for (const { at, bytes } of writes.slice(0, whole)) this.change(at, bytes)
    this.tear(writes[whole]!, random, 0)
  }

  private landReordered(writes: readonly Write[], random: Random): void {
    const left = writes.filter(() => random.chance(0.5))
    while (left.length > 0) {
      const { at, bytes } = left.splice(random.below(left.length), 1)[0]!
      this.change(at, bytes)
    }
  }

  /** @param grown  the size that programs see: it may land without the bytes that it was to hold */
  private landMixed(unsynced: readonly Write[], grown: number, random: Random): void {
    const writes = [...unsynced]
    while (writes.length > 0) {
      const write = writes.splice(random.chance(0.7) ? 0 : random.below(writes.length), 1)[0]!
      if (random.chance(0.4)) continue
      if (random.chance(0.3)) this.change(write.at, write.bytes)
      else this.tear(write, random, 0.1)
    }
    const more = grown - this.now.length
    if (more > 0 && random.chance(0.2))
      this.change(this.now.length + random.below(more + 1), new Uint8Array(0))
  }

  /** Some sectors of a write land; of these some in part only. */
  private tear(write: Write, random: Random, partly: number): void {
    const landing = random.unit()
    for (let at = 0; at < write.bytes.length; at += SECTOR_BYTES) {
      if (!random.chance(landing)) continue
      const whole = Math.min(SECTOR_BYTES, write.bytes.length - at)
      const bytes = partly > 0 && random.chance(partly) ? random.below(whole) : whole
      this.change(write.at + at, write.bytes.subarray(at, at + bytes))
    }
  }

  private change(at: number, bytes: Uint8Array): void {
    if (this.shared || at + bytes.length > this.now.length) {
      const grown = new Uint8Array(Math.max(this.now.length, at + bytes.length))
      grown.set(this.now)
      this.now = grown
      this.shared = false
    }
    this.now.set(bytes, at)
  }
}

function putAll(into: Bytes, writes: readonly Write[]): Bytes {
  const bytes = new Uint8Array(Math.max(into.length, ...writes.map(write => write.at + write.bytes.length)))
  bytes.set(into)
  for (const write of writes) bytes.set(write.bytes, write.at)
  return bytes
}

/** One change of names; null removes. */
export interface NameChange {
  readonly dir: string
  readonly sets: readonly (readonly [path: string, inode: Inode | null])[]
}

/** Files by name, as seen and as synced. */
export class Medium {
  readonly names = new Map<string, Inode>()
  readonly dirs = new Set<string>([''])
  private readonly safeNames = new Map<string, Inode>()
  private changes: readonly NameChange[] = []

  change(change: NameChange): void {
    apply(this.names, change)
    this.changes = [...this.changes, change]
  }

  /** A sync of a directory begins; what was changed until now is durable once the result is called. */
  syncDir(dir: string): () => void {
    const due = this.changes.filter(change => change.dir === dir)
    return () => {
      const now = due.filter(change => this.changes.includes(change))
      for (const change of now) apply(this.safeNames, change)
      this.changes = this.changes.filter(change => !now.includes(change))
    }
  }

  /** Whether a cut would find exactly what is seen. */
  get settled(): boolean {
    if (this.changes.length > 0) return false
    for (const inode of this.names.values()) if (inode.unsynced.length > 0) return false
    return true
  }

  /** The same medium, apart from this one. */
  copy(): Medium {
    const copies = new Map<Inode, Inode>()
    const copyOf = (inode: Inode): Inode => {
      const known = copies.get(inode) ?? inode.copy()
      copies.set(inode, known)
      return known
    }
    const copy = new Medium()
    for (const [path, inode] of this.names) copy.names.set(path, copyOf(inode))
    for (const [path, inode] of this.safeNames) copy.safeNames.set(path, copyOf(inode))
    copy.changes = this.changes.map(({ dir, sets }) => ({
      dir,
      sets: sets.map(([path, inode]) => [path, inode && copyOf(inode)] as const)
    }))
    for (const dir of this.dirs) copy.dirs.add(dir)
    return copy
  }

  /** What the next process finds. */
  land(fate: Fate, random: Random): Medium {
    if (fate === 'killed') return this.copy()
    const found = new Medium()
    const names = new Map(this.safeNames)
    for (const change of this.landedChanges(fate, random)) apply(names, change)
    const landed = new Map<Inode, Inode>()
    for (const [path, inode] of names) {
      const left = landed.get(inode) ?? inode.land(fate, random)
      landed.set(inode, left)
      found.names.set(path, left)
      found.safeNames.set(path, left)
    }
    for (const dir of this.dirs) found.dirs.add(dir)
    return found
  }

  private landedChanges(fate: Fate, random: Random): readonly NameChange[] {
    const { changes } = this
    if (fate === 'lost') return []
    if (fate === 'torn') return changes.slice(0, random.below(changes.length + 1))
    if (fate === 'reordered') return changes.filter(() => random.chance(0.5))
    const until = random.chance(0.5) ? random.below(changes.length + 1) : Infinity
    return changes.filter((_, i) => (until === Infinity ? random.chance(0.5) : i < until))
  }
}

function apply(names: Map<string, Inode>, change: NameChange): void {
  for (const [path, inode] of change.sets) {
    if (inode === null) names.delete(path)
    else names.set(path, inode)
  }
}
