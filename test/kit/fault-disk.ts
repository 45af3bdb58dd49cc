// A disk that fails when told to: EIO on the n-th read, write or sync, short writes, no room from the n-th
// write on. What a failed write left behind is as unknown as on a real medium: half of it may be there.
import { VarveError } from '../../src/base/errors.ts'
import type { Cause, Disk, DiskFile, FileFacts } from '../../src/disk/disk.ts'

export interface Faults {
  /** Counting from 1 over the life of the disk: the n-th call fails with VARVE_IO. */
  readAt?: number
  writeAt?: number
  syncAt?: number
  /** The n-th write takes half of its bytes and fails with VARVE_IO. */
  shortWriteAt?: number
  /** From the n-th growing write on there is no room (VARVE_DISK_FULL); 0: never. */
  fullFrom?: number
  /** Only files whose path contains this. */
  path?: string
}

export class FaultDisk implements Disk {
  faults: Faults = {}
  reads = 0
  writes = 0
  syncs = 0
  grows = 0
  private readonly disk: Disk

  constructor(disk: Disk) {
    this.disk = disk
  }

  openRead(path: string): DiskFile {
    return new FaultFile(this.disk.openRead(path), this)
  }

  async openWrite(path: string, cause: Cause): Promise<DiskFile> {
    return new FaultFile(await this.disk.openWrite(path, cause), this)
  }

  exists(path: string): boolean {
    return this.disk.exists(path)
  }

  list(dir: string): string[] {
    return this.disk.list(dir)
  }

  facts(path: string): FileFacts | undefined {
    return this.disk.facts(path)
  }

  makeDir(dir: string): Promise<void> {
    return this.disk.makeDir(dir)
  }

  rename(from: string, to: string): Promise<void> {
    return this.disk.rename(from, to)
  }

  remove(path: string): Promise<void> {
    return this.disk.remove(path)
  }

  syncDir(dir: string): Promise<void> {
    return this.disk.syncDir(dir)
  }

  freeBytes(): number {
    return this.faults.fullFrom ? 0 : this.disk.freeBytes()
  }
}

class FaultFile implements DiskFile {
  readonly path: string
  private readonly file: DiskFile
  private readonly owner: FaultDisk

  constructor(file: DiskFile, owner: FaultDisk) {
    this.path = file.path
    this.file = file
    this.owner = owner
  }

  /** Whether faults concern this file; only its calls are counted then. */
  private get concerned(): boolean {
    const { path } = this.owner.faults
    return path === undefined || this.path.includes(path)
  }

  read(into: Uint8Array, at: number): number {
    const { owner } = this
    if (this.concerned && ++owner.reads === owner.faults.readAt) throw failed('read', this.path)
    return this.file.read(into, at)
  }

  async write(bytes: Uint8Array, at: number): Promise<void> {
    const { owner } = this
    if (this.concerned) {
      const { fullFrom = 0, writeAt, shortWriteAt } = owner.faults
      owner.writes++
      if (at + bytes.length > this.file.size() && fullFrom > 0 && ++owner.grows >= fullFrom) {
        throw new VarveError('VARVE_DISK_FULL', `Cannot write ${this.path}: no space left on device`)
      }
      if (owner.writes === writeAt) throw failed('write', this.path)
      if (owner.writes === shortWriteAt) {
        await this.file.write(bytes.subarray(0, bytes.length >> 1), at)
        throw failed('write', this.path)
      }
    }
    await this.file.write(bytes, at)
  }

  async sync(): Promise<void> {
    const { owner } = this
    if (this.concerned && ++owner.syncs === owner.faults.syncAt) throw failed('sync', this.path)
    await this.file.sync()
  }

  size(): number {
    return this.file.size()
  }

  close(): void {
    this.file.close()
  }
}

function failed(act: string, path: string): VarveError {
  return new VarveError('VARVE_IO', `Cannot ${act} ${path}: i/o error`)
}
