// Runs text scripts in the form of Prometheus' own tests (promqltest): data in one line a series, a query,
// and what it must give.
//
//   load <step>                               clear
//     name{label="v"} 1 2+3x4 _x2 stale NaN
//   eval instant at <time> <query>            eval range from <time> to <time> step <step> <query>
//     expect fail [msg: text | regex: text]   expect ordered      expect string "text"
//     {label="v"} 1 [2 _ 3]
//
// a+bxn is n + 1 values from a on, each b further; axn is n + 1 times a; _ no sample. Older forms eval_fail
// and eval_ordered are known too. A range vector at one time is checked by `expect range vector from <time>
// to <time> step <step>`. Numbers agree within 1e-6 relative.

import { systemClock } from '../../src/base/clock.ts'
import { VarveError } from '../../src/base/errors.ts'
import { readDuration, readNumber } from '../../src/promql/literal.ts'
import { Budget, DEFAULT_QUERY_LIMITS } from '../../src/query/limits.ts'
import { instantResult, rangeResult } from '../../src/query/promql/answer.ts'
import type { Result } from '../../src/query/promql/encode.ts'
import { labelKey, shownLabels, withName, withoutName } from '../../src/query/promql/label-set.ts'
import { readPromql } from '../../src/query/promql/read.ts'
import { type Labels, labelValue, makeLabels } from '../../src/series/label.ts'
import { type ArraySeries, ArraySource, STALE } from './array-source.ts'

/** One step of a script that did not do as it says. */
export interface Fault {
  readonly line: number
  readonly text: string
  readonly why: string
}

interface Wanted {
  fails: boolean
  message: RegExp | string | null
  ordered: boolean
  string: string | null
  range: { startUs: number; endUs: number; stepUs: number } | null
  readonly series: { labels: Labels; values: (number | null)[] }[]
  /** An answer without labels that may be a scalar. */
  scalar: number | null
}

const ABOUT = 1e-6

export class Script {
  private readonly lines: readonly string[]
  private readonly data = new Map<string, { labels: Labels; samples: Map<number, number | 'stale'> }>()
  private readonly rules: '2' | '3'
  private at = 0
  evaluated = 0
  readonly faults: Fault[] = []

  constructor(text: string, rules: '2' | '3' = '3') {
    this.lines = text.split('\n')
    this.rules = rules
  }

  run(): this {
    for (; this.at < this.lines.length; this.at++) {
      const line = this.lines[this.at]!.trim()
      if (line === '' || line.startsWith('#')) continue
      const start = this.at
      try {
        if (line === 'clear') this.data.clear()
        else if (line.startsWith('load')) this.load(line)
        else this.evaluate(line)
      } catch (error) {
        const why = error instanceof VarveError ? error.message : String((error as Error).stack)
        this.faults.push({ line: start + 1, text: line, why })
      }
    }
    return this
  }

  /** The lines that belong to the command at hand. */
  private *block(): Generator<string> {
    while (/^\s+\S/.test(this.lines[this.at + 1] ?? '') || this.lines[this.at + 1]?.trim().startsWith('#')) {
      const line = this.lines[++this.at]!.trim()
      if (!line.startsWith('#')) yield line
    }
  }

  private load(line: string): void {
    const stepUs = duration(/^load\S*\s+(\S+)/.exec(line)![1]!)
    for (const text of this.block()) {
      const { labels, rest } = readSeries(text)
      const key = labelKey(labels)
      let series = this.data.get(key)
      if (series === undefined) this.data.set(key, (series = { labels, samples: new Map() }))
      readValues(rest).forEach((value, i) => {
        if (value !== null) series.samples.set(i * stepUs, value)
      })
    }
  }

  private source(): ArraySource {
    const all = Array.from(this.data.values(), ({ labels, samples }): ArraySeries => {
      const sorted = [...samples].sort(([a], [b]) => a - b)
      const values = new Float64Array(sorted.length)
      sorted.forEach(([, value], i) => {
        if (value === 'stale') values.set(STALE, i)
        else values[i] = value
      })
      return {
        name: labelValue(labels, '__name__'),
        labels: withoutName(labels),
        times: Float64Array.from(sorted, ([time]) => time),
        values
      }
    })
    all.sort((a, b) => (a.name < b.name ? -1 : 1))
    return new ArraySource(all, this.at + 1)
  }

