// A disk that loses power, by the model in src/disk/disk.ts (medium.ts does what it says).
//
// Every write, sync, create, rename, remove and directory sync is one step; the disk dies at step `diesAt`,
// which itself may take effect or not, and everything after it fails with VARVE_POWER_CUT. afterCut() is then
// the disk that the next boot finds. Or it never dies, and `watch` is called before each step completes: what
// the medium holds then is what a cut at that moment would find.
import { VarveError } from '../../src/base/errors.ts'
import type { Random } from '../../src/base/random.ts'
import { dirOf } from '../../src/disk/atomic-file.ts'
import type { Cause, Disk, DiskFile, FileFacts } from '../../src/disk/disk.ts'
import { type Fate, Inode, Medium, type NameChange } from './medium.ts'

/** Faults that a medium does not have, planted to see that tests find them. */
export interface DiskPlant {
  /** File syncs of these paths do nothing. */
  readonly forgetsSync?: (path: string) => boolean
  /** Syncs of these directories do nothing. */
  readonly forgetsDir?: (dir: string) => boolean
}

export class CrashDisk implements Disk {
  /** Steps so far. */
  steps = 0
  /** Total capacity in bytes, for freeBytes(). */
  capacity = 1e12
  /** Called before each step completes; a step takes a few turns of the event loop then. */
  watch: ((path: string) => void) | null = null
  plant: DiskPlant = {}
  readonly random: Random
  readonly medium: Medium
  private readonly diesAt: number
  /** The process that used it is gone: what it left under way does nothing any more. */
  private killed = false

  /** @param diesAt  the step at which power goes; Infinity: never */
  constructor(random: Random, diesAt = Infinity, medium = new Medium()) {
    this.random = random
    this.diesAt = diesAt
    this.medium = medium
  }

  get dead(): boolean {
    return this.killed || this.steps >= this.diesAt
  }

  /** Plants a fault: directory syncs do nothing. */
  forgetDirs(): void {
    this.plant = { ...this.plant, forgetsDir: () => true }
  }

  /** Plants a fault: file syncs do nothing, as when one acknowledges before the sync. */
  forgetSyncs(): void {
    this.plant = { ...this.plant, forgetsSync: () => true }
  }

  /** The process is gone; power is not. */
  kill(): void {
    this.killed = true
  }

  /** The disk found after the cut. */
  afterCut(diesAt = Infinity, fate: Fate = 'mixed'): CrashDisk {
    this.killed = true
    return new CrashDisk(this.random, diesAt, this.medium.land(fate, this.random))
  }

  /** The disk found after the process died and power did not: everything that was written is seen. */
  afterKill(diesAt = Infinity): CrashDisk {
    return this.afterCut(diesAt, 'killed')
  }

  /** All bytes of a file; change them by alter(). */
  bytesOf(path: string): Uint8Array {
    return this.inode(path).seen
  }

  /** A sync of this file failed: what was written and not synced never gets to the medium. */
  failSync(path: string): void {
    this.inode(path).failSync()
  }

  /** Changes a byte at rest. */
  flip(path: string, at: number, mask: number): void {
    const inode = this.inode(path)
    if (at < inode.seen.length) inode.alter(at, new Uint8Array([inode.seen[at]! ^ mask]))
  }

  /** Replaces bytes at rest. */
  alter(path: string, at: number, bytes: Uint8Array): void {
    this.inode(path).alter(at, bytes)
  }

  /** A step begins to take effect at once; the last one does or not. */
  private async step(path: string, begin: () => unknown, complete: () => unknown = () => {}): Promise<void> {
    if (this.dead) throw powerCut()
    this.steps++
    if (this.dead) {
      if (this.random.chance(0.5)) {
        begin()
        complete()
      }
      throw powerCut()
    }
    begin()
    if (this.watch !== null) {
      for (let turns = this.random.below(3); turns >= 0; turns--) await new Promise(setImmediate)
      if (this.killed) throw powerCut()
      this.watch(path)
    }
    complete()
  }

  private inode(path: string): Inode {
    const inode = this.medium.names.get(path)
    if (!inode) throw new VarveError('VARVE_NOT_FOUND', `Cannot open ${path}: it is not there`)
    return inode
  }

  private name(path: string, change: NameChange): Promise<void> {
    return this.step(path, () => this.medium.change(change))
  }

  openRead(path: string): DiskFile {
    return this.handle(path, this.inode(path))
  }

  async openWrite(path: string, _cause: Cause): Promise<DiskFile> {
    if (!this.medium.names.has(path)) {
      await this.name(path, { dir: dirOf(path), sets: [[path, new Inode()]] })
    }
    if (this.dead) throw powerCut()
    return this.handle(path, this.inode(path))
  }

  private handle(path: string, inode: Inode): DiskFile {
    const write = (bytes: Uint8Array, at: number) => this.step(path, () => inode.write(at, bytes))
    const sync = () => {
      if (this.plant.forgetsSync?.(path)) return this.step(path, () => {})
      let synced = () => {}
      return this.step(
        path,
        () => (synced = inode.sync()),
        () => synced()
      )
    }
    return {
      path,
      read: (into, at) => {
        const part = inode.seen.subarray(at, at + into.length)
        into.set(part)
        return part.length
      },
      write,
      sync,
      writeSynced: async (bytes, at) => {
        await write(bytes, at)
        await sync()
      },
      size: () => inode.seen.length,
      close: () => {}
    }
  }

  exists(path: string): boolean {
    return this.medium.names.has(path) || this.medium.dirs.has(path)
  }

  list(dir: string): string[] {
    return [...this.medium.names.keys()]
      .filter(path => dirOf(path) === dir)
      .map(path => path.slice(dir === '' ? 0 : dir.length + 1))
      .sort()
  }

  facts(path: string): FileFacts | undefined {
    const inode = this.medium.names.get(path)
    return inode && { path, bytes: inode.seen.length }
  }

  async makeDir(dir: string): Promise<void> {
    if (this.dead) throw powerCut()
    this.medium.dirs.add(dir)
  }

  async rename(from: string, to: string): Promise<void> {
    if (!this.medium.names.has(from) && this.medium.dirs.has(from)) return this.renameDir(from, to)
    const inode = this.inode(from)
    await this.name(to, {
      dir: dirOf(to),
      sets: [
        [from, null],
        [to, inode]
      ]
    })
  }

  /** A directory with all that is in it, as one change. */
  private renameDir(from: string, to: string): Promise<void> {
    const { names, dirs } = this.medium
    for (const dir of [...dirs]) if (`${dir}/`.startsWith(`${from}/`)) dirs.add(to + dir.slice(from.length))
    const moved = [...names].filter(([path]) => path.startsWith(`${from}/`))
    const sets = moved.flatMap(([path, inode]) => [
      [path, null] as const,
      [to + path.slice(from.length), inode] as const
    ])
    return this.name(to, { dir: dirOf(to), sets })
  }

  async remove(path: string): Promise<void> {
    this.inode(path)
    await this.name(path, { dir: dirOf(path), sets: [[path, null]] })
  }

  syncDir(dir: string): Promise<void> {
    if (this.plant.forgetsDir?.(dir)) return this.step(dir, () => {})
    let synced = () => {}
    return this.step(
      dir,
      () => (synced = this.medium.syncDir(dir)),
      () => synced()
    )
  }

  freeBytes(): number {
    let used = 0
    for (const inode of this.medium.names.values()) used += inode.seen.length
    return this.capacity - used
  }
}

function powerCut(): VarveError {
  return new VarveError('VARVE_POWER_CUT', 'Cannot reach the disk: the power is gone')
}
