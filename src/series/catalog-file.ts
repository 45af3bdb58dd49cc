// The catalog file: all definitions of groups and fields, so that the WAL need not keep them. The store
// writes what is new before each flush, and the manifest says how much the file holds at least, so that a lost
// end of it is noticed.
//
// Invariant: what extent() says is durable in the file. Not here: the bytes of definitions (catalog.ts),
// records and their checksums (engine/record-file.ts), what to do about a damaged file (daemon/storage.ts).
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import type { RecordFile } from '../engine/record-file.ts'
import type { Catalog, CatalogCursor } from './catalog.ts'

/** The kind of the catalog file's records: definitions (catalog.ts). */
const CATALOG_RECORD = 1

/** The note of the manifest that says how much the catalog file holds at least: varint groups | varint series. */
export const EXTENT_NOTE = 'series.catalog'

/** @throws {VarveError} VARVE_TRUNCATED */
export function readExtent(note: Uint8Array | undefined): CatalogCursor {
  if (note === undefined) return { groups: 0, series: 0 }
  const from = new ByteReader(note)
  return { groups: from.varint(), series: from.varint() }
}

/** Definitions of one record, about: after a flood of topics there are 10 MB of them, which nobody holds at once. */
const PIECE_BYTES = 256 * 1024

export class CatalogFile {
  private readonly catalog: Catalog
  private readonly inFile: CatalogCursor = { groups: 0, series: 0 }

  constructor(catalog: Catalog) {
    this.catalog = catalog
  }

  /**
   * Takes a record of the file; call for all of them before the WAL is replayed.
   * @throws {VarveError} VARVE_CATALOG when the record is not definitions
   */
  take(record: Uint8Array): void {
    this.catalog.replay(new ByteReader(record))
    this.inFile.groups = this.catalog.groupCount
    this.inFile.series = this.catalog.seriesCount
  }

  /** How much is defined in the file. */
  get defined(): CatalogCursor {
    return { ...this.inFile }
  }

  /** Replaces the file by all definitions there are. @throws as Disk */
  async rewrite(file: RecordFile): Promise<void> {
    const cursor = { groups: 0, series: 0 }
    const out = new ByteWriter()
    this.catalog.encode(cursor, out)
    await file.rewrite([{ kind: CATALOG_RECORD, payload: out.written() }])
    Object.assign(this.inFile, cursor)
  }

  /** Adds what is not in the file yet. @throws as Disk */
  async save(file: RecordFile): Promise<void> {
    if (file.failed) return this.rewrite(file)
    const out = new ByteWriter()
    const cursor = { ...this.inFile }
    for (;;) {
      out.reset()
      this.catalog.encode(cursor, out, PIECE_BYTES)
      if (out.length === 0) break
      file.append(CATALOG_RECORD, out.written())
      await file.write()
    }
    await file.sync()
    Object.assign(this.inFile, cursor)
  }

  /** The note for the manifest. */
  extent(): [key: string, value: Uint8Array] {
    const out = new ByteWriter(16)
    out.varint(this.inFile.groups)
    out.varint(this.inFile.series)
    return [EXTENT_NOTE, out.copy()]
  }
}