  private evaluate(line: string): void {
    const found =
      /^eval(_fail|_ordered|_warn|_info)?\s+instant\s+(?:at\s+(\S+)\s+)?(.*)$/.exec(line) ??
      /^eval(_fail|_ordered|_warn|_info)?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.*)$/.exec(
        line
      )
    if (found === null) throw new Error(`unknown command ${line}`)
    const wanted = this.wanted(found[1] ?? '')
    this.evaluated++
    const source = this.source()
    const budget = new Budget(DEFAULT_QUERY_LIMITS, systemClock, () => false)
    const options = {
      lookbackUs: 300e6,
      subqueryStepUs: 60e6,
      rules: this.rules,
      secondsMax: null,
      limit: null,
      tier: 'auto' as const,
      explain: false
    }
    let result: Result
    try {
      const query = found.at(-1)!
      if (found.length === 4) {
        const timeUs = duration(found[2] ?? '0')
        readPromql(query)
        result = instantResult(source, { kind: 'promql-instant', query, timeUs, ...options }, budget)
      } else {
        const [startUs, endUs, stepUs] = found.slice(2, 5).map(text => duration(text!)) as [
          number,
          number,
          number
        ]
        result = rangeResult(
          source,
          { kind: 'promql-range', query, startUs, endUs, stepUs, ...options },
          budget
        )
      }
    } catch (error) {
      if (!(error instanceof VarveError) || !wanted.fails) throw error
      const { message } = wanted
      if (
        message !== null &&
        !(typeof message === 'string'
          ? error.message === message || error.message.endsWith(`: ${message}`)
          : message.test(error.message))
      ) {
        throw new Error(`fails with ${error.message}, wanted ${message}`)
      }
      return
    }
    if (wanted.fails) throw new Error('does not fail')
    compare(result, wanted)
  }

  private wanted(suffix: string): Wanted {
    const wanted: Wanted = {
      fails: suffix === '_fail',
      message: null,
      ordered: suffix === '_ordered',
      string: null,
      range: null,
      series: [],
      scalar: null
    }
    for (const line of this.block()) {
      if (readExpectation(line, wanted)) continue
      if (/^[-+]?(?:[\d.]|inf$|nan$)/i.test(line)) {
        wanted.scalar = readValues(line)[0] as number
        continue
      }
      const { labels, rest } = readSeries(line)
      wanted.series.push({ labels, values: readValues(rest) as (number | null)[] })
    }
    return wanted
  }
}

function readExpectation(line: string, wanted: Wanted): boolean {
  const old = /^expected_fail_(message|regexp)\s+(.*)$/.exec(line)
  if (old !== null) {
    wanted.message = old[1] === 'message' ? old[2]! : new RegExp(old[2]!)
    return true
  }
  if (!line.startsWith('expect ')) return false
  const [, what, rest] = /^expect\s+(\S+)\s*(.*)$/.exec(line)!
  if (what === 'fail') {
    wanted.fails = true
    if (rest!.startsWith('msg:')) wanted.message = rest!.slice(4).trim()
    if (rest!.startsWith('regex:')) wanted.message = new RegExp(rest!.slice(6).trim())
  } else if (what === 'ordered') wanted.ordered = true
  else if (what === 'string') {
    const node = readPromql(rest!)
    wanted.string = node.is === 'string' ? node.value : null
  } else if (what === 'range') {
    const [, from, to, step] = /from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)/.exec(rest!)!
    wanted.range = { startUs: duration(from!), endUs: duration(to!), stepUs: duration(step!) }
  }
  return true
}

/** us; a bare number is seconds. */
function duration(text: string): number {
  const sign = text.startsWith('-') ? -1 : 1
  const plain = text.replace(/^[-+]/, '')
  const ms = readDuration(plain) ?? (readNumber(plain) ?? Number.NaN) * 1000
  return sign * ms * 1000
}

