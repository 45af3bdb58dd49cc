// Bytes change at rest: in segments, WAL, CATALOG or MANIFEST. A store opens all the same, never shows a value
// that was not written, names the damaged file when anything is missing, reads everything else, and goes on.
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { CATALOG, MANIFEST, SEGMENT_DIR, segmentPath, WAL_DIR } from '../../src/engine/file-names.ts'
import type { SegmentInfo } from '../../src/engine/manifest.ts'
import { CrashDisk } from '../kit/crash-disk.ts'
import { seeds } from '../kit/seeds.ts'
import { type Found, readAll } from '../kit/sent-rows.ts'
import { nothingYet, type SeriesFacts, SeriesLife } from '../kit/series-life.ts'

const FLIPS_PER_STORE = 40

/** A store that lies on its disk, and what is in it. */
interface Sound {
  readonly disk: CrashDisk
  readonly facts: SeriesFacts
  readonly found: Found
  /** What is in segments. */
  readonly safe: Found
  readonly segments: readonly SegmentInfo[]
}

function see(life: SeriesLife, withHeads = true): Found {
  const { groups } = life.store.storage.series.catalog
  return life.store.read(reader => readAll(reader, groups.length), { withHeads })
}

async function makeSound(seed: number): Promise<Sound> {
  const random = new Random(seed)
  const facts = nothingYet()
  const disk = new CrashDisk(random)
  // A WAL that never fills up: rows that went past a full one are in a segment alone, and their edit, the newest,
  // cannot prove itself.
  const life = await SeriesLife.open(disk, random, facts, { fileBytes: 32_768, filesMax: 40 })
  await life.work(30)
  await life.flush()
  // Groups that fill their pages: those after them are not fresh, and need them to be read.
  for (let i = 0; i < 5; i++) await life.append(20 + random.below(100), true)
  // The newest group cannot prove itself (a torn tail looks the same): this one is, and it holds nothing.
  for (let i = 0; i < 2; i++) {
    life.store.storage.kv.put('n', 'last', new Uint8Array(0))
    await life.store.synced()
  }
  const base = disk.afterCut()
  const again = await SeriesLife.open(base.afterCut(), random, facts)
  const wrongs = again.judge()
  if (wrongs.length > 0) throw new Error(wrongs.join('; '))
  const segments = [...again.store.storage.engine.manifest.segments.values()]
  return { disk: base, facts, found: see(again), safe: see(again, false), segments }
}

function damage(disk: CrashDisk, random: Random): string {
  const wal = disk.list(WAL_DIR).map(name => `${WAL_DIR}/${name}`)
  const segments = disk.list(SEGMENT_DIR).map(name => `${SEGMENT_DIR}/${name}`)
  const files = [[CATALOG], [MANIFEST], segments, wal, wal]
  const path = random.pick(random.pick(files.filter(list => list.length > 0)))
  const { length } = disk.bytesOf(path)
  let at = random.chance(0.2) ? random.below(Math.min(64, length)) : random.below(length)
  // Most of a WAL file is padding, where damage costs nothing.
  for (let i = 0; i < 20 && disk.bytesOf(path)[at] === 0; i++) at = random.below(length)
  if (random.chance(0.7)) disk.flip(path, at, 1 << random.below(8))
  else {
    const isGarbage = random.chance(0.5)
    const start = at - (at % 512)
    for (let i = start; i < Math.min(length, start + 512); i++) {
      disk.flip(path, i, isGarbage ? random.below(256) : disk.bytesOf(path)[i]!)
    }
  }
  return path
}

/** Places that are not as they were, where they have to be. */
function lostWithout(sound: Sound, path: string, found: Found): string[] {
  const hit = sound.segments.find(segment => segmentPath(segment.id) === path)
  const lost: string[] = []
  for (const [place, value] of sound.found) {
    if (found.get(place) === value) continue
    const timeUs = Number(place.split(' ')[1])
    const isHit = hit !== undefined && timeUs >= hit.timeMinUs && timeUs <= hit.timeMaxUs
    // Damage of a segment may cost its own span, damage elsewhere only what is in no segment.
    if (!isHit && (hit !== undefined || sound.safe.get(place) === value)) lost.push(place)
  }
  return lost
}

async function judgeDamaged(sound: Sound, disk: CrashDisk, path: string, random: Random): Promise<string[]> {
  const { sent, wallUs } = sound.facts
  const wrongs: string[] = []
  const life = await SeriesLife.open(disk, random, { ...nothingYet(), wallUs })
  const found = see(life)
  for (const [place, value] of found) {
    // Under a made-up name: its definition was lost, in no segment, and the samples are served all the same.
    const isStandIn = !place.startsWith('g') || place.includes('field_')
    if (isStandIn && (path === CATALOG || path.startsWith(WAL_DIR))) continue
    if (!sent.wasWritten(place, value)) wrongs.push(`${place} holds ${value}, which was never written`)
  }
  const lost = [...sound.found].filter(([place, value]) => found.get(place) !== value)
  const told = life.store.damage.map(error => error.message)
  // A WAL file without a whole group left is missed by its number, as told at the next one.
  const name = path.startsWith(WAL_DIR) ? WAL_DIR : path
  if (lost.length > 0 && !told.some(message => message.includes(name)))
    wrongs.push(`${lost.length} values are missing, told is only: ${told.join('; ')}`)
  for (const place of lostWithout(sound, path, found)) wrongs.push(`${place} is lost`)
  const before = found.size
  await life.append(10, true)
  await life.store.close()
  const after = see(await SeriesLife.open(disk.afterCut(), random, { ...nothingYet(), wallUs }))
  if (after.size <= before) wrongs.push(`after going on ${after.size} values are there, ${before} before`)
  return wrongs.slice(0, 4)
}

t.test('SeriesStore shows no wrong value and names the file when bytes changed at rest', async t => {
  let flips = 0
  for (const seed of seeds(6)) {
    const sound = await makeSound(seed)
    for (let nth = 0; nth < FLIPS_PER_STORE; nth++) {
      const random = new Random(seed * 1000 + nth)
      const disk = sound.disk.afterCut()
      const path = damage(disk, random)
      const wrongs = await judgeDamaged(sound, disk, path, random).catch(error => [String(error.stack)])
      if (wrongs.length > 0) t.fail(`VARVE_SEED=${seed} flip ${nth} in ${path}: ${wrongs.join('; ')}`)
      flips++
    }
  }
  t.ok(flips > 0, `${flips} places changed`)
})
