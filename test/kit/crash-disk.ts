// A disk that loses power, by the model in src/disk/disk.ts: what was synced stays; what was not may vanish,
// land in part (torn at any byte of any sector) or in any order; names are durable after syncDir() only.
//
// Every write, sync, create, rename, remove and directory sync is one step; the disk dies at step `diesAt`,
// which itself may take effect or not, and everything after it fails with VARVE_POWER_CUT. afterCut() is then
// the disk that the next boot finds.
import { VarveError } from '../../src/base/errors.ts'
import type { Random } from '../../src/base/random.ts'
import { dirOf } from '../../src/disk/atomic-file.ts'
import type { Cause, Disk, DiskFile, FileFacts } from '../../src/disk/disk.ts'

const SECTOR_BYTES = 512

interface Write {
  readonly at: number
  readonly bytes: Uint8Array
}

/** The bytes of a file, as programs see them and as they are on the medium. */
class Inode {
  seen = new Uint8Array(0)
  safe = new Uint8Array(0)
  unsynced: Write[] = []

  write(at: number, bytes: Uint8Array): void {
    this.seen = put(this.seen, at, bytes)
    this.unsynced.push({ at, bytes: bytes.slice() })
  }

  sync(): void {
    this.safe = this.seen.slice()
    this.unsynced = []
  }
}

function put(into: Uint8Array<ArrayBuffer>, at: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  let target = into
  if (at + bytes.length > target.length) {
    target = new Uint8Array(at + bytes.length)
    target.set(into)
  }
  target.set(bytes, at)
  return target
}

/** One change of names; null removes. */
interface NameChange {
  readonly dir: string
  readonly sets: readonly (readonly [path: string, inode: Inode | null])[]
}

function applyNames(names: Map<string, Inode>, change: NameChange): void {
  for (const [path, inode] of change.sets) {
    if (inode === null) names.delete(path)
    else names.set(path, inode)
  }
}

export class CrashDisk implements Disk {
  /** Steps so far. */
  steps = 0
  /** Total capacity in bytes, for freeBytes(). */
  capacity = 1e12
  /** Plants a fault: directory syncs do nothing. */
  forgetsDirs = false
  /** Plants a fault: file syncs do nothing, as when one acknowledges before the sync. */
  forgetsSyncs = false
  readonly random: Random
  private readonly diesAt: number
  /** The process that used it is gone: what it left under way does nothing any more. */
  private killed = false
  private readonly names = new Map<string, Inode>()
  private readonly safeNames = new Map<string, Inode>()
  private unsyncedNames: NameChange[] = []
  private readonly dirs = new Set<string>([''])

  /** @param diesAt  the step at which power goes; Infinity: never */
  constructor(random: Random, diesAt = Infinity) {
    this.random = random
    this.diesAt = diesAt
  }

  get dead(): boolean {
    return this.killed || this.steps >= this.diesAt
  }

  /** The disk found after the cut. */
  afterCut(diesAt = Infinity): CrashDisk {
    this.killed = true
    const { random } = this
    const found = new CrashDisk(random, diesAt)
    const names = new Map(this.safeNames)
    const until = random.chance(0.5) ? random.below(this.unsyncedNames.length + 1) : Infinity
    this.unsyncedNames.forEach((change, i) => {
      if (until === Infinity ? random.chance(0.5) : i < until) applyNames(names, change)
    })
    const landed = new Map<Inode, Inode>()
    for (const [path, inode] of names) {
      const kept = landed.get(inode) ?? land(inode, random)
      landed.set(inode, kept)
      found.names.set(path, kept)
      found.safeNames.set(path, kept)
    }
    for (const dir of this.dirs) found.dirs.add(dir)
    return found
  }

  /** The disk found after the process died and power did not: everything that was written is seen. */
  afterKill(diesAt = Infinity): CrashDisk {
    this.killed = true
    const found = new CrashDisk(this.random, diesAt)
    for (const [path, inode] of this.names) found.names.set(path, inode)
    for (const [path, inode] of this.safeNames) found.safeNames.set(path, inode)
    found.unsyncedNames = [...this.unsyncedNames]
    for (const dir of this.dirs) found.dirs.add(dir)
    return found
  }

  /** All bytes of a file, to be damaged by a test. */
  bytesOf(path: string): Uint8Array {
    return this.inode(path).seen
  }

