// The real medium: a directory tree of the file system, through node:fs, which only this file of `src`
// opens for data. Writes and syncs go through libuv's threads, so the event loop never waits for flash;
// reads are synchronous (disk.ts says why).
//
// Invariants: a write resolves only when every byte was taken (short writes are continued); sync is
// fdatasync, which on a file whose size and blocks do not change writes no metadata, and a write through a
// descriptor with O_DSYNC is both; a path never leaves the root. Every error of the system leaves as a VarveError with the system's error as its cause.
// Not here: counting (wear-meter.ts), what a cut may lose (disk.ts), replacing a file whole (atomic-file.ts).
import fs from 'node:fs'
import { assert } from '../base/assert.ts'
import { reason, VarveError } from '../base/errors.ts'
import type { Cause, Disk, DiskFile, FileFacts } from './disk.ts'

const CODES: Readonly<Record<string, string>> = {
  ENOSPC: 'VARVE_DISK_FULL',
  EDQUOT: 'VARVE_DISK_FULL',
  EROFS: 'VARVE_READ_ONLY',
  EACCES: 'VARVE_READ_ONLY',
  EPERM: 'VARVE_READ_ONLY',
  ENOENT: 'VARVE_NOT_FOUND'
}

/**
 * Turns an error of node:fs into ours: "Cannot <act> <path> [at byte <at>]: <system message>".
 * @param at  offset in the file, bytes
 */
export function diskError(act: string, path: string, error: unknown, at?: number): VarveError {
  const code = CODES[(error as NodeJS.ErrnoException).code ?? ''] ?? 'VARVE_IO'
  const place = at === undefined ? path : `${path} at byte ${at}`
  return new VarveError(code, `Cannot ${act} ${place}: ${reason(error)}`, { cause: error })
}

class NodeFile implements DiskFile {
  readonly path: string
  private readonly full: string
  private readonly fd: number
  /** Opened with O_DSYNC when it is first needed. */
  private synced: Promise<number> | null = null
  private open = true

  /** @param full  the path of the machine */
  constructor(path: string, full: string, fd: number) {
    this.path = path
    this.full = full
    this.fd = fd
  }

  read(into: Uint8Array, at: number): number {
    assert(this.open, 'a closed file is not read')
    let done = 0
    try {
      while (done < into.length) {
        const n = fs.readSync(this.fd, into, done, into.length - done, at + done)
        if (n === 0) break
        done += n
      }
    } catch (error) {
      throw diskError('read', this.path, error, at + done)
    }
    return done
  }

  write(bytes: Uint8Array, at: number): Promise<void> {
    assert(this.open, 'a closed file is not written')
    return this.writeTo(this.fd, bytes, at)
  }

  async writeSynced(bytes: Uint8Array, at: number): Promise<void> {
    assert(this.open, 'a closed file is not written')
    this.synced ??= this.openSynced()
    return this.writeTo(await this.synced, bytes, at)
  }

  private openSynced(): Promise<number> {
    const { O_WRONLY, O_DSYNC } = fs.constants
    return new Promise((resolve, reject) => {
      fs.open(this.full, O_WRONLY | O_DSYNC, (error, fd) =>
        error ? reject(diskError('open', this.path, error)) : resolve(fd)
      )
    })
  }

  private writeTo(fd: number, bytes: Uint8Array, at: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let done = 0
      const step = (): void => {
        fs.write(fd, bytes, done, bytes.length - done, at + done, (error, n) => {
          if (error) return reject(diskError('write', this.path, error, at + done))
          if (n === 0) {
            return reject(diskError('write', this.path, new Error('the system took no bytes'), at + done))
          }
          done += n
          if (done === bytes.length) resolve()
          else step()
        })
      }
      if (bytes.length === 0) resolve()
      else step()
    })
  }

  sync(): Promise<void> {
    assert(this.open, 'a closed file is not synced')
    return new Promise((resolve, reject) => {
      fs.fdatasync(this.fd, error => (error ? reject(diskError('sync', this.path, error)) : resolve()))
    })
  }

  size(): number {
    try {
      return fs.fstatSync(this.fd).size
    } catch (error) {
      throw diskError('measure', this.path, error)
    }
  }

  close(): void {
    if (!this.open) return
    this.open = false
    fs.closeSync(this.fd)
    // Who waited for it was told why it could not be opened.
    this.synced?.then(
      fd => fs.closeSync(fd),
      () => {}
    )
  }
}

