// What an export or import needs to go on exactly where it was cut off: a small JSON file beside the data, replaced
// whole after each checkpoint and removed at the end.
//
//   FILE.part        an export under way: FILE gets its name when it is whole
//   FILE.part.json   how far it is: bytes and their CRC-32, the place of the last row, what was asked
//   FILE.import.json how far an import is: rows that the daemon has, and the CRC-32 of them as they were sent
//
// Invariants: an export's state is written after the bytes that it speaks of are synced; what does not fit its
// checksum is refused, never mended.
// Not here: the work (export-run.ts, import-run.ts).
import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeSync
} from 'node:fs'
import { checksum } from '../base/checksum.ts'
import { reason, VarveError } from '../base/errors.ts'
import type { Form } from '../transfer/form.ts'

const VERSION = 1
const CHUNK_BYTES = 1024 ** 2

export interface ExportState {
  readonly match: readonly string[]
  readonly topic: string | null
  readonly from_us: number | null
  readonly to_us: number | null
  readonly form: Form
  readonly label_names: readonly string[]
  readonly bytes: number
  readonly crc32: number
  readonly rows: number
  readonly samples: number
  /** The place of the last row, as the API takes it; null: none was written. */
  readonly after: string | null
  readonly writer: string
}

export interface ImportState {
  readonly form: Form
  readonly url: string
  readonly rows: number
  readonly crc32: number
  readonly refused: number
}

/** Replaces a state. @param isDurable  false: an older one after a power cut does no harm */
export function saveState(file: string, state: ExportState | ImportState, isDurable: boolean): void {
  const temporary = `${file}.tmp`
  const fd = openSync(temporary, 'w')
  try {
    writeSync(fd, `${JSON.stringify({ varve_transfer: VERSION, ...state })}\n`)
    if (isDurable) fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(temporary, file)
}

/** The state of an earlier run; null when there is none. @throws {VarveError} VARVE_TRANSFER_STATE */
export function loadState<S extends ExportState | ImportState>(file: string): S | null {
  if (!existsSync(file)) return null
  const refuse = (why: string, cause?: unknown) =>
    new VarveError('VARVE_TRANSFER_STATE', `Cannot go on with ${file}: ${why}; begin anew without --resume`, {
      cause
    })
  let found: { varve_transfer?: unknown }
  try {
    found = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw refuse(reason(cause), cause)
  }
  if (found?.varve_transfer !== VERSION) throw refuse('it is no state of this version')
  return found as S
}

export function dropState(file: string): void {
  rmSync(file, { force: true })
}

/** A file that an export writes: appended only, with the checksum of all of it. */
export class PartFile {
  bytes = 0
  crc32 = 0
  private readonly file: string
  private readonly fd: number

  /**
   * Opens the file anew, or, with a state, behind the bytes that the state speaks of; what follows them is cut off.
   * @throws {VarveError} VARVE_TRANSFER_STATE when its bytes are not those
   */
  constructor(file: string, state: Pick<ExportState, 'bytes' | 'crc32'> | null) {
    this.file = file
    try {
      this.fd = openSync(file, state === null ? 'w' : 'r+')
    } catch (cause) {
      throw new VarveError('VARVE_IO', `Cannot write ${file}: ${reason(cause)}`, { cause })
    }
    if (state === null) return
    this.crc32 = this.readBack(state.bytes)
    this.bytes = state.bytes
    if (this.crc32 === state.crc32) {
      ftruncateSync(this.fd, state.bytes)
      return
    }
    closeSync(this.fd)
    throw new VarveError(
      'VARVE_TRANSFER_STATE',
      `Cannot go on with ${file}: its first ${state.bytes} bytes are not those that were written; begin anew without --resume`
    )
  }

  /** @throws {VarveError} VARVE_IO when the medium takes it not */
  append(bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length; )
        at += writeSync(this.fd, bytes, at, bytes.length - at, this.bytes + at)
    } catch (cause) {
      throw new VarveError('VARVE_IO', `Cannot write ${this.file}: ${reason(cause)}`, { cause })
    }
    this.bytes += bytes.length
    this.crc32 = checksum(bytes, 0, bytes.length, this.crc32)
  }

  sync(): void {
    fsyncSync(this.fd)
  }

  close(): void {
    closeSync(this.fd)
  }

  private readBack(bytes: number): number {
    const room = new Uint8Array(CHUNK_BYTES)
    let crc = 0
    for (let at = 0; at < bytes; ) {
      const read = readSync(this.fd, room, 0, Math.min(CHUNK_BYTES, bytes - at), at)
      if (read === 0) return -1
      crc = checksum(room, 0, read, crc)
      at += read
    }
    return crc
  }
}
