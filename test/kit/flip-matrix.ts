// Bytes that change at rest. A sound store is made and read whole; then one bit of it (or a sector) is changed,
// the store is opened and read whole again. What is found must be what was written last; what is missing must be
// named, with its file, and be what the damaged structure alone held (flip-holes.ts); damage of WAL, MANIFEST or
// CATALOG costs nothing that is in segments. An entry that is missing is an error to who asks for it.
//
// A group of the WAL with one changed bit is mended: it costs nothing. The one exception: one with a changed sector may
// have overwritten anything, so values of before may show.
// What cannot be told apart: a changed sector of the newest group, or of the last record of MANIFEST and CATALOG,
// looks like a torn tail. It is counted by itself where something is missing and nothing is named.
import { CorruptionError, reason, VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { WAL_DIR } from '../../src/engine/file-names.ts'
import type { KvStore } from '../../src/kv/store.ts'
import { CrashDisk } from './crash-disk.ts'
import { NAMESPACES } from './entry-life.ts'
import { FILE_KINDS, type Region, regionsOf } from './file-regions.ts'
import { type Holes, holesOf, NO_HOLES } from './flip-holes.ts'
import type { Medium } from './medium.ts'
import { readEntries } from './sent-entries.ts'
import { type Found, readAll } from './sent-rows.ts'
import { copyFacts, nothingYet, type SeriesFacts, SeriesLife } from './series-life.ts'
import { TIERS } from './series-store.ts'
import { Verdict } from './verdict.ts'

export const FLIPS_OF_A_STORE = 1_000
const SECTOR_BYTES = 512
const UNREAD: ReadonlySet<string> = new Set(['free space', 'free group', 'padding', 'names'])
/** A WAL that never fills up: rows that went past a full one are in a segment alone, and not in the WAL too. */
const WAL = { fileBytes: 32_768, filesMax: 40 }

/**
 * What a change of bytes led to: nothing at all; said by file and place; not to be told from a torn tail; or
 * not as it must be.
 */
export type FlipOutcome = 'harmless' | 'named' | 'like a torn tail' | 'wrong'

export interface Flip {
  readonly number: number
  readonly region: Region
  readonly at: number
  readonly outcome: FlipOutcome
  /** Values that are not there, and that show what an earlier write of the place left. */
  readonly missing: number
  readonly older: number
  readonly verdict: Verdict
}

export interface FlipOptions {
  readonly count: number
  /** Changes sectors instead of bits. */
  readonly sectors?: boolean
  readonly only?: number
  /** A planted fault: of damage in such places the store tells nothing. */
  readonly isMute?: (region: Region) => boolean
}

/** Everything that readers see: raw rows, each tier, entries. */
interface View {
  readonly rows: Found
  readonly tiers: Found
  readonly entries: Found
}

/** A store that lies on its medium, and what is in it. */
class Sound {
  readonly medium: Medium
  readonly facts: SeriesFacts
  readonly regions: readonly Region[]
  readonly view: View
  /** What is in segments. */
  readonly safe: Found
  /** The keys of all entries as segments hold them, by place. */
  readonly keys: ReadonlyMap<string, string>
  private readonly life: SeriesLife

  constructor(medium: Medium, facts: SeriesFacts, life: SeriesLife, regions: readonly Region[]) {
    this.medium = medium
    this.facts = facts
    this.life = life
    this.regions = regions
    this.view = look(life)
    this.safe = rowsOf(life, { withHeads: false })
    this.keys = storedKeys(life.store.storage.kv)
  }

  /** What a change of bytes [from, upTo] of a file may cost. */
  holes({ path, kind }: Region, from: number, upTo: number): Holes {
    const hit = this.regions.filter(one => one.path === path && one.from <= upTo && from < one.to)
    if (!kind.endsWith('segment')) return NO_HOLES
    const { engine, series } = this.life.store.storage
    const disk = new CrashDisk(new Random(1), Infinity, this.medium.copy())
    return holesOf(disk, engine.manifest, series.catalog, hit)
  }
}

function storedKeys(kv: KvStore): Map<string, string> {
  const keys = new Map<string, string>()
  for (const ns of NAMESPACES)
    for (const { keyText, stored } of kv.scan(ns)) keys.set(`${ns}/${keyText}`, stored)
  return keys
}

/** Changes bytes of one store, again and again from the sound one. */
export async function* flipStore(store: number, options: FlipOptions): AsyncGenerator<Flip> {
  const sound = await makeSound(store)
  for (let i = 0; i < options.count; i++) {
    const number = store * FLIPS_OF_A_STORE + i
    if (options.only !== undefined && options.only !== number) continue
    yield await oneFlip(sound, number, options)
  }
}

async function makeSound(store: number): Promise<Sound> {
  const random = new Random(store * 104_729)
  const facts = nothingYet()
  const disk = new CrashDisk(random)
  const life = await SeriesLife.open(disk, random, facts, WAL)
  await life.work(45)
  for (let i = 0; i < 8; i++) await life.append(60, true)
  await life.flush()
  await life.rollup()
  for (let i = 0; i < 12; i++) await life.entries.write()
  await life.store.storage.kv.flush('segment')
  // What is in the WAL alone; groups that fill their pages, so that those after them need them to be read.
  for (let i = 0; i < 5; i++) {
    await life.append(20 + random.below(80), true)
    await life.entries.write()
  }
  const { medium } = disk.afterCut()
  const again = await SeriesLife.open(new CrashDisk(random, Infinity, medium.copy()), random, facts, WAL)
  const wrongs = again.judge()
  if (wrongs.length > 0) throw new Error(wrongs.join('; '))
  const regions = regionsOf(new CrashDisk(random, Infinity, medium), again.store.storage.engine.manifest)
  return new Sound(medium, facts, again, regions)
}

function rowsOf(life: SeriesLife, options: Parameters<SeriesLife['store']['read']>[1]): Found {
  const { groupCount } = life.store.storage.series.catalog
  return life.store.read(reader => readAll(reader, groupCount), options)
}

function look(life: SeriesLife, verdict = new Verdict()): View {
  const tiers: Found = new Map()
  for (const { name } of TIERS) {
    for (const [place, value] of rowsOf(life, { tier: name })) tiers.set(`${name} ${place}`, value)
  }
  const entries = readEntries(life.store.storage.kv, NAMESPACES, verdict)
  return { rows: rowsOf(life, {}), tiers, entries }
}

async function oneFlip(sound: Sound, number: number, options: FlipOptions): Promise<Flip> {
  const isSector = options.sectors === true
  const random = new Random(number)
  const disk = new CrashDisk(random, Infinity, sound.medium.copy())
  const region = anyRegion(sound.regions, random)
  const at = region.from + random.below(region.to - region.from)
  const { from, upTo } = change(disk, region, at, random, isSector)
  const verdict = new Verdict()
  const counts = { missing: 0, older: 0 }
  const told: Error[] = []
  try {
    const facts = copyFacts(sound.facts)
    const life = await SeriesLife.open(disk, random, facts, WAL)
    const found = look(life, verdict)
    if (options.isMute?.(region) !== true) told.push(...life.store.damage)
    const holes = sound.holes(region, from, upTo)
    compare(sound, { ...region, isSector }, holes, found, counts, verdict)
    if (region.kind === 'entry segment') askMissing(life.store.storage.kv, sound, found, verdict)
    if (random.chance(0.1)) await goOn(life, disk, random, found, verdict)
  } catch (error) {
    verdict.wrong(error instanceof VarveError ? `refused: ${reason(error)}` : String((error as Error).stack))
  }
  disk.kill()
  const isNamed = told.some(error => names(error, region, upTo))
  const isHurt = counts.missing + counts.older > 0
  const isLast = (isSector && region.name === 'newest group') || region.name === 'last record'
  if (isHurt && !isNamed && !isLast) {
    const messages = told.map(error => error.message).join('; ')
    verdict.lose(`${counts.missing} values, and ${counts.older} are older ones; told is only: ${messages}`)
  }
  // What nothing reads cannot be told: free space, padding, names that the catalog has too.
  if (!isNamed && !isLast && !UNREAD.has(region.name)) verdict.wrong(`damage of ${region.name} is not named`)
  const outcome = isNamed ? 'named' : isHurt ? 'like a torn tail' : 'harmless'
  return { number, region, at, ...counts, verdict, outcome: verdict.wrongs.length > 0 ? 'wrong' : outcome }
}

/** Every kind of file as often, and within it every kind of structure. */
function anyRegion(regions: readonly Region[], random: Random): Region {
  const kinds = FILE_KINDS.filter(kind => regions.some(region => region.kind === kind))
  const kind = random.pick(kinds)
  const ofKind = regions.filter(region => region.kind === kind)
  const name = random.pick([...new Set(ofKind.map(region => region.name))])
  return random.pick(ofKind.filter(region => region.name === name))
}

/** Changes the byte at an offset, or its whole sector; returns the first and the last byte that was changed. */
function change(
  disk: CrashDisk,
  region: Region,
  at: number,
  random: Random,
  isSector: boolean
): { from: number; upTo: number } {
  if (!isSector) {
    disk.flip(region.path, at, 1 << random.below(8))
    return { from: at, upTo: at }
  }
  const start = at - (at % SECTOR_BYTES)
  const bytes = new Uint8Array(Math.min(SECTOR_BYTES, disk.bytesOf(region.path).length - start))
  if (random.chance(0.5)) for (let i = 0; i < bytes.length; i++) bytes[i] = random.u32()
  disk.alter(region.path, start, bytes)
  return { from: start, upTo: start + bytes.length - 1 }
}

function compare(
  sound: Sound,
  region: Region & { readonly isSector: boolean },
  holes: Holes,
  found: View,
  counts: { missing: number; older: number },
  verdict: Verdict
): void {
  const { sent, entries } = sound.facts
  const isLostWal = region.kind === 'WAL' && region.isSector
  const isState = region.kind === 'MANIFEST' || region.kind === 'CATALOG' || isLostWal
  const isSafe = (place: string, value: string): boolean => sound.safe.get(place) === value
  const parts = [
    {
      was: sound.view.rows,
      is: found.rows,
      wasWritten: (place: string, value: string) => sent.wasWritten(place, value),
      // What only memory holds may be lost with the WAL, and without a name with the catalog.
      mayMiss: (place: string, value: string) => holes.row(place) || (isState && !isSafe(place, value))
    },
    {
      was: sound.view.tiers,
      is: found.tiers,
      wasWritten: () => false,
      mayMiss: (place: string) => holes.tier(place)
    },
    {
      was: sound.view.entries,
      is: found.entries,
      wasWritten: (place: string, value: string) => entries.wasWritten(place, value),
      mayMiss: (place: string) => holes.entry(sound.keys.get(place)!) || isState
    }
  ]
  for (const { was, is, wasWritten, mayMiss } of parts) {
    if (was === sound.view.entries) verdict.entries += was.size
    else verdict.samples += was.size
    for (const [place, value] of is) {
      if (was.get(place) === value) continue
      if (isLostWal && wasWritten(place, value)) counts.older++
      else if (wasWritten(place, value)) verdict.wrong(`${place} holds ${value}, an older value`)
      else if (!isStandIn(place, region)) verdict.invent(`${place} holds ${value}`)
    }
    for (const [place, value] of was) {
      if (is.has(place)) continue
      counts.missing++
      if (!mayMiss(place, value)) verdict.lose(`${place}, which is not in what was damaged (${region.name})`)
    }
  }
}

/** Who asks for an entry that is missing gets the error, not nothing. */
function askMissing(kv: KvStore, sound: Sound, found: View, verdict: Verdict): void {
  for (const place of sound.view.entries.keys()) {
    if (found.entries.has(place)) continue
    const slash = place.indexOf('/')
    try {
      kv.get(place.slice(0, slash), place.slice(slash + 1))
      verdict.wrong(`${place} is missing, and who asks for it is told that nothing is there`)
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error
    }
  }
}

/** Under a made-up name: its definition was lost, in no segment, and the samples are served all the same. */
function isStandIn(place: string, { kind }: Region): boolean {
  const isNameless = !place.startsWith('g') || place.includes('field_')
  return isNameless && (kind === 'CATALOG' || kind === 'WAL')
}

/** Whether an error says which file is damaged, and where at the latest. A WAL file without a whole group left is missed by its number. */
function names(error: Error, region: Region, upTo: number): boolean {
  if (!(error instanceof CorruptionError)) return error.message.includes(region.path)
  if (region.kind === 'WAL') return error.file.startsWith(WAL_DIR)
  return error.file === region.path && error.offset <= upTo
}

/** The store takes rows and entries, closes, and has them and all that was there after a restart. */
async function goOn(
  life: SeriesLife,
  disk: CrashDisk,
  random: Random,
  before: View,
  verdict: Verdict
): Promise<void> {
  await life.append(10, true)
  await life.entries.write()
  await life.store.close()
  const facts: SeriesFacts = { ...nothingYet(), wallUs: life.facts.wallUs }
  const after = look(await SeriesLife.open(disk.afterCut(), random, facts, WAL))
  let gone = 0
  for (const place of before.rows.keys()) if (!after.rows.has(place)) gone++
  if (gone > 0) verdict.lose(`${gone} values when the store went on`)
  if (after.rows.size <= before.rows.size) verdict.wrong('no row was taken when the store went on')
}
