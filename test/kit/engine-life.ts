// One life of an engine on a disk that may die: opens, checks what it finds, works until the cut or the end.
import { VarveError } from '../../src/base/errors.ts'
import type { Random } from '../../src/base/random.ts'
import type { Disk } from '../../src/disk/disk.ts'
import { Engine } from '../../src/engine/engine.ts'
import { EAGER, LAZY, NORMAL } from '../../src/engine/wal.ts'
import { HandClock } from './hand-clock.ts'
import { Ledger, verdict } from './ledger.ts'

/** What outlives the lives: how much was sent and acknowledged of each kind. */
export interface Sent {
  readonly sent: [number, number]
  readonly acknowledged: [number, number]
}

export function nothingSent(): Sent {
  return { sent: [0, 0], acknowledged: [0, 0] }
}

export interface LifeOptions {
  readonly disk: Disk
  readonly random: Random
  readonly sofar: Sent
  /** Random steps of the workload. */
  readonly turns: number
  readonly closes?: boolean
}

/** Opens with small files, so that rotation and recycling come often, and groups overwrite and let files grow. */
export async function openSmall(disk: Disk, random: Random, readOnly = false) {
  const ledgers: [Ledger, Ledger] = [new Ledger(1), new Ledger(2)]
  const aheadBytes = random.pick([4096, 12_288, 65_536])
  const engine = await Engine.open({
    disk,
    owners: ledgers,
    readOnly,
    clock: new HandClock(),
    wal: { fileBytes: 65_536, aheadBytes, filesMax: 4, groupBytesMax: 1 << 20 },
    pace: { delayMaxMs: 0, delayMaxLazyMs: 0, groupBytesTrigger: 8192 },
    anyU32: () => random.u32()
  })
  for (const ledger of ledgers) ledger.load(engine, disk)
  return { engine, ledgers }
}

/**
 * Runs one life. Ends by itself at a power cut or a fault of the disk.
 * @returns  what was wrong with what was found at open, as sentences
 */
export async function live({ disk, random, sofar, turns, closes }: LifeOptions): Promise<string[]> {
  let wrongs: string[] = []
  try {
    const { engine, ledgers } = await openSmall(disk, random)
    wrongs = ledgers.flatMap((found, i) => verdict(found, sofar.sent[i]!, sofar.acknowledged[i]!))
    for (const error of engine.damage) wrongs.push(`reported as corruption: ${error.message}`)
    ledgers.forEach((ledger, i) => {
      sofar.sent[i] = ledger.next
    })
    const flushAll = (): Promise<unknown> => Promise.all(ledgers.map(each => each.flush(engine, disk)))
    // A flush that fails while the WAL is full ends the life: nobody else would notice that power is gone.
    const flushFailed = Promise.withResolvers<never>()
    flushFailed.promise.catch(() => {})
    const pressed = (): void => void flushAll().catch(flushFailed.reject)
    engine.wal.onPressure(pressed)
    if (engine.wal.pressure.filesPinned >= 2) pressed()
    try {
      for (let turn = 0; turn < turns && wrongs.length === 0; turn++) {
        await Promise.race([work(engine, ledgers, disk, random), flushFailed.promise])
      }
      if (closes) await engine.close()
    } finally {
      // What was acknowledged through the manifest counts like an acknowledgement of the WAL.
      ledgers.forEach((ledger, i) => {
        sofar.sent[i] = Math.max(sofar.sent[i]!, ledger.next)
        sofar.acknowledged[i] = Math.max(sofar.acknowledged[i]!, ledger.acknowledged)
      })
    }
  } catch (error) {
    if (!isWorld(error)) throw error
  }
  return wrongs
}

async function work(engine: Engine, ledgers: [Ledger, Ledger], disk: Disk, random: Random): Promise<void> {
  const ledger = random.pick(ledgers)
  const what = random.below(100)
  if (what < 70) {
    const entries = 1 + random.below(6)
    let group = 0
    for (let i = 0; i < entries; i++) group = ledger.append(engine, random.pick([LAZY, NORMAL, EAGER]))
    const upTo = ledger.next
    const synced = engine.wal.synced(group).then(() => {
      ledger.acknowledged = Math.max(ledger.acknowledged, upTo)
    })
    if (random.chance(0.6)) await synced
    else synced.catch(error => error)
  } else if (what < 80) {
    await ledger.flush(engine, disk)
  } else if (what < 86) {
    await Promise.all(ledgers.map(each => each.flush(engine, disk)))
  } else if (what < 93) {
    await ledger.merge(engine, disk)
  } else {
    await engine.manifest.commit({ notes: [[`note${random.below(3)}`, new Uint8Array(random.below(3000))]] })
  }
}

const WORLD = ['VARVE_POWER_CUT', 'VARVE_IO', 'VARVE_DISK_FULL']

/** Whether the disk is to blame: the power went, or a planted fault struck. */
function isWorld(error: unknown): boolean {
  for (let e = error; e instanceof VarveError; e = e.cause) if (WORLD.includes(e.code)) return true
  return false
}
