// An owner of WAL content for the tests of the WAL: texts go in, and are compared with what comes back.
import { ByteReader, type ByteWriter } from '../../src/base/bytes.ts'
import type { CorruptionError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import type { Disk } from '../../src/disk/disk.ts'
import { Engine, type EngineOptions } from '../../src/engine/engine.ts'
import { EAGER, type WalOwner } from '../../src/engine/wal.ts'
import { CrashDisk } from '../kit/crash-disk.ts'
import { HandClock } from '../kit/hand-clock.ts'

export const FILE_BYTES = 65_536

/** Keeps texts: what was appended, what came back. */
export class Texts implements WalOwner {
  readonly kind: number
  readonly replayed: string[] = []
  readonly fresh: boolean[] = []
  readonly losses: CorruptionError[] = []
  pending: string[] = []

  constructor(kind = 1) {
    this.kind = kind
  }

  replay(payload: Uint8Array, fresh: boolean): void {
    const from = new ByteReader(payload)
    this.fresh.push(fresh)
    while (from.left > 0) this.replayed.push(from.text())
  }

  lost(error: CorruptionError): void {
    this.losses.push(error)
  }

  drain(out: ByteWriter): void {
    for (const text of this.pending) out.text(text)
    this.pending = []
  }

  /** Appends and returns the group to wait for. */
  put(engine: Engine, text: string, urgency: 0 | 1 | 2 = EAGER): number {
    this.pending.push(text)
    engine.wal.note(text.length, urgency)
    return engine.wal.pendingGroup
  }
}

/** Opens an engine with small files, whose life numbers count from 1. */
export async function open(disk: Disk, options: Partial<EngineOptions> = {}) {
  const texts = new Texts()
  const clock = new HandClock()
  let n = 1
  const engine = await Engine.open({
    disk,
    clock,
    owners: [texts],
    wal: { fileBytes: FILE_BYTES, filesMax: 4, groupBytesMax: 100_000 },
    anyU32: () => n++,
    ...options
  })
  return { engine, texts, clock }
}

export const anyDisk = (): CrashDisk => new CrashDisk(new Random(1))
export const turns = async (n = 20): Promise<void> => {
  for (let i = 0; i < n; i++) await new Promise(resolve => setImmediate(resolve))
}