  /** Changes a byte at rest. */
  flip(path: string, at: number, mask: number): void {
    const inode = this.inode(path)
    for (const bytes of [inode.seen, inode.safe]) if (at < bytes.length) bytes[at]! ^= mask
  }

  /** A step: takes `effect` if power lasts; the last step takes it or not. */
  private step(effect: () => unknown): Promise<void> {
    if (this.dead) return Promise.reject(powerCut())
    this.steps++
    if (this.dead) {
      if (this.random.chance(0.5)) effect()
      return Promise.reject(powerCut())
    }
    effect()
    return Promise.resolve()
  }

  private inode(path: string): Inode {
    const inode = this.names.get(path)
    if (!inode) throw new VarveError('VARVE_NOT_FOUND', `Cannot open ${path}: it is not there`)
    return inode
  }

  private rename_(change: NameChange): void {
    applyNames(this.names, change)
    this.unsyncedNames.push(change)
  }

  openRead(path: string): DiskFile {
    return this.handle(path, this.inode(path))
  }

  async openWrite(path: string, _cause: Cause): Promise<DiskFile> {
    if (!this.names.has(path)) {
      const inode = new Inode()
      await this.step(() => this.rename_({ dir: dirOf(path), sets: [[path, inode]] }))
    }
    if (this.dead) throw powerCut()
    return this.handle(path, this.inode(path))
  }

  private handle(path: string, inode: Inode): DiskFile {
    return {
      path,
      read: (into, at) => {
        const part = inode.seen.subarray(at, at + into.length)
        into.set(part)
        return part.length
      },
      write: (bytes, at) => this.step(() => inode.write(at, bytes)),
      sync: () => this.step(() => this.forgetsSyncs || inode.sync()),
      size: () => inode.seen.length,
      close: () => {}
    }
  }

  exists(path: string): boolean {
    return this.names.has(path) || this.dirs.has(path)
  }

  list(dir: string): string[] {
    return [...this.names.keys()]
      .filter(path => dirOf(path) === dir)
      .map(path => path.slice(dir === '' ? 0 : dir.length + 1))
      .sort()
  }

  facts(path: string): FileFacts | undefined {
    const inode = this.names.get(path)
    return inode && { path, bytes: inode.seen.length }
  }

  async makeDir(dir: string): Promise<void> {
    if (this.dead) throw powerCut()
    this.dirs.add(dir)
  }

  rename(from: string, to: string): Promise<void> {
    const inode = this.inode(from)
    return this.step(() =>
      this.rename_({
        dir: dirOf(to),
        sets: [
          [from, null],
          [to, inode]
        ]
      })
    )
  }

  remove(path: string): Promise<void> {
    this.inode(path)
    return this.step(() => this.rename_({ dir: dirOf(path), sets: [[path, null]] }))
  }

  syncDir(dir: string): Promise<void> {
    return this.step(() => {
      if (this.forgetsDirs) return
      for (const change of this.unsyncedNames) if (change.dir === dir) applyNames(this.safeNames, change)
      this.unsyncedNames = this.unsyncedNames.filter(change => change.dir !== dir)
    })
  }

  freeBytes(): number {
    let used = 0
    for (const inode of this.names.values()) used += inode.seen.length
    return this.capacity - used
  }
}

function powerCut(): VarveError {
  return new VarveError('VARVE_POWER_CUT', 'Cannot reach the disk: the power is gone')
}

/** What is left of a file: some of its unsynced writes, in any order, whole or torn. */
function land(inode: Inode, random: Random): Inode {
  const left = new Inode()
  left.safe = inode.safe.slice()
  const writes = [...inode.unsynced]
  while (writes.length > 0) {
    const write = writes.splice(random.chance(0.7) ? 0 : random.below(writes.length), 1)[0]!
    if (random.chance(0.4)) continue
    if (random.chance(0.3)) left.safe = put(left.safe, write.at, write.bytes)
    else tear(left, write, random)
  }
  left.seen = left.safe.slice()
  return left
}

function tear(left: Inode, write: Write, random: Random): void {
  const landing = random.unit()
  for (let at = 0; at < write.bytes.length; at += SECTOR_BYTES) {
    if (!random.chance(landing)) continue
    const whole = Math.min(SECTOR_BYTES, write.bytes.length - at)
    const bytes = random.chance(0.1) ? random.below(whole) : whole
    left.safe = put(left.safe, write.at + at, write.bytes.subarray(at, at + bytes))
  }
}
