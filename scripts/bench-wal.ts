// What one group costs: bytes given to the system, bytes that reach the device, syncs; for several sizes of
// group. As root, on an ext4 image on a loop device that nothing else uses, so that the device's own counters
// tell; else in the temporary directory, where only the bytes we write are known.
//
//   node scripts/bench-wal.ts [groups per size]
//
// Bound: a small group writes at most 4,096 bytes to its file and needs one sync; where the device is seen, at
// most 1.3 times that reaches it (the rest is the modification time in the journal). Exit 1 when it is broken.
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { ByteWriter } from '../src/base/bytes.ts'
import { NodeDisk } from '../src/disk/node-disk.ts'
import { WearMeter } from '../src/disk/wear-meter.ts'
import { Engine } from '../src/engine/engine.ts'
import { EAGER, type WalOwner } from '../src/engine/wal.ts'

const PAGE_BYTES = 4096
const OVERHEAD_MAX = 1.3
const SIZES = [50, 500, 4000, 16_000, 64_000, 250_000]
const FILES = 3
const FILE_BYTES = 16 * 1024 * 1024
const GROUPS = Number(process.argv[2] ?? 300)

interface Place {
  readonly dir: string
  /** Bytes that reached the device so far; null when nobody counts. */
  readonly deviceBytes: () => number | null
  readonly what: string
  readonly leave: () => void
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim()
}

/** Mounts a fresh ext4 image. */
function loopPlace(): Place {
  const base = fs.mkdtempSync(path.join(os.tmpdir(), 'varve-bench-'))
  const image = `${base}/image`
  const dir = `${base}/mount`
  run('truncate', '-s', '512M', image)
  run('mkfs.ext4', '-q', image)
  fs.mkdirSync(dir)
  const device = run('losetup', '-f', '--show', image)
  run('mount', device, dir)
  const stat = `/sys/block/${path.basename(device)}/stat`
  return {
    dir,
    what: `ext4 (default options) on ${device}`,
    deviceBytes: () => Number(fs.readFileSync(stat, 'utf8').trim().split(/\s+/)[6]) * 512,
    leave: () => {
      run('umount', dir)
      run('losetup', '-d', device)
      fs.rmSync(base, { recursive: true })
    }
  }
}

function plainPlace(why: string): Place {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'varve-bench-'))
  const leave = (): void => fs.rmSync(dir, { recursive: true })
  return { dir, what: `${dir} (device not seen: ${why})`, deviceBytes: () => null, leave }
}

function somewhere(): Place {
  try {
    return loopPlace()
  } catch (error) {
    return plainPlace(String(error).split('\n')[0]!)
  }
}

/** Drains as many bytes as asked for. */
class Filler implements WalOwner {
  readonly kind = 1
  pending = 0
  private readonly bytes = new Uint8Array(Math.max(...SIZES)).fill(0x5a)
  replay(): void {}
  drain(out: ByteWriter): void {
    if (this.pending > 0) out.raw(this.bytes.subarray(0, this.pending))
    this.pending = 0
  }
}

async function measure(place: Place): Promise<boolean> {
  const meter = new WearMeter(new NodeDisk(place.dir))
  const filler = new Filler()
  const engine = await Engine.open({
    disk: meter,
    owners: [filler],
    wal: { fileBytes: FILE_BYTES, filesMax: FILES }
  })
  // The steady state: all files there, every one used before.
  for (let file = 0; file < FILES; file++) {
    filler.pending = 1
    engine.wal.note(1, EAGER)
    await engine.wal.rotate()
  }
  await engine.manifest.commit({ checkpoint: { kind: 1, walFile: await engine.wal.rotate() } })
  let kept = true
  console.log('group bytes | groups | written B/group | syncs/group | device B/group | groups/s')
  for (const size of SIZES) {
    const group = async (): Promise<void> => {
      filler.pending = size
      engine.wal.note(size, EAGER)
      await engine.wal.synced(engine.wal.pendingGroup)
    }
    const { wal } = meter.counts
    await group()
    const [bytes, syncs, device, at] = [wal.bytes, wal.syncs, place.deviceBytes(), performance.now()]
    const groups = Math.min(GROUPS, Math.floor(FILE_BYTES / (size + PAGE_BYTES)) - 1)
    for (let i = 0; i < groups; i++) await group()
    const [written, synced] = [wal.bytes - bytes, wal.syncs - syncs]
    const seconds = (performance.now() - at) / 1000
    const per = (n: number): string => (n / groups).toFixed(n / groups < 10 ? 2 : 0)
    const reached = device === null ? null : place.deviceBytes()! - device
    console.log(
      `${size} | ${groups} | ${per(written)} | ${per(synced)} | ` +
        `${reached === null ? '?' : per(reached)} | ${per(groups * (groups / seconds))}`
    )
    await engine.manifest.commit({ checkpoint: { kind: 1, walFile: await engine.wal.rotate() } })
    if (size > 4000) continue
    kept &&= written === groups * PAGE_BYTES && synced === groups
    kept &&= reached === null || reached <= groups * PAGE_BYTES * OVERHEAD_MAX
  }
  await engine.close()
  return kept
}

const place = somewhere()
try {
  const cpu = os.cpus()[0]?.model ?? 'unknown'
  console.log(`machine: ${cpu}, ${os.cpus().length} cores, Linux ${os.release()}, Node ${process.version}`)
  console.log(`workload: groups one after the other, each synced, on ${place.what}`)
  const kept = await measure(place)
  console.log(
    `bound: ${PAGE_BYTES} B and 1 sync a small group, ${OVERHEAD_MAX} x on the device: ${kept ? 'kept' : 'BROKEN'}`
  )
  process.exitCode = kept ? 0 : 1
} finally {
  place.leave()
}
