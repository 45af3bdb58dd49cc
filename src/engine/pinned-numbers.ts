// A list of 32-bit numbers that grows at its end and whose elements change, of which views can be pinned: its pieces are
// copied before they are written for the first time after that.
//
// Invariant: what a view gives for an index below the length that the list had is what was there when it was pinned.
// Not here: what the numbers say (kv/memtable.ts).

const PIECE_BITS = 8
const PIECE_LENGTH = 1 << PIECE_BITS
const PIECE_MASK = PIECE_LENGTH - 1

/** The numbers as they were. */
export class PinnedView {
  private readonly pieces: readonly Int32Array[]

  constructor(pieces: readonly Int32Array[]) {
    this.pieces = pieces
  }

  at(index: number): number {
    return this.pieces[index >>> PIECE_BITS]![index & PIECE_MASK]!
  }
}

export class PinnedNumbers {
  length = 0
  private pieces: Int32Array[] = []
  /** When each piece became ours to write. */
  private epochs: number[] = []
  private epoch = 0
  private epochOfPieces = 0

  at(index: number): number {
    return this.pieces[index >>> PIECE_BITS]![index & PIECE_MASK]!
  }

  push(value: number): void {
    // No view asks for what is behind its end, so that its pieces may get more.
    const piece = this.length >>> PIECE_BITS
    if (piece === this.pieces.length) {
      this.pieces.push(new Int32Array(PIECE_LENGTH))
      this.epochs.push(this.epoch)
    }
    this.pieces[piece]![this.length++ & PIECE_MASK] = value
  }

  /** @param index  below length */
  set(index: number, value: number): void {
    const piece = index >>> PIECE_BITS
    if (this.epochs[piece] !== this.epoch) this.own(piece)
    this.pieces[piece]![index & PIECE_MASK] = value
  }

  pin(): PinnedView {
    this.epoch++
    return new PinnedView(this.pieces)
  }

  private own(piece: number): void {
    if (this.epochOfPieces !== this.epoch) {
      this.pieces = this.pieces.slice()
      this.epochOfPieces = this.epoch
    }
    this.pieces[piece] = this.pieces[piece]!.slice()
    this.epochs[piece] = this.epoch
  }
}
