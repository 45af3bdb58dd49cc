// A disk that fails when told to: EIO on the n-th read, write, sync or change of names, short writes, no room
// from the n-th growing write on. What a failed write left behind is as unknown as on a real medium: half of it
// may be there. A failed sync drops what it concerned, as Linux does: programs still see it, the medium never
// gets it, whatever sync succeeds later.
import { VarveError } from '../../src/base/errors.ts'
import type { Cause, Disk, DiskFile, FileFacts } from '../../src/disk/disk.ts'

export interface Faults {
  /** Counting from 1 over the life of the disk: the n-th call fails with VARVE_IO. */
  readAt?: number
  writeAt?: number
  syncAt?: number
  /** The n-th write takes half of its bytes and fails with VARVE_IO. */
  shortWriteAt?: number
  /** The n-th create, rename, remove or sync of a directory. */
  nameAt?: number
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
  names = 0
  grows = 0
  /** The errors that were raised. */
  readonly struck: VarveError[] = []
  private readonly disk: Disk
  private readonly onFailedSync: (path: string) => void

  /** @param onFailedSync  drops what was written to the path and not synced */
  constructor(disk: Disk, onFailedSync: (path: string) => void = () => {}) {
    this.disk = disk
    this.onFailedSync = onFailedSync
  }

  openRead(path: string): DiskFile {
    return this.wrap(this.disk.openRead(path))
  }

  async openWrite(path: string, cause: Cause): Promise<DiskFile> {
    if (!this.disk.exists(path)) this.beforeName('open', path)
    return this.wrap(await this.disk.openWrite(path, cause))
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

  async rename(from: string, to: string): Promise<void> {
    this.beforeName('rename', from)
    await this.disk.rename(from, to)
  }

  async remove(path: string): Promise<void> {
    this.beforeName('remove', path)
    await this.disk.remove(path)
  }

  async syncDir(dir: string): Promise<void> {
    this.beforeName('sync directory', dir)
    await this.disk.syncDir(dir)
  }

  freeBytes(): number {
    // The first write that finds no room is not foreseen: somebody else took the room.
    const { fullFrom = 0 } = this.faults
    return fullFrom > 0 && this.grows >= fullFrom ? 0 : this.disk.freeBytes()
  }

  private wrap(file: DiskFile): DiskFile {
    return {
      path: file.path,
      read: (into, at) => {
        if (this.concerns(file.path) && ++this.reads === this.faults.readAt)
          throw this.failed('read', file.path, at)
        return file.read(into, at)
      },
      write: (bytes, at) => this.write(file, bytes, at),
      sync: () => this.sync(file),
      writeSynced: async (bytes, at) => {
        await this.write(file, bytes, at)
        await this.sync(file)
      },
      size: () => file.size(),
      close: () => file.close()
    }
  }

  private async write(file: DiskFile, bytes: Uint8Array, at: number): Promise<void> {
    const { path } = file
    if (this.concerns(path)) {
      const { fullFrom = 0, writeAt, shortWriteAt } = this.faults
      this.writes++
      if (at + bytes.length > file.size() && ++this.grows >= fullFrom && fullFrom > 0) {
        throw this.strike('VARVE_DISK_FULL', `Cannot write ${path} at byte ${at}: no space left on device`)
      }
      if (this.writes === writeAt) throw this.failed('write', path, at)
      if (this.writes === shortWriteAt) {
        await file.write(bytes.subarray(0, bytes.length >> 1), at)
        throw this.failed('write', path, at)
      }
    }
    await file.write(bytes, at)
  }

  private async sync(file: DiskFile): Promise<void> {
    if (this.concerns(file.path) && ++this.syncs === this.faults.syncAt) {
      this.onFailedSync(file.path)
      throw this.failed('sync', file.path)
    }
    await file.sync()
  }

  /** Whether faults concern this file; only its calls are counted then. */
  private concerns(path: string): boolean {
    return this.faults.path === undefined || path.includes(this.faults.path)
  }

  private beforeName(act: string, path: string): void {
    if (this.concerns(path) && ++this.names === this.faults.nameAt) throw this.failed(act, path)
  }

  private failed(act: string, path: string, at?: number): VarveError {
    const place = at === undefined ? '' : ` at byte ${at}`
    return this.strike('VARVE_IO', `Cannot ${act} ${path}${place}: i/o error`)
  }

  private strike(code: string, message: string): VarveError {
    const error = new VarveError(code, message)
    this.struck.push(error)
    return error
  }
}
