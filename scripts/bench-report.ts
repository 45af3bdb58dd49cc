// What every bench prints: the machine, the workload, the bound that it guards, figures in columns, and
// whether the bound holds. A bench whose bound does not hold ends with exit code 1.

import { readFileSync } from 'node:fs'
import { arch, cpus, release, totalmem } from 'node:os'

export interface Bench {
  /** What the issue or the README promises. */
  readonly bounds: readonly string[]
  readonly workload: string
}

export function printHead(title: string, { bounds, workload }: Bench): void {
  const pretty = /^PRETTY_NAME="(.*)"/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1]
  console.log(`# ${title}`)
  console.log(
    `machine   ${cpus().length} x ${cpus()[0]?.model.trim()} (${arch()}), ${(totalmem() / 2 ** 30).toFixed(0)} GiB, ${pretty}, Linux ${release()}, Node ${process.versions.node}`
  )
  console.log(`workload  ${workload}`)
  for (const bound of bounds) console.log(`bound     ${bound}`)
  console.log('')
}

/** Rows of named figures as aligned columns. */
export function printTable(rows: readonly Readonly<Record<string, string | number>>[]): void {
  const names = [...new Set(rows.flatMap(row => Object.keys(row)))]
  const cells = [names, ...rows.map(row => names.map(name => String(row[name] ?? '-')))]
  const widths = names.map((_, i) => Math.max(...cells.map(line => line[i]!.length)))
  for (const line of cells) {
    console.log(
      line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ')
    )
  }
}

/** Prints the verdict on one bound and remembers a failure in the exit code. */
export function judge(what: string, found: number, relation: '<=' | '>=', bound: number, unit = ''): void {
  const holds = relation === '<=' ? found <= bound : found >= bound
  console.log(
    `${holds ? 'pass' : 'FAIL'}  ${what}: ${round(found)}${unit} ${relation} ${round(bound)}${unit}`
  )
  if (!holds) process.exitCode = 1
}

/** Three significant digits, thousands apart. */
export function round(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US')
  return String(Number(value.toPrecision(3)))
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The smallest value that at least a share q of all values does not exceed. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN
}
