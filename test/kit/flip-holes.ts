// What a change of bytes may cost: which places a structure of a file is all there is of. Damage of what only finds
// other things (header, index, names, footer, trailer) may cost nothing; a damaged block its own chunks, with what
// earlier writes left of those groups between their first and last times, or the keys between it and the next.
import type { Disk } from '../../src/disk/disk.ts'
import { segmentPath } from '../../src/engine/file-names.ts'
import type { Manifest } from '../../src/engine/manifest.ts'
import { BlockCache } from '../../src/kv/block-cache.ts'
import { engineFiles } from '../../src/kv/engine-files.ts'
import { KvSegment } from '../../src/kv/segment.ts'
import { tierClass } from '../../src/rollup/tier.ts'
import type { Catalog } from '../../src/series/catalog.ts'
import { TIME_MAX_US, TIME_MIN_US } from '../../src/series/sample.ts'
import { SeriesSegment } from '../../src/series/segment-open.ts'
import type { Region } from './file-regions.ts'
import { TIERS } from './series-store.ts'

/** Whether a place may be missing. */
export interface Holes {
  row(place: string): boolean
  tier(place: string): boolean
  /** @param stored  the key as segments hold it */
  entry(stored: string): boolean
}

export const NO_HOLES: Holes = { row: () => false, tier: () => false, entry: () => false }
export const ALL_HOLES: Holes = { row: () => true, tier: () => true, entry: () => true }

/** What the blocks among some regions of one segment hold. */
export function holesOf(disk: Disk, manifest: Manifest, catalog: Catalog, regions: readonly Region[]): Holes {
  const blocks = regions.filter(({ name }) => name === 'block')
  const isEndLost = ['footer', 'trailer'].every(end => regions.some(({ name }) => name === end))
  const first = blocks[0] ?? regions[0]
  if (first === undefined || (blocks.length === 0 && !isEndLost)) return NO_HOLES
  if (blocks.length < regions.length) {
    // Blocks and what finds them, or the whole end, which may have been blocks: not even what is missing is known.
    const isEntries = first.kind === 'entry segment'
    return { ...NO_HOLES, ...(isEntries ? { entry: () => true } : { row: () => true, tier: () => true }) }
  }
  const offsets = new Set(blocks.map(({ from }) => from))
  if (first.kind === 'entry segment') return entryHoles(disk, first.segment, offsets)
  const stretches = stretchesOf(disk, catalog, first.segment, offsets)
  const isIn = (place: string): boolean => {
    const [group, time] = place.split(' ')
    return stretches.some(
      one => one.group === group && one.firstUs <= Number(time) && Number(time) <= one.lastUs
    )
  }
  if (first.kind === 'raw segment') return { ...NO_HOLES, row: isIn }
  const of = manifest.segments.get(first.segment)!.class
  const tier = TIERS.find(({ name }) => tierClass(name) === of)!.name
  return { ...NO_HOLES, tier: place => place.startsWith(`${tier} `) && isIn(place.slice(tier.length + 1)) }
}

function stretchesOf(disk: Disk, catalog: Catalog, id: number, offsets: ReadonlySet<number>) {
  const segment = new SeriesSegment(disk, segmentPath(id))
  const index = segment.readIndex()
  segment.close()
  return [...index.groups].flatMap(group =>
    index
      .chunks(group, TIME_MIN_US, TIME_MAX_US)
      .filter(({ block }) => offsets.has(block))
      .map(({ firstUs, lastUs }) => ({ group: catalog.at(group).labels[0]![1], firstUs, lastUs }))
  )
}

function entryHoles(disk: Disk, id: number, offsets: ReadonlySet<number>): Holes {
  const file = engineFiles(disk).open(id)
  const all = [...file.blocks()]
  const segment = new KvSegment(id, file, new BlockCache(0))
  const firsts = all.map((_, block) => segment.pairs(block).keys[0]!)
  const holes = all.flatMap(({ offset }, i) =>
    offsets.has(offset) ? [{ low: firsts[i]!, high: firsts[i + 1] ?? `${segment.facts.keyMax}\0` }] : []
  )
  segment.close()
  return { ...NO_HOLES, entry: stored => holes.some(({ low, high }) => stored >= low && stored < high) }
}
