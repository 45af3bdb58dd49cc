// What a segment's footer said, made anew from its blocks where the footer is damaged: all of them are read, which
// takes as long as a compaction of the segment. A damaged block, or stretch of blocks, becomes a block that cannot
// be read: of the keys that it may hold, which are those between its neighbours, none is said to be absent.
//
// Invariants: what is made has every key of every sound block; shadows, which only estimate, are left out.
// Not here: the footer's bytes (segment.ts), finding blocks (engine/segment-reader.ts).
import { CorruptionError, VarveError } from '../base/errors.ts'
import { BlockReader } from '../engine/block.ts'
import { BloomWriter, bloomHash } from '../engine/bloom.ts'
import { decodeEntry, type Entry } from './entry.ts'
import type { SegmentIn } from './host.ts'
import type { Layout, SegmentFacts } from './segment.ts'
import { unsqueezed } from './squeeze.ts'

/** After every key: bytes end at \u00ff. */
const AFTER_ALL = '\u0100'

/** @param damage  takes what is damaged beside the footer */
export function rebuildLayout(file: SegmentIn, damage: CorruptionError[]): Layout {
  const sum = new Sum()
  const firsts: string[] = []
  const offsets: number[] = []
  const lengths: number[] = []
  let last = ''
  let isAfterHole = false
  let hasHoles = false
  for (const { offset, length, payload, error } of file.blocks()) {
    const found = payload === null ? error! : entriesOf(file.file, offset, payload)
    const isHole = found instanceof CorruptionError
    if (isHole) damage.push(found)
    hasHoles ||= isHole
    // Neighbouring holes are one; a hole begins behind the last key that is known.
    if (isHole && isAfterHole) continue
    firsts.push(isHole ? (firsts.length === 0 ? '' : `${last}\0`) : found[0]!.stored)
    offsets.push(offset)
    lengths.push(length)
    isAfterHole = isHole
    if (isHole) continue
    for (const entry of found) sum.add(entry)
    last = found.at(-1)!.stored
  }
  const { facts, bloom } = sum
  return {
    facts: { ...facts, keyMin: firsts[0] ?? '', keyMax: isAfterHole ? AFTER_ALL : last },
    firsts,
    offsets,
    lengths,
    bloom: hasHoles ? null : new Uint8Array(bloom.finish()),
    lostVersionMax: Number.POSITIVE_INFINITY
  }
}

/** The entries of a block, or what is wrong with it although its checksum holds. */
function entriesOf(file: string, offset: number, payload: Uint8Array): Entry[] | CorruptionError {
  try {
    const { keys, values } = new BlockReader(unsqueezed(payload)).pairs()
    if (keys.length === 0) throw new VarveError('VARVE_BLOCK', 'it is empty')
    return keys.map((key, i) => decodeEntry(key, values[i]!))
  } catch (error) {
    if (!(error instanceof VarveError)) throw error
    return new CorruptionError(file, offset, error.message)
  }
}

/** Adds up the facts of entries, as the writer did. */
class Sum {
  readonly bloom = new BloomWriter()
  readonly facts: { -readonly [K in keyof SegmentFacts]: SegmentFacts[K] } = {
    entries: 0,
    tombstones: 0,
    expiringBytes: 0,
    expiresMinUs: 0,
    expiresMaxUs: 0,
    versionMin: Number.MAX_SAFE_INTEGER,
    versionMax: 0,
    keyMin: '',
    keyMax: '',
    shadows: new Map()
  }

  add({ stored, version, expiresUs, deleted, value }: Entry): void {
    const { facts } = this
    this.bloom.add(bloomHash(stored))
    facts.entries++
    if (deleted) facts.tombstones++
    facts.versionMin = Math.min(facts.versionMin, version)
    facts.versionMax = Math.max(facts.versionMax, version)
    if (expiresUs === 0) return
    facts.expiringBytes += stored.length + value.length
    facts.expiresMinUs = Math.min(facts.expiresMinUs || expiresUs, expiresUs)
    facts.expiresMaxUs = Math.max(facts.expiresMaxUs, expiresUs)
  }
}

/** Stands for a file of which nothing can be read: any key may be in it. */
export function lostFile(error: CorruptionError): SegmentIn {
  const whole = { offset: 0, length: 0, kind: 0, payload: null, error }
  return {
    file: error.file,
    footer: null,
    damage: [],
    blocks: () => [whole],
    block() {
      throw error
    },
    close() {}
  }
}
