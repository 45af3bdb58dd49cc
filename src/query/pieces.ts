// The bytes of an answer in pieces of about 64 KiB: large enough that sending one costs little per row,
// small enough that a slow reader holds little memory.
// Not here: text (text-piece.ts).
import { ByteWriter } from '../base/bytes.ts'

export const PIECE_BYTES = 65_536

/** Bytes under construction. */
export class BytePiece extends ByteWriter {
  constructor() {
    super(PIECE_BYTES + 4096)
  }

  get isFull(): boolean {
    return this.length >= PIECE_BYTES
  }

  /** What was written since the last call, in bytes of its own. */
  take(): Uint8Array<ArrayBuffer> {
    const bytes = this.copy()
    this.reset()
    return bytes
  }
}
