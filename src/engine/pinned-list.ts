// A list that grows at its end and whose elements change, of which views can be pinned: its pieces are copied before they
// are written for the first time after that.
//
// Invariant: what a view gives for an index below the length that the list had is what was there when it was pinned.
// Not here: what the elements are (memtable.ts).

const PIECE_BITS = 8
const PIECE_MASK = (1 << PIECE_BITS) - 1

/** The elements as they were, by pieces. */
export type Pieces<V> = readonly (readonly V[])[]

export function elementOf<V>(pieces: Pieces<V>, index: number): V {
  return pieces[index >>> PIECE_BITS]![index & PIECE_MASK]!
}

export class PinnedList<V> {
  length = 0
  private pieces: V[][] = []
  /** When each piece became ours to write. */
  private epochs: number[] = []
  private epoch = 0
  private epochOfPieces = 0

  at(index: number): V {
    return this.pieces[index >>> PIECE_BITS]![index & PIECE_MASK]!
  }

  push(value: V): void {
    // No view asks for what is behind its end, so that its pieces may get more.
    const piece = this.length >>> PIECE_BITS
    if (piece === this.pieces.length) {
      this.pieces.push([])
      this.epochs.push(this.epoch)
    }
    this.pieces[piece]!.push(value)
    this.length++
  }

  /** @param index  below length */
  set(index: number, value: V): void {
    const piece = index >>> PIECE_BITS
    if (this.epochs[piece] !== this.epoch) this.own(piece)
    this.pieces[piece]![index & PIECE_MASK] = value
  }

  pin(): Pieces<V> {
    this.epoch++
    return this.pieces
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
