// A medium whose every written byte is counted: an ext4 image on a loop device that only the program under
// test uses, read through the device's own counters (/sys/block/<loop>/stat). They include the journal and
// metadata, which /proc/PID/io misses.
//
// It needs root and loop devices. Without them the directory is an ordinary one and bytes come from
// /proc/PID/io: `how` says so, and whoever prints figures must print it with them.

import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'

export interface Medium {
  /** An empty directory on it. */
  readonly path: string
  /** Where the figures come from. */
  readonly how: string
  /** Bytes written since it was made, after all that is pending was written out. */
  writtenBytes(pid: number): number
  /** Flushes (FUA and cache flushes) that the device was asked for, or null when it cannot be known. */
  flushes(): number | null
  close(): void
}

const sectorBytes = 512
/** Fields of /sys/block/<dev>/stat, counted from 0. */
const statWriteSectors = 6
const statFlushes = 15

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim()
}

function loopMedium(dir: string, name: string, bytes: number, options: string): Medium {
  const image = join(dir, `${name}.img`)
  const path = join(dir, name)
  mkdirSync(path, { recursive: true })
  run('truncate', '-s', String(bytes), image)
  // Tables are written now, not lazily in the background of the measurement.
  run('mkfs.ext4', '-q', '-F', '-m', '0', '-E', 'lazy_itable_init=0,lazy_journal_init=0', image)
  const device = run('losetup', '--find', '--show', image)
  try {
    run('mount', '-o', options, device, path)
  } catch (error) {
    run('losetup', '-d', device)
    throw error
  }
  rmSync(join(path, 'lost+found'), { recursive: true, force: true })
  const stat = (field: number) => {
    const text = readFileSync(`/sys/block/${basename(device)}/stat`, 'utf8')
    return Number(text.trim().split(/\s+/)[field])
  }
  run('sync', '-f', path)
  const writtenBefore = stat(statWriteSectors)
  const flushesBefore = stat(statFlushes)
  let isOpen = true
  const close = () => {
    if (!isOpen) return
    isOpen = false
    // Lazily: a server that was just killed may still hold it for a moment.
    run('umount', '--lazy', path)
    run('losetup', '-d', device)
    rmSync(image)
  }
  process.prependListener('exit', close)
  return {
    path,
    how: `counters of a loop device with ext4 (${options})`,
    writtenBytes() {
      run('sync', '-f', path)
      return (stat(statWriteSectors) - writtenBefore) * sectorBytes
    },
    flushes: () => stat(statFlushes) - flushesBefore,
    close
  }
}

function processMedium(dir: string, name: string, why: string): Medium {
  const path = join(dir, name)
  mkdirSync(path, { recursive: true })
  return {
    path,
    how: `/proc/PID/io, without journal and metadata (${why})`,
    writtenBytes: pid => Number(/^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]),
    flushes: () => null,
    close() {}
  }
}

/**
 * Makes a medium of `bytes` below `dir`.
 * @param options  mount options; 'defaults' is what an owner has who changed nothing
 */
export function makeMedium(dir: string, name: string, bytes: number, options = 'defaults'): Medium {
  try {
    return loopMedium(dir, name, bytes, options)
  } catch (error) {
    return processMedium(dir, name, `no loop device: ${String(error).split('\n')[0]}`)
  }
}
