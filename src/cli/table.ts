// A table as it streams: widths come from the first rows, so that millions of rows need no memory.

/** So many rows are held back to find widths. */
const sampleRows = 200

/** Prints rows of cells under their names, right-aligned when a column holds numbers. */
export class TablePrinter {
  private readonly out: (text: string) => Promise<void>
  private held: Map<string, string>[] = []
  private columns: { name: string; width: number; right: boolean }[] | null = null
  rows = 0

  constructor(out: (text: string) => Promise<void>) {
    this.out = out
  }

  async add(cells: Map<string, string>): Promise<void> {
    this.rows++
    if (this.columns !== null) return this.out(this.line(cells))
    this.held.push(cells)
    if (this.held.length >= sampleRows) await this.start()
  }

  /** Prints what is held back. */
  async end(): Promise<void> {
    if (this.columns === null && this.held.length > 0) await this.start()
  }

  private async start(): Promise<void> {
    const names = new Set(this.held.flatMap(cells => [...cells.keys()]))
    this.columns = [...names].map(name => {
      const texts = this.held.map(cells => cells.get(name) ?? '')
      return {
        name,
        width: Math.max(name.length, ...texts.map(text => text.length)),
        right: texts.every(text => text === '' || Number.isFinite(Number(text)))
      }
    })
    await this.out(this.line(new Map([...names].map(name => [name, name]))))
    const held = this.held
    this.held = []
    await this.out(held.map(cells => this.line(cells)).join(''))
  }

  private line(cells: Map<string, string>): string {
    const texts = this.columns!.map(({ name, width, right }) => {
      const text = cells.get(name) ?? ''
      return right ? text.padStart(width) : text.padEnd(width)
    })
    return `${texts.join('  ').trimEnd()}\n`
  }
}
