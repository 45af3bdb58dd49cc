// The bytes of an answer in pieces of about 64 KiB: large enough that sending one costs little per row,
// small enough that a slow reader holds little memory.
import { ByteWriter } from '../base/bytes.ts'

export const PIECE_BYTES = 65_536

/** Text under construction. */
export class TextPiece {
  private text = ''

  add(text: string): void {
    this.text += text
  }

  get isFull(): boolean {
    return this.text.length >= PIECE_BYTES
  }

  /** What was added since the last call, as UTF-8. */
  take(): Uint8Array<ArrayBuffer> {
    const bytes = Buffer.from(this.text)
    this.text = ''
    return bytes
  }
}

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
