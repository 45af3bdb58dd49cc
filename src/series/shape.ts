// Shapes: what one kind of message fills in, namely a group and an ordered list of (field, kind). A row
// names its shape, and so needs no field names, presence bits or kinds of its own. Shapes live as long as
// the process; the WAL writes them out where it first uses them, a worker is told of new ones.
//
// A shape says too which boot stamped its rows while the clock was not known (boots.ts): so a row whose time
// may still be corrected is told from the others without a byte of its own.
//
// A device that sends every subset of its fields in every order would make shapes without end, so a group
// may have shapesPerGroupMax of them; shapes of one field are not counted, since they are few by nature, nor
// are those of a boot, since each is the twin of one that is.
// Past the limit a message is written as rows of one field each: bulkier, and never refused.
// Not here: the group and field ids (catalog.ts), the rows (head.ts).
import { assert } from '../base/assert.ts'

const shapesPerGroupMax = 256

/** What intern() answers for a group that has too many shapes: write one row a field instead. */
export const NO_SHAPE = -1

/** The fields and kinds of a shape, shared by all shapes with the same list. */
export interface Template {
  readonly fields: Uint16Array
  readonly kinds: Uint8Array
}

export interface Shape {
  readonly group: number
  /** The boot whose clock was not known when it stamped the times; 0: the times are known. */
  readonly boot: number
  readonly template: Template
}

export class Shapes {
  readonly all: Shape[] = []
  private readonly templates = new Map<string, Template>()
  /** Of each group its newest shape, and of each shape the one before it; plus one, 0 for none. */
  private newest = new Uint32Array(64)
  private before = new Uint32Array(64)
  private readonly perGroup: number[] = []

  /** The number of the shape of these fields of a group, the same for the same list, or NO_SHAPE. */
  intern(
    group: number,
    fields: ArrayLike<number>,
    kinds: ArrayLike<number>,
    perGroupMax = shapesPerGroupMax,
    boot = 0
  ): number {
    assert(fields.length > 0 && fields.length === kinds.length, 'a shape has a kind for each of its fields')
    let key = ''
    for (let i = 0; i < fields.length; i++) key += `${fields[i]}.${kinds[i]},`
    let template = this.templates.get(key)
    if (template !== undefined) {
      const known = this.find(group, template, boot)
      if (known >= 0) return known
    }
    if (fields.length > 1 && boot === 0) {
      const count = (this.perGroup[group] ?? 0) + 1
      if (count > perGroupMax) return NO_SHAPE
      this.perGroup[group] = count
    }
    if (template === undefined) {
      template = { fields: Uint16Array.from(fields), kinds: Uint8Array.from(kinds) }
      this.templates.set(key, template)
    }
    return this.add(group, template, boot)
  }

  /** The shape with the same fields whose times are of another boot, or known (0). */
  twin(id: number, boot: number): number {
    const { group, template } = this.all[id]!
    return this.intern(group, template.fields, template.kinds, Number.POSITIVE_INFINITY, boot)
  }

  private find(group: number, template: Template, boot: number): number {
    let id = (this.newest[group] ?? 0) - 1
    while (id >= 0) {
      const shape = this.all[id]!
      if (shape.template === template && shape.boot === boot) break
      id = this.before[id]! - 1
    }
    return id
  }

  private add(group: number, template: Template, boot: number): number {
    const id = this.all.push({ group, boot, template }) - 1
    if (group >= this.newest.length) this.newest = grown(this.newest, group + 1)
    if (id >= this.before.length) this.before = grown(this.before, id + 1)
    this.before[id] = this.newest[group]!
    this.newest[group] = id + 1
    return id
  }

  /** Memory held, in bytes, roughly: templates are few. */
  get bytes(): number {
    return this.all.length * 52 + this.newest.byteLength + this.before.byteLength
  }

  /** Appends shapes made elsewhere: a worker's replica of the main thread's table. */
  adopt(from: number, shapes: readonly Shape[]): void {
    assert(from === this.all.length, 'shapes are adopted in order')
    this.all.push(...shapes)
  }
}

function grown(column: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const copy = new Uint32Array(Math.max(length, Math.ceil(column.length * 1.5)))
  copy.set(column)
  return copy
}
