// The record of the manifest: one edit, which holds whole or not at all.
//
// edit    := item*
// item    := 1 segment | 2 id varint | 3 kind u8, walFile varint | 4 key text, length varint, value[length]
//          | 5 key text | 6 id varint | 7 walFile varint, ordinal varint
//            1 a segment lives, 2 it does no more, 3 the checkpoint of a WAL owner, 4 a named value, 5 it is
//            gone, 6 ids up to this were given out, 7 the WAL is synced up to this group, which lies in this file
// segment := id varint | family u8 | class text | bucketUs f64 | spanUs f64 | order f64 | bytes varint
//            | timeMinUs f64 | timeMaxUs f64 | samples varint | level u8 | boot varint
// Example: segment 300 removed, checkpoint of kind 1 at file 2 = 02 ac 02 03 01 02
// Not here: the file of the edits (record-file.ts), what they add up to (manifest.ts).
import { ByteReader, type ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'

/** One immutable file and what there is to know of it without opening it. */
export interface SegmentInfo {
  readonly id: number
  /** 1 series, 2 kv. */
  readonly family: number
  /** Retention class (series) or namespace (kv). */
  readonly class: string
  /** Start of the bucket, microseconds since the Unix epoch, and its span. */
  readonly bucketUs: number
  readonly spanUs: number
  /** Rises with age within the bucket: of two segments the one of higher order has the newer word. */
  readonly order: number
  readonly bytes: number
  readonly timeMinUs: number
  readonly timeMaxUs: number
  readonly samples: number
  /** How often its content was merged. */
  readonly level: number
  /** 0, or the boot whose clock was not known when it stamped these times (series/boots.ts). */
  readonly boot: number
}

/** The first WAL file that an owner needs. */
export interface Checkpoint {
  readonly kind: number
  readonly walFile: number
}

/** A group of the WAL that is on the medium, with all before it. */
export interface WalMark {
  /** The sequence number of its file. */
  readonly walFile: number
  readonly ordinal: number
}

/** What one commit changes. */
export interface ManifestEdit {
  readonly add?: readonly SegmentInfo[]
  readonly remove?: readonly number[]
  readonly checkpoint?: Checkpoint
  /** Several at once (a flush that served more than one owner, and the edit that replaces a whole manifest). */
  readonly checkpoints?: readonly Checkpoint[]
  /** Small named values; null removes. */
  readonly notes?: readonly (readonly [key: string, value: Uint8Array | null])[]
  /** Ids up to this were given out. */
  readonly lastId?: number
  /** How far the WAL is synced: what is not readable before it is damaged. */
  readonly walSynced?: WalMark
}

const ADD = 1
const REMOVE = 2
const CHECKPOINT = 3
const NOTE = 4
const NOTE_GONE = 5
const LAST_ID = 6
const WAL_SYNCED = 7

/** All checkpoints of an edit. */
export function checkpointsOf(edit: ManifestEdit): readonly Checkpoint[] {
  return edit.checkpoint ? [edit.checkpoint, ...(edit.checkpoints ?? [])] : (edit.checkpoints ?? [])
}

/** Appends an edit. */
export function putEdit(out: ByteWriter, edit: ManifestEdit): void {
  for (const segment of edit.add ?? []) {
    out.u8(ADD)
    putSegment(out, segment)
  }
  for (const id of edit.remove ?? []) {
    out.u8(REMOVE)
    out.varint(id)
  }
  for (const { kind, walFile } of checkpointsOf(edit)) {
    out.u8(CHECKPOINT)
    out.u8(kind)
    out.varint(walFile)
  }
  for (const [key, value] of edit.notes ?? []) {
    out.u8(value === null ? NOTE_GONE : NOTE)
    out.text(key)
    if (value === null) continue
    out.varint(value.length)
    out.raw(value)
  }
  if (edit.lastId !== undefined) {
    out.u8(LAST_ID)
    out.varint(edit.lastId)
  }
  if (edit.walSynced !== undefined) {
    out.u8(WAL_SYNCED)
    out.varint(edit.walSynced.walFile)
    out.varint(edit.walSynced.ordinal)
  }
}

/** Appends what describes a segment. */
export function putSegment(out: ByteWriter, s: SegmentInfo): void {
  out.varint(s.id)
  out.u8(s.family)
  out.text(s.class)
  out.f64(s.bucketUs)
  out.f64(s.spanUs)
  out.f64(s.order)
  out.varint(s.bytes)
  out.f64(s.timeMinUs)
  out.f64(s.timeMaxUs)
  out.varint(s.samples)
  out.u8(s.level)
  out.varint(s.boot)
}

/** @throws {VarveError} VARVE_TRUNCATED, VARVE_UTF8 */
export function getSegment(from: ByteReader): SegmentInfo {
  return {
    id: from.varint(),
    family: from.u8(),
    class: from.text(),
    bucketUs: from.f64(),
    spanUs: from.f64(),
    order: from.f64(),
    bytes: from.varint(),
    timeMinUs: from.f64(),
    timeMaxUs: from.f64(),
    samples: from.varint(),
    level: from.u8(),
    boot: from.varint()
  }
}

/** @throws {VarveError} VARVE_TRUNCATED, VARVE_UTF8, VARVE_ITEM for an item that does not exist */
export function getEdit(payload: Uint8Array): ManifestEdit {
  const from = new ByteReader(payload)
  const add: SegmentInfo[] = []
  const remove: number[] = []
  const notes: [string, Uint8Array | null][] = []
  const checkpoints: Checkpoint[] = []
  let lastId: number | undefined
  let walSynced: WalMark | undefined
  while (from.left > 0) {
    const item = from.u8()
    if (item === ADD) add.push(getSegment(from))
    else if (item === REMOVE) remove.push(from.varint())
    else if (item === CHECKPOINT) checkpoints.push({ kind: from.u8(), walFile: from.varint() })
    else if (item === NOTE) notes.push([from.text(), from.raw(from.varint()).slice()])
    else if (item === NOTE_GONE) notes.push([from.text(), null])
    else if (item === LAST_ID) lastId = from.varint()
    else if (item === WAL_SYNCED) walSynced = { walFile: from.varint(), ordinal: from.varint() }
    else throw new VarveError('VARVE_ITEM', `Cannot read manifest item ${item}: there is no such item`)
  }
  return {
    add,
    remove,
    checkpoints,
    notes,
    ...(lastId === undefined ? {} : { lastId }),
    ...(walSynced === undefined ? {} : { walSynced })
  }
}