function readSeries(line: string): { labels: Labels; rest: string } {
  const head = /^(?:[\w:]+)?(?:\{(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|[^"'`}])*\})?/.exec(line)![0]
  if (head === '') throw new Error(`no series in ${line}`)
  const rest = line.slice(head.length)
  if (head === '{}') return { labels: [], rest }
  const node = readPromql(head)
  if (node.is !== 'vector') throw new Error(`no series in ${line}`)
  const pairs = node.matchers.map(({ name, value }) => [name, value] as const)
  const labels = makeLabels(pairs)
  return { labels: withName(labelValue(labels, '__name__'), labels), rest }
}

function readValues(text: string): (number | 'stale' | null)[] {
  return text
    .trim()
    .split(/\s+/)
    .filter(item => item !== '')
    .flatMap((item): (number | 'stale' | null)[] => {
      const blank = /^_(?:x(\d+))?$/.exec(item)
      if (blank !== null) return Array<null>(Number(blank[1] ?? 1)).fill(null)
      if (item === 'stale') return ['stale']
      const many =
        /^([-+]?(?:[\d._]+(?:e[-+]?\d+)?|inf|nan|0x[\da-f]+)?)(?:([-+](?:[\d.]+(?:e[-+]?\d+)?)))?x(\d+)$/i.exec(
          item
        )
      if (many === null) return [numberOf(item)]
      const first = numberOf(many[1]!)
      const by = Number(many[2] ?? 0)
      return Array.from({ length: Number(many[3]) + 1 }, (_, i) => first + (by === 0 ? 0 : i * by))
    })
}

function numberOf(text: string): number {
  const value = readNumber(text.replace(/^[-+]/, ''))
  if (value === null) throw new Error(`no number: ${text}`)
  return text[0] === '-' ? -value : value
}

function isAbout(found: number, wanted: number): boolean {
  if (Object.is(found, wanted) || found === wanted) return true
  if (Number.isNaN(found) || Number.isNaN(wanted)) return false
  if (!Number.isFinite(found) || !Number.isFinite(wanted)) return false
  return Math.abs(found - wanted) <= ABOUT * Math.max(Math.abs(found), Math.abs(wanted))
}

function compare(result: Result, wanted: Wanted): void {
  if (result.is === 'string') {
    if (result.value !== wanted.string) throw new Error(`gives ${JSON.stringify(result.value)}`)
    return
  }
  if (result.is === 'scalar') {
    if (!isAbout(result.value, wanted.scalar ?? Number.NaN)) throw new Error(`gives ${result.value}`)
    return
  }
  const found = result.series.map(series => ({
    labels: series.labels,
    values: valuesOf(result, series as never, wanted)
  }))
  if (wanted.scalar !== null && result.is === 'matrix' && found.length === 1) return
  const said = () =>
    `gives\n${found.map(({ labels, values }) => `      ${shownLabels(labels)} ${values.map(v => v ?? '_').join(' ')}`).join('\n')}`
  if (found.length !== wanted.series.length) throw new Error(said())
  wanted.series.forEach(({ labels, values }, i) => {
    const key = labelKey(labels)
    const series = wanted.ordered
      ? labelKey(found[i]!.labels) === key
        ? found[i]
        : undefined
      : found.find(one => labelKey(one.labels) === key)
    if (series === undefined) throw new Error(said())
    const length = Math.max(values.length, series.values.length)
    for (let step = 0; step < length; step++) {
      const [a, b] = [series.values[step] ?? null, values[step] ?? null]
      if (a === null || b === null ? a !== b : !isAbout(a, b)) throw new Error(said())
    }
  })
}

function valuesOf(
  result: Exclude<Result, { is: 'string' | 'scalar' }>,
  series: { times?: readonly number[]; values: ArrayLike<number>; present?: Uint8Array },
  { range }: Wanted
): (number | null)[] {
  if (result.is !== 'samples') {
    return Array.from(series.values, (value, i) => (series.present![i] === 1 ? value : null))
  }
  if (range === null) return Array.from(series.values)
  const out: (number | null)[] = []
  for (let timeUs = range.startUs; timeUs <= range.endUs; timeUs += range.stepUs) {
    const i = series.times!.indexOf(timeUs)
    out.push(i < 0 ? null : series.values[i]!)
  }
  return out
}
