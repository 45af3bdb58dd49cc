// Shapes: what one kind of message fills in, namely a group and an ordered list of (field, kind). A row
// names its shape, and so needs no field names, presence bits or kinds of its own. Shapes live as long as
// the process; the WAL writes them out where it first uses them. Who reads rows needs templates and boots
// only: worker threads have them from two columns of shared memory, and are told of new templates, which are few.
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
import { SharedColumn } from './shared-column.ts'

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

/** What readers of rows ask of shapes, by their numbers. */
export interface RowShapes {
  template(id: number): Template
  boot(id: number): number
}

/** What another thread has to be told to read the rows of all shapes there are now. */
export interface ShapesView {
  readonly count: number
  /** The templates from number `from` on. */
  readonly from: number
  readonly templates: readonly Template[]
  readonly templateOf: SharedArrayBuffer
  readonly bootOf: SharedArrayBuffer
}

export class Shapes implements RowShapes {
  readonly all: Shape[] = []
  private readonly templates = new Map<string, Template>()
  private readonly templateIds = new Map<Template, number>()
  private readonly templateOf = new SharedColumn()
  private readonly bootOf = new SharedColumn()
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
      this.templateIds.set(template, this.templates.size)
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
    this.templateOf.set(id, this.templateIds.get(template)!)
    this.bootOf.set(id, boot)
    if (group >= this.newest.length) this.newest = grown(this.newest, group + 1)
    if (id >= this.before.length) this.before = grown(this.before, id + 1)
    this.before[id] = this.newest[group]!
    this.newest[group] = id + 1
    return id
  }

  template(id: number): Template {
    return this.all[id]!.template
  }

  boot(id: number): number {
    return this.all[id]!.boot
  }

  /** Memory held, in bytes, roughly: templates are few. */
  get bytes(): number {
    const shared = this.templateOf.buffer.byteLength + this.bootOf.buffer.byteLength
    return this.all.length * 56 + shared + this.newest.byteLength + this.before.byteLength
  }

  /** For a replica that knows the templates below `from`. */
  view(from: number): ShapesView {
    const { all, templateOf, bootOf } = this
    const templates = [...this.templates.values()].slice(from)
    return { count: all.length, from, templates, templateOf: templateOf.buffer, bootOf: bootOf.buffer }
  }
}

/** What a worker thread has of the main thread's shapes: no copy, but for templates. */
export class ShapesReplica implements RowShapes {
  private readonly templates: Template[] = []
  private templateOf: Uint32Array = new Uint32Array(0)
  private bootOf: Uint32Array = new Uint32Array(0)

  /** Learns of all shapes of a view; views come in their order. */
  adopt({ count, from, templates, templateOf, bootOf }: ShapesView): void {
    assert(from === this.templates.length, 'templates are adopted in order')
    for (const template of templates) this.templates.push(template)
    this.templateOf = new Uint32Array(templateOf, 0, count)
    this.bootOf = new Uint32Array(bootOf, 0, count)
  }

  template(id: number): Template {
    return this.templates[this.templateOf[id]!]!
  }

  boot(id: number): number {
    return this.bootOf[id]!
  }
}

function grown(column: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const copy = new Uint32Array(Math.max(length, Math.ceil(column.length * 1.5)))
  copy.set(column)
  return copy
}
