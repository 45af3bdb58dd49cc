// Rows that a boot without a known clock stamps: they get shapes of their own (shape.ts), and when the boot is
// corrected (boots.ts) they are moved to their times and to the shapes of rows whose times are known.
//
// Invariant: what a row costs while the clock is known is one comparison. Not here: the move itself
// (head-move.ts), when the clock is known (the daemon).
import type { Boots } from './boots.ts'
import type { RowMove } from './head-move.ts'
import type { Heads } from './heads.ts'
import type { Shapes } from './shape.ts'

export class BootRowShapes {
  /** The boot that stamps what arrives; 0: the time is known. */
  stamping = 0
  private readonly shapes: Shapes
  /** By shape id, its twin of the boot `stamping`, plus one; 0: not looked up yet. */
  private twins = new Uint32Array(256)

  constructor(shapes: Shapes) {
    this.shapes = shapes
  }

  /** What arrives from now on is stamped by this boot. */
  stampAs(boot: number): void {
    this.stamping = boot
    this.twins.fill(0)
  }

  /** The shape of a row that is stamped now. */
  twin(shape: number): number {
    if (shape >= this.twins.length) {
      const grown = new Uint32Array(Math.max(shape + 1, this.twins.length * 2))
      grown.set(this.twins)
      this.twins = grown
    }
    const known = this.twins[shape]!
    if (known !== 0) return known - 1
    const twin = this.shapes.twin(shape, this.stamping)
    this.twins[shape] = twin + 1
    return twin
  }

  /** Moves the rows of corrected boots in all heads; returns how many samples that were. */
  move(heads: Heads, boots: Boots): number {
    let samples = 0
    for (const [boot, rows] of heads.bootRows()) if (boots.deltaUs(boot) !== null) samples += rows.samples
    if (samples === 0) return 0
    const moves = new Map<number, RowMove>()
    const count = this.shapes.all.length
    for (let id = 0; id < count; id++) {
      const deltaUs = boots.deltaUs(this.shapes.all[id]!.boot)
      if (deltaUs !== null) moves.set(id, { shape: this.shapes.twin(id, 0), deltaUs })
    }
    heads.move(this.shapes.all, moves)
    return samples
  }
}
