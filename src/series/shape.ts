// Shapes: what one kind of message fills in, namely a group and an ordered list of (field, kind). A row
// names its shape, and so needs no field names, presence bits or kinds of its own. Shapes live as long as
// the process; the WAL writes them out where it first uses them, a worker is told of new ones.
//
// A device that sends every subset of its fields in every order would make shapes without end, so a group
// may have shapesPerGroupMax of them; shapes of one field are not counted, since they are few by nature.
// Past the limit a message is written as rows of one field each: bulkier, and never refused.
// Not here: the group and field ids (catalog.ts), the rows (head.ts).
import { assert } from '../base/assert.ts'
import type { Kind } from './sample.ts'

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
  readonly template: Template
}

export class Shapes {
  readonly all: Shape[] = []
  private readonly templates = new Map<string, Template>()
  private readonly ids = new Map<string, number>()
  private readonly perGroup: number[] = []

  /** The number of the shape of these fields of a group, the same for the same list, or NO_SHAPE. */
  intern(
    group: number,
    fields: ArrayLike<number>,
    kinds: ArrayLike<Kind>,
    perGroupMax = shapesPerGroupMax
  ): number {
    assert(fields.length > 0 && fields.length === kinds.length, 'a shape has a kind for each of its fields')
    let key = ''
    for (let i = 0; i < fields.length; i++) key += `${fields[i]}.${kinds[i]},`
    const groupKey = `${group}:${key}`
    const known = this.ids.get(groupKey)
    if (known !== undefined) return known
    if (fields.length > 1) {
      const count = (this.perGroup[group] ?? 0) + 1
      if (count > perGroupMax) return NO_SHAPE
      this.perGroup[group] = count
    }
    let template = this.templates.get(key)
    if (template === undefined) {
      template = { fields: Uint16Array.from(fields), kinds: Uint8Array.from(kinds) }
      this.templates.set(key, template)
    }
    this.ids.set(groupKey, this.all.length)
    return this.all.push({ group, template }) - 1
  }

  /** Appends shapes made elsewhere: a worker's replica of the main thread's table. */
  adopt(from: number, shapes: readonly Shape[]): void {
    assert(from === this.all.length, 'shapes are adopted in order')
    this.all.push(...shapes)
  }
}
