// What the store puts into the WAL: its writes, in the order they were made, whole batches only.
//
//   payload := section*                                one payload a WAL group, so a batch lands whole or not
//   section := body bytes varint | body
//   body    := kind u8 | write*                        kind 1 new writes, versions ascend; 2 carried
//   write   := key bytes varint | stored key | entry bytes varint | entry               (key.ts, entry.ts)
// Example: put "k" = "v" in namespace n as version 5 =
//   08 01 03 6e 00 6b 02 14 76
//
// A carried section repeats what lay in older WAL files, so that they can be used again without a segment
// being written for little. Its writes may be older than those of sections before it; each write says its
// version, and the greater one stands.
// Invariants: a decoder reports every write of a body or throws; it never reports part of a section.
// Not here: framing and checksums of the WAL (engine).
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import { VarveError } from '../base/errors.ts'
import { decodeEntry, type Entry, encodeEntry, entryBytes } from './entry.ts'
import { byteString, keyStart } from './key.ts'

/** New writes, or writes repeated from older WAL files. */
export const SECTION_NEW = 1
export const SECTION_CARRIED = 2
export type SectionKind = typeof SECTION_NEW | typeof SECTION_CARRIED

const ROOM_KEPT_MAX = 1 << 20

/** Collects the body of one section. */
export class SectionWriter {
  private body = new ByteWriter(4096)

  /** Bytes collected. */
  get bytes(): number {
    return this.body.length
  }

  add(entry: Entry): void {
    const { stored } = entry
    const { body } = this
    body.varint(stored.length)
    body.ensure(stored.length)
    const { bytes } = body
    let at = body.length
    for (let i = 0; i < stored.length; i++) bytes[at++] = stored.charCodeAt(i)
    body.length = at
    body.varint(entryBytes(entry))
    encodeEntry(entry, body)
  }

  /** Moves what was collected to the payload; nothing where nothing was. */
  drain(kind: SectionKind, out: ByteWriter): void {
    if (this.body.length === 0) return
    out.varint(this.body.length + 1)
    out.u8(kind)
    out.raw(this.body.written())
    if (this.body.bytes.length > ROOM_KEPT_MAX) this.body = new ByteWriter(4096)
    else this.body.reset()
  }
}

/**
 * Reads one payload and reports its writes in order, section by section.
 * @throws {VarveError} VARVE_SECTION, VARVE_TRUNCATED or VARVE_ENTRY for bytes that are no payload
 */
export function readSections(
  payload: Uint8Array,
  report: (kind: SectionKind, entries: Entry[]) => void
): void {
  const from = new ByteReader(payload)
  while (from.left > 0) {
    const body = new ByteReader(from.raw(from.varint()))
    const kind = body.u8()
    if (kind !== SECTION_NEW && kind !== SECTION_CARRIED) {
      throw new VarveError('VARVE_SECTION', `Cannot read WAL section: kind ${kind} is not known`)
    }
    const entries: Entry[] = []
    while (body.left > 0) {
      const stored = byteString(body.raw(body.varint()))
      if (keyStart(stored) === 0) {
        throw new VarveError('VARVE_SECTION', 'Cannot read WAL section: a key has no namespace')
      }
      entries.push(decodeEntry(stored, new Uint8Array(body.raw(body.varint()))))
    }
    report(kind, entries)
  }
}
