// Turns a sealed head into segments: one for each retention class and bucket that has rows, and for each boot
// whose clock is not known yet, since its rows are corrected together. Runs in a worker on shared pages;
// with a simulated disk it runs inline, the same code.
//
// Invariants: a segment is complete and synced before it is reported; nothing is reported when one of
// them fails, and files written so far are removed (the engine removes what a crash leaves behind).
// Not here: deciding when (store.ts), making the segments live (engine/manifest).
import type { Cause, Disk } from '../disk/disk.ts'
import { segmentPath } from '../engine/file-names.ts'
import type { SegmentInfo } from '../engine/manifest.ts'
import { SegmentWriter } from '../engine/segment-writer.ts'
import { bucketOf } from './bucket.ts'
import type { Catalog } from './catalog.ts'
import { FAMILY_SERIES } from './family.ts'
import type { HeadReader } from './head-read.ts'
import type { Run } from './run.ts'
import { SeriesSegmentWriter } from './segment-build.ts'

/** The retention class of every group and the bucket span of every class, as plain data. */
export interface ClassTable {
  readonly names: readonly string[]
  readonly spansUs: readonly number[]
  /** For each group id, an index into names. */
  readonly classOf: Uint16Array
}

/** What the main thread set aside for a job's segments: their ids, and their place in the order of writes. */
export interface SegmentIds {
  readonly ids: readonly number[]
  readonly order: number
}

/** How many segments a head will make, and so how many ids it needs. */
export function countTargets(head: HeadReader, classes: ClassTable): number {
  return targets(head, classes).length
}

/** Writes all rows of a head, with as many ids as countTargets() said; resolves with the segments, not yet live. */
export async function flushHead(
  disk: Disk,
  head: HeadReader,
  catalog: Catalog,
  classes: ClassTable,
  ids: SegmentIds
): Promise<SegmentInfo[]> {
  const done: SegmentInfo[] = []
  try {
    for (const [i, target] of targets(head, classes).entries()) {
      const { spanUs, bucketUs, only } = target
      const groups = function* () {
        for (const group of target.groups) {
          const run = head.run(group, null, bucketUs, bucketUs + spanUs - 1, only)
          if (run !== null) yield { group, runs: [run] }
        }
      }
      const facts = { ...target, id: ids.ids[i]!, order: ids.order, cause: 'segment', level: 0 } as const
      const info = await writeSegment(disk, catalog, facts, groups())
      if (info !== null) done.push(info)
    }
    return done
  } catch (error) {
    for (const info of done) await disk.remove(segmentPath(info.id))
    throw error
  }
}

/** What a segment is written for. */
export interface SegmentTarget {
  readonly id: number
  readonly order: number
  readonly class: string
  readonly bucketUs: number
  readonly spanUs: number
  readonly cause: Cause
  readonly level: number
  /** See SegmentInfo. */
  readonly boot: number
}

/**
 * Writes one segment; resolves with null when there was nothing to write.
 * @param groups  ascending ids, each with its runs ascending in time
 */
export async function writeSegment(
  disk: Disk,
  catalog: Catalog,
  target: SegmentTarget,
  groups: Iterable<{ group: number; runs: Iterable<Run> }>
): Promise<SegmentInfo | null> {
  const { id, bucketUs, spanUs } = target
  const header = { family: FAMILY_SERIES, class: target.class, bucketUs, spanUs, id }
  const file = await SegmentWriter.create(disk, segmentPath(id), target.cause, header)
  try {
    const segment = new SeriesSegmentWriter(file)
    for (const { group, runs } of groups) {
      segment.group(catalog.at(group), runs)
      await file.room()
    }
    if (segment.isEmpty) {
      await file.abort()
      return null
    }
    return await segment.finish(target.order, target.level, target.boot)
  } catch (error) {
    await file.abort()
    throw error
  }
}

interface Target {
  readonly class: string
  readonly bucketUs: number
  readonly spanUs: number
  readonly boot: number
  /** What to ask the head for: the boot; null when it has rows of none. */
  readonly only: number | null
  readonly groups: number[]
}

/** The classes, buckets and boots a head has rows of, each with its groups in ascending order. */
function targets(head: HeadReader, classes: ClassTable): Target[] {
  const found = new Map<string, Target>()
  const boots = head.boots.length === 0 ? [null] : [0, ...head.boots]
  for (let group = 0; group < head.groups; group++) {
    if (!head.has(group)) continue
    const classIndex = classes.classOf[group]!
    const name = classes.names[classIndex]!
    const spanUs = classes.spansUs[classIndex]!
    for (const only of boots) {
      const span = head.span(group, only)
      if (span === null) continue
      const first = bucketOf(span.firstUs, spanUs)
      const isOne = first === bucketOf(span.lastUs, spanUs)
      for (const bucketUs of isOne ? [first] : head.buckets(group, spanUs, only)) {
        const key = `${classIndex}:${bucketUs}:${only}`
        const target = found.get(key) ?? { class: name, bucketUs, spanUs, boot: only ?? 0, only, groups: [] }
        target.groups.push(group)
        found.set(key, target)
      }
    }
  }
  return [...found.values()].sort((a, b) => a.bucketUs - b.bucketUs || (a.class < b.class ? -1 : 1))
}