/** A directory of this machine as a Disk. */
export class NodeDisk implements Disk {
  /** Absolute path of the directory. */
  readonly root: string

  /** @param root  an existing directory, or one that makeDir('') shall make */
  constructor(root: string) {
    this.root = fs.existsSync(root) ? fs.realpathSync(root) : root
  }

  private full(path: string): string {
    assert(!path.startsWith('/') && !path.split('/').includes('..'), 'a path of a disk stays below its root')
    return path === '' || path === '.' ? this.root : `${this.root}/${path}`
  }

  openRead(path: string): DiskFile {
    try {
      return new NodeFile(path, this.full(path), fs.openSync(this.full(path), 'r'))
    } catch (error) {
      const denied = (error as NodeJS.ErrnoException).code === 'EACCES'
      if (denied)
        throw new VarveError('VARVE_IO', `Cannot open ${path}: no right to read it`, { cause: error })
      throw diskError('open', path, error)
    }
  }

  openWrite(path: string, _cause: Cause): Promise<DiskFile> {
    return new Promise((resolve, reject) => {
      const full = this.full(path)
      fs.open(full, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o640, (error, fd) =>
        error ? reject(diskError('open', path, error)) : resolve(new NodeFile(path, full, fd))
      )
    })
  }

  exists(path: string): boolean {
    return fs.existsSync(this.full(path))
  }

  list(dir: string): string[] {
    try {
      return fs.readdirSync(this.full(dir)).sort()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw diskError('list', dir, error)
    }
  }

  facts(path: string): FileFacts | undefined {
    try {
      const stat = fs.statSync(this.full(path), { throwIfNoEntry: false })
      return stat?.isFile() ? { path, bytes: stat.size } : undefined
    } catch (error) {
      throw diskError('measure', path, error)
    }
  }

  async makeDir(dir: string): Promise<void> {
    await call('make directory', dir, done =>
      fs.mkdir(this.full(dir), { recursive: true, mode: 0o750 }, e => done(e))
    )
  }

  rename(from: string, to: string): Promise<void> {
    return call('rename', from, done => fs.rename(this.full(from), this.full(to), done))
  }

  remove(path: string): Promise<void> {
    return call('remove', path, done => fs.unlink(this.full(path), done))
  }

  /**
   * Gives a file of this disk a second name in another directory of the machine.
   * @returns  false where the file system cannot: another medium, no links, too many
   */
  async link(path: string, to: NodeDisk, as: string): Promise<boolean> {
    try {
      await call('link', path, done => fs.link(this.full(path), to.full(as), done))
      return true
    } catch (error) {
      const code = ((error as VarveError).cause as NodeJS.ErrnoException).code ?? ''
      if (['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(code)) return false
      throw error
    }
  }

  /** Whether both lie on one file system. @throws {VarveError} as Disk */
  sharesMedium(other: NodeDisk): boolean {
    try {
      return fs.statSync(this.root).dev === fs.statSync(other.root).dev
    } catch (error) {
      throw diskError('measure', other.root, error)
    }
  }

  syncDir(dir: string): Promise<void> {
    return call('sync directory', dir, done => {
      fs.open(this.full(dir), 'r', (error, fd) => {
        if (error) return done(error)
        fs.fsync(fd, syncError => fs.close(fd, closeError => done(syncError ?? closeError)))
      })
    })
  }

  freeBytes(): number {
    try {
      const stat = fs.statfsSync(this.root)
      return stat.bavail * stat.bsize
    } catch (error) {
      throw diskError('measure', this.root, error)
    }
  }

  /** Size of a block of the file system, in bytes. */
  blockBytes(): number {
    try {
      return fs.statfsSync(this.root).bsize
    } catch (error) {
      throw diskError('measure', this.root, error)
    }
  }

  /** Size of the file system, in bytes. */
  mediumBytes(): number {
    try {
      const stat = fs.statfsSync(this.root)
      return stat.blocks * stat.bsize
    } catch (error) {
      throw diskError('measure', this.root, error)
    }
  }
}

type Done = (error: NodeJS.ErrnoException | null | undefined) => void

function call(act: string, path: string, run: (done: Done) => void): Promise<void> {
  return new Promise((resolve, reject) => run(e => (e ? reject(diskError(act, path, e)) : resolve())))
}
