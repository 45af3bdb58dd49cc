// Answers from a data directory without a daemon: a card pulled from a dead Pi, or a directory beside a
// running one. Reads only: the WAL is replayed into memory, segments are read where they lie.
//
// Invariants: nothing is written; damage is told on the way and never ends the reading.
// Not here: evaluation (query), asking a running daemon (cli/answerer.ts).
import { systemClock } from '../base/clock.ts'
import { type CorruptionError, VarveError } from '../base/errors.ts'
import { type FlashFacts, probeFlash, systemTree } from '../disk/flash-probe.ts'
import { NodeDisk } from '../disk/node-disk.ts'
import { WearMeter } from '../disk/wear-meter.ts'
import { DEFAULT_QUERY_LIMITS } from '../query/limits.ts'
import { readExport, readRequest } from '../query/parameters.ts'
import type { QueryKind } from '../query/request.ts'
import { InlineRunner } from '../query/runner.ts'
import { openTiered } from '../rollup/tier-reader.ts'
import { HeadReader } from '../series/head-read.ts'
import { SegmentCache } from '../series/segment-cache.ts'
import { WEAR_NOTE } from './small-notes.ts'
import { openStorage, type Storage } from './storage.ts'
import { decodeLedger, savedOrdinal, type WearFacts, WearLedger } from './wear-ledger.ts'
import { readSlips } from './wear-slips.ts'
import { recoverLedger, segmentFiles } from './wear-steer.ts'

/** An open directory. */
export interface Directory {
  /** The answer to a question of the native API, in pieces. @throws {VarveError} as the API */
  ask(kind: QueryKind | 'export', params: URLSearchParams): AsyncIterable<Uint8Array>
  close(): Promise<void>
}

/** Told of damaged places while reading. */
export type OnDamage = (error: CorruptionError | VarveError) => void

/**
 * @param disk  the directory's own, where reads are to be counted
 * @throws {VarveError} VARVE_NO_STORE when it holds none; VARVE_FORMAT_NEWER, VARVE_IO
 */
export async function openDirectory(
  dir: string,
  onDamage: OnDamage,
  disk = new NodeDisk(dir)
): Promise<Directory> {
  const { engine, series, progress, catalogFile } = await openReadOnly(disk, onDamage)
  const segments = series.live(engine.manifest.segments.values())
  const cache = new SegmentCache(disk, { filesMax: 512, indexBytesMax: 256 * 2 ** 20 })
  const head = new HeadReader(series.views()[0]!, series.shapes)
  const open = () => openTiered(series.catalog, segments, [head], progress, cache, onDamage)
  const runner = new InlineRunner(open, {
    limits: { ...DEFAULT_QUERY_LIMITS, secondsMax: 3600 },
    clock: systemClock
  })
  return {
    ask(kind, params) {
      const parameters = new Map<string, string[]>()
      for (const name of new Set(params.keys())) parameters.set(name, params.getAll(name))
      const nowUs = systemClock.nowUs()
      const request = kind === 'export' ? readExport(parameters, nowUs) : readRequest(kind, parameters, nowUs)
      return runner.run(request, new AbortController().signal)
    },
    async close() {
      cache.close()
      await engine.close()
      catalogFile.close()
    }
  }
}

/** The wear ledger of a directory as it was saved last, with what was written since, and its medium. */
export async function readLedger(
  dir: string
): Promise<{ facts: WearFacts; mediumBytes: number; flash: FlashFacts }> {
  const disk = new NodeDisk(dir)
  const storage = await openReadOnly(disk, () => {})
  try {
    const note = storage.engine.manifest.note(WEAR_NOTE)
    if (note === undefined) {
      throw new VarveError('VARVE_NO_STORE', `Cannot read the wear ledger of ${dir}: nothing was saved yet`)
    }
    const ledger = new WearLedger(systemClock, note)
    recoverLedger(ledger, storage, segmentFiles(disk))
    const slips = new WearMeter(disk)
    for (const { counts } of readSlips(disk, failing)) slips.add(counts)
    ledger.take(slips.counts, 0)
    const flash = probeFlash(disk.root, systemTree)
    const { untilMs } = decodeLedger(note)
    return {
      facts: { ...ledger.facts(), untilMs },
      mediumBytes: flash.device?.bytes ?? disk.mediumBytes(),
      flash
    }
  } finally {
    await storage.engine.close()
    storage.catalogFile.close()
  }
}

async function openReadOnly(disk: NodeDisk, onDamage: OnDamage): Promise<Storage> {
  if (!disk.exists('MANIFEST')) {
    throw new VarveError('VARVE_NO_STORE', `Cannot open ${disk.root}: it is not a data directory of varve`)
  }
  return openStorage({
    disk,
    clock: systemClock,
    readOnly: true,
    series: {
      limits: { seriesMax: Number.POSITIVE_INFINITY, fieldsPerGroupMax: Number.POSITIVE_INFINITY },
      classes: [],
      classify: () => 0,
      flushBytes: Number.MAX_SAFE_INTEGER - 1,
      headBytesMax: Number.MAX_SAFE_INTEGER,
      onLate: () => {},
      onFull: () => {},
      afterReaders: callback => callback()
    },
    kv: {},
    wal: {},
    pace: {},
    countAfter: manifest => savedOrdinal(manifest.note(WEAR_NOTE)),
    anyU32: () => 0,
    onDamage,
    onError: error => onDamage(error as VarveError)
  })
}

function failing(error: unknown): never {
  throw error
}
