// Charts for a terminal: a line chart of a series over time, and bars of bytes by cause. Owner of
// simple-ascii-chart.
//
// Each series has a chart of its own: lines in one chart are told apart by colour alone, which a file, a
// printer and many eyes have not.
import { plot } from 'simple-ascii-chart'
import { roughSize } from '../base/units.ts'

/** Time in ms since the epoch, and a finite value; times ascend. */
export type ChartPoint = readonly [timeMs: number, value: number]

/** A chart `columns` wide, or a sentence when there is nothing to draw. */
export function lineChart(title: string, points: readonly ChartPoint[], columns: number): string {
  const finite = points.filter(([, value]) => Number.isFinite(value))
  if (finite.length === 0) return `${title}\n  no numbers in this span\n`
  const width = Math.max(20, Math.min(columns, 160) - 14)
  const drawn = thin(finite, width)
  const [first, last] = [drawn[0]![0], drawn[drawn.length - 1]![0]]
  const ticks = first === last ? [first] : [0, 1, 2, 3].map(i => first + ((last - first) * i) / 3)
  const text = plot(
    drawn.map(([x, y]) => [x, y] as [number, number]),
    {
      title,
      width,
      height: 12,
      customXAxisTicks: ticks,
      formatter: (value, { axis }) => (axis === 'x' ? tickTime(value, last - first) : tickValue(value))
    }
  )
  const values = finite.map(([, value]) => value)
  const least = values.reduce((a, b) => Math.min(a, b))
  const most = values.reduce((a, b) => Math.max(a, b))
  const end = tickValue(values[values.length - 1]!)
  return `${trimLines(text)}\n  ${finite.length} samples, least ${tickValue(least)}, most ${tickValue(most)}, last ${end}\n`
}

/** At most `width` points: the mean of what falls into one column. */
function thin(points: readonly ChartPoint[], width: number): ChartPoint[] {
  if (points.length <= width) return [...points]
  const first = points[0]![0]
  const span = points[points.length - 1]![0] - first
  const slots = new Map<number, { time: number; sum: number; count: number }>()
  for (const [time, value] of points) {
    const at = Math.min(width - 1, Math.floor(((time - first) / span) * width))
    const slot = slots.get(at)
    if (slot === undefined) slots.set(at, { time, sum: value, count: 1 })
    else {
      slot.sum += value
      slot.count++
    }
  }
  return [...slots.values()].map(({ time, sum, count }) => [time, sum / count] as const)
}

function tickTime(ms: number, spanMs: number): string {
  const date = new Date(ms)
  const two = (n: number) => String(n).padStart(2, '0')
  const day = `${two(date.getMonth() + 1)}-${two(date.getDate())}`
  const time = `${two(date.getHours())}:${two(date.getMinutes())}`
  if (spanMs > 3 * 86_400_000) return day
  return spanMs > 600_000 ? time : `${time}:${two(date.getSeconds())}`
}

function tickValue(value: number): string {
  const size = Math.abs(value)
  if (Number.isInteger(value) && size < 1e6) return String(value)
  return size >= 1e6 || size < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(4)))
}

function trimLines(text: string): string {
  return text
    .split('\n')
    .map(line => line.trimEnd())
    .filter((line, i, all) => line !== '' || (i > 0 && i < all.length - 1))
    .join('\n')
}

/** A bar of a day or more, made of one letter a cause in proportion to its bytes. */
export interface DayBar {
  readonly label: string
  readonly bytes: Readonly<Record<string, number>>
}

/**
 * Stacked bars of bytes by cause, one a line, at most `columns` wide, with an axis in bytes and a key of the
 * letters; '' when nothing was written. Letters, not colours or shades: a file and a printer show them too.
 */
export function causeBars(bars: readonly DayBar[], columns: number): string {
  const causes = [...new Set(bars.flatMap(bar => Object.keys(bar.bytes)))].filter(cause =>
    bars.some(bar => (bar.bytes[cause] ?? 0) > 0)
  )
  const total = (bar: DayBar) => causes.reduce((sum, cause) => sum + (bar.bytes[cause] ?? 0), 0)
  const most = bars.reduce((max, bar) => Math.max(max, total(bar)), 0)
  if (most === 0) return ''
  const letters = causeLetters(causes)
  const before = Math.max(...bars.map(bar => bar.label.length)) + 15
  const room = Math.max(10, Math.min(columns, 120) - before - 1)
  const lines = bars.map(bar => {
    let drawn = ''
    let sum = 0
    for (const cause of causes) {
      sum += bar.bytes[cause] ?? 0
      drawn += letters.get(cause)!.repeat(Math.round((sum / most) * room) - drawn.length)
    }
    return `  ${bar.label}  ${roughSize(total(bar)).padStart(9)} |${drawn}`
  })
  const key = causes.map(cause => `${letters.get(cause)} ${cause}`).join(', ')
  return `${lines.join('\n')}\n${sizeAxis(most, room, before - 1)}\n  ${key}\n`
}

/** A line of ticks and one of sizes below it; the end of `room` columns is `most` bytes. */
function sizeAxis(most: number, room: number, indent: number): string {
  const ticks = [0, 1, 2, 3, 4].map(part => part / 4).filter((_, i) => room >= 44 || i % 2 === 0)
  let line = '-'.repeat(room + 1)
  let names = ' '.repeat(indent + room + 12)
  for (const part of ticks) {
    const at = Math.round(part * room)
    line = `${line.slice(0, at)}+${line.slice(at + 1)}`
    const name = part === 0 ? '0' : roughSize(part * most)
    const from = indent + (part === 1 ? room + 1 - name.length : at - Math.floor(name.length / 2))
    names = names.slice(0, from) + name + names.slice(from + name.length)
  }
  return `${' '.repeat(indent)}${line}\n${names.trimEnd()}`
}

/** One letter a cause, its first free one. */
function causeLetters(causes: readonly string[]): Map<string, string> {
  const letters = new Map<string, string>()
  const taken = new Set<string>()
  for (const cause of causes) {
    const letter = [...cause, ...'0123456789'].find(candidate => !taken.has(candidate)) ?? '?'
    letters.set(cause, letter)
    taken.add(letter)
  }
  return letters
}
