// Which retention class each group is in, decided once when the store first hears of it in this process.
// Not here: the rules (daemon/policy.ts), what a class is (bucket.ts).
import type { RetentionClass } from './bucket.ts'
import type { Catalog } from './catalog.ts'
import type { ClassTable } from './flush-job.ts'
import type { Labels } from './label.ts'

export interface Classes {
  readonly classes: readonly RetentionClass[]
  /** The class of a new group, an index into classes; fields are those that it begins with. */
  classify(name: string, labels: Labels, fields: readonly string[]): number
}

export class GroupClasses {
  private readonly rules: Classes
  private readonly catalog: Catalog
  private classOf = new Uint16Array(1024)

  constructor(rules: Classes, catalog: Catalog) {
    this.rules = rules
    this.catalog = catalog
  }

  classify(id: number, fields: readonly string[]): void {
    if (id >= this.classOf.length) {
      const grown = new Uint16Array(Math.max(id + 1, this.classOf.length * 2))
      grown.set(this.classOf)
      this.classOf = grown
    }
    const { name, labels } = this.catalog.at(id)
    this.classOf[id] = this.rules.classify(name, labels, fields)
  }

  /** As it stands, for a job. */
  table(): ClassTable {
    const { classes } = this.rules
    return {
      names: classes.map(one => one.name),
      spansUs: classes.map(one => one.spanUs),
      classOf: this.classOf.slice(0, this.catalog.groupCount)
    }
  }
}
