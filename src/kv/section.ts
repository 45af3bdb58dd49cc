// What the store puts into the WAL: its writes, in the order they were made, whole batches only.
//
//   payload := section*                                one payload a WAL group, so a batch lands whole or not
//   section := bytes varint | squeezed                 (squeeze.ts) of the body
//   body    := kind u8 | [version varint] | write*     kind 1 new writes, of that version and those that follow; 2 carried
//   write   := [version varint] | shared varint | tail varint | head varint | [expires varint] | tail | value
//   head    := value bytes * 4 + expires? * 2 + tombstone?         a tombstone has no expires and no value
// The stored key (key.ts) of a write is so many bytes shared with the one before, and the tail; each carried write has
// its own version.
// Example: put "k" = "v" in namespace n as version 5 =
//   0a 00 01 05 00 03 04 6e 00 6b 76
//
// A carried section repeats what lay in older WAL files, so that they can be used again without a segment
// being written for little. Its writes may be older than those of sections before it; each write says its
// version, and the greater one stands.
// Invariants: a decoder reports every write of a body or throws; it never reports part of a section.
// Not here: framing and checksums of the WAL (engine).
import { assert } from '../base/assert.ts'
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'
import { Entry, VERSION_MAX } from './entry.ts'
import type { EntrySlab } from './entry-log.ts'
import { byteString, keyStart } from './key.ts'
import { Squeezer, unsqueezed } from './squeeze.ts'

/** New writes, or writes repeated from older WAL files. */
export const SECTION_NEW = 1
export const SECTION_CARRIED = 2
export type SectionKind = typeof SECTION_NEW | typeof SECTION_CARRIED

const ROOM_KEPT_MAX = 1 << 20
/** The WAL writes whole pages of this size: less is not worth squeezing. */
const SQUEEZED_BYTES_MIN = 4096

/** Collects the body of one section. */
export class SectionWriter {
  private readonly kind: SectionKind
  private readonly squeezer = new Squeezer(SQUEEZED_BYTES_MIN)
  private body = new ByteWriter(4096)
  /** The write before: its key is the one at this word of this slab. */
  private lastSlab: EntrySlab | null = null
  private lastWord = 0
  private version = 0

  constructor(kind: SectionKind) {
    this.kind = kind
  }

  /** Bytes collected. */
  get bytes(): number {
    return this.body.length
  }

  /** Adds the record at a word of a slab, which stays as it is until drain(). */
  add(slab: EntrySlab, word: number): void {
    const { body } = this
    const version = slab.version(word)
    const expiresUs = slab.expiresUs(word)
    if (body.length === 0) this.begin(version)
    if (this.kind === SECTION_CARRIED) body.varint(version)
    else assert(version === this.version++, 'new writes have versions without gaps')
    const keyLength = slab.keyLength(word)
    const valueLength = slab.valueLength(word)
    const shared = this.sharedWithLast(slab, word)
    this.lastSlab = slab
    this.lastWord = word
    body.varint(shared)
    body.varint(keyLength - shared)
    body.varint(slab.isTombstone(word) ? 1 : valueLength * 4 + (expiresUs === 0 ? 0 : 2))
    if (expiresUs !== 0) body.varint(expiresUs)
    // What is left of the key, and behind it the value, as they lie in the record.
    const rest = keyLength - shared + valueLength
    const from = slab.keyAt(word) + shared
    body.ensure(rest)
    slab.buffer.copy(body.bytes, body.length, from, from + rest)
    body.length += rest
  }

  private sharedWithLast(slab: EntrySlab, word: number): number {
    const { lastSlab, lastWord } = this
    if (lastSlab === null) return 0
    const [bytes, lastBytes] = [slab.bytes, lastSlab.bytes]
    const [at, lastAt] = [slab.keyAt(word), lastSlab.keyAt(lastWord)]
    const most = Math.min(slab.keyLength(word), lastSlab.keyLength(lastWord))
    let shared = 0
    while (shared < most && bytes[at + shared] === lastBytes[lastAt + shared]) shared++
    return shared
  }

  /** Moves what was collected to the payload; nothing where nothing was. */
  drain(out: ByteWriter): void {
    if (this.body.length === 0) return
    this.lastSlab = null
    this.squeezer.putCounted(this.body.written(), out)
    if (this.body.bytes.length > ROOM_KEPT_MAX) this.body = new ByteWriter(4096)
    else this.body.reset()
  }

  private begin(version: number): void {
    const { body } = this
    this.lastSlab = null
    body.u8(this.kind)
    if (this.kind === SECTION_CARRIED) return
    body.varint(version)
    this.version = version
  }
}

/**
 * Reads one payload and reports its writes in order, section by section.
 * @param report  the values are views into the payload, or into what was squeezed in it
 * @throws {VarveError} VARVE_SECTION, VARVE_TRUNCATED, VARVE_SQUEEZED or VARVE_ENTRY for bytes that are no payload
 */
export function readSections(
  payload: Uint8Array,
  report: (kind: SectionKind, entries: Entry[]) => void
): void {
  const from = new ByteReader(payload)
  while (from.left > 0) {
    const body = new ByteReader(unsqueezed(from.raw(from.varint())))
    const kind = body.u8()
    if (kind !== SECTION_NEW && kind !== SECTION_CARRIED) throw broken(`kind ${kind} is not known`)
    report(kind, entriesOf(body, kind))
  }
}

function entriesOf(body: ByteReader, kind: SectionKind): Entry[] {
  const entries: Entry[] = []
  let next = kind === SECTION_NEW ? body.varint() : 0
  let last = ''
  while (body.left > 0) {
    const version = kind === SECTION_NEW ? next++ : body.varint()
    const shared = body.varint()
    const tail = body.varint()
    const head = body.varint()
    if (shared > last.length) throw broken('a key shares more than there is')
    const expiresUs = (head & 2) === 0 ? 0 : body.varint()
    const stored = last.slice(0, shared) + byteString(body.raw(tail))
    if (keyStart(stored) === 0) throw broken('a key has no namespace')
    const isTombstone = (head & 1) === 1
    if (
      version === 0 ||
      version > VERSION_MAX ||
      (isTombstone ? head !== 1 : (head & 2) !== 0 && expiresUs === 0)
    ) {
      throw new VarveError('VARVE_ENTRY', `Cannot read entry: head ${head} of version ${version}`)
    }
    const value = isTombstone ? null : body.raw(Math.floor(head / 4))
    entries.push(new Entry(stored, version, expiresUs, value))
    last = stored
  }
  return entries
}

function broken(why: string): VarveError {
  return new VarveError('VARVE_SECTION', `Cannot read WAL section: ${why}`)
}
