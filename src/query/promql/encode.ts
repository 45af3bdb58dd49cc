// Answers in the JSON of Prometheus' API: numbers are strings, times are seconds.
//
//   {"status":"success","data":{"resultType":"vector","result":[{"metric":{..},"value":[1.5,"2"]}, ...]}}
//   with explain=1, behind data: "explain":[{"selector":"x[1d]","reads":[{"from":"1h","blocks":2,..}, ...]}, ...]
//   matrix   "values":[[1.5,"2"], ...]       scalar, string   "result":[1.5,"2"]
import type { Labels } from '../../series/label.ts'
import type { Budget } from '../limits.ts'
import { TextPiece } from '../text-piece.ts'
import type { Explain } from './explain.ts'
import { secondsText, valueText } from './float-text.ts'
import type { Grid, GridSeries } from './grid.ts'
import type { SampleSeries } from './range-samples.ts'

/** What a query came to. */
export type Result =
  | { readonly is: 'string'; readonly timeUs: number; readonly value: string }
  | { readonly is: 'scalar'; readonly timeUs: number; readonly value: number }
  | { readonly is: 'vector'; readonly timeUs: number; readonly series: readonly GridSeries[] }
  | { readonly is: 'matrix'; readonly grid: Grid; readonly series: readonly GridSeries[] }
  /** A matrix whose series have times of their own. */
  | { readonly is: 'samples'; readonly series: readonly SampleSeries[] }

const CUT = '"warnings":["results truncated due to limit"],'

/**
 * @param limit    most series
 * @param explain  what was read, told behind the result; null: not asked for
 */
export function* encodeResult(
  result: Result,
  budget: Budget,
  limit: number | null,
  explain: Explain | null
): Generator<Uint8Array> {
  const out = new TextPiece()
  const end = explain === null ? '}' : `,"explain":${JSON.stringify(explain)}}`
  if (result.is === 'string' || result.is === 'scalar') {
    const value = result.is === 'string' ? result.value : valueText(result.value)
    const pair = `[${secondsText(result.timeUs)},${JSON.stringify(value)}]`
    out.add(`{"status":"success","data":{"resultType":"${result.is}","result":${pair}}${end}`)
    yield out.take()
    return
  }
  const isCut = limit !== null && result.series.length > limit
  const type = result.is === 'vector' ? 'vector' : 'matrix'
  out.add(`{"status":"success",${isCut ? CUT : ''}"data":{"resultType":"${type}","result":[`)
  const shown = isCut ? result.series.slice(0, limit) : result.series
  let comma = ''
  for (const series of shown) {
    out.add(`${comma}{"metric":${labelsText(series.labels)},`)
    comma = ','
    if (result.is === 'vector') {
      budget.row()
      const { values } = series as GridSeries
      out.add('"value":[')
      addPair(out, result.timeUs, values[0]!)
      out.add(']}')
    } else {
      out.add('"values":[')
      let before = '['
      for (const [timeUs, value] of pairs(result, series)) {
        budget.row()
        out.add(before)
        addPair(out, timeUs, value)
        before = '],['
        if (out.isFull) yield out.take()
      }
      out.add(before === '[' ? ']}' : ']]}')
    }
    if (out.isFull) yield out.take()
  }
  out.add(`]}${end}`)
  yield out.take()
}

function addPair(out: TextPiece, timeUs: number, value: number): void {
  if (timeUs >= 0) out.seconds(timeUs)
  else out.add(secondsText(timeUs))
  out.add(',"')
  // Outside of these Go writes exponents in its own way.
  if (Math.abs(value) >= 0.001 && Math.abs(value) < 1e21) out.number(value)
  else out.add(valueText(value))
  out.add('"')
}

/** Times and values of a series; the pair is used again. */
function* pairs(result: Result, series: GridSeries | SampleSeries): Generator<[number, number]> {
  const pair: [number, number] = [0, 0]
  if (result.is === 'matrix') {
    const { startUs, stepUs, steps } = result.grid
    const { values, present } = series as GridSeries
    for (let i = 0; i < steps; i++) {
      if (present[i] === 0) continue
      pair[0] = startUs + i * stepUs
      pair[1] = values[i]!
      yield pair
    }
    return
  }
  const { times, values } = series as SampleSeries
  for (let i = 0; i < times.length; i++) {
    pair[0] = times[i]!
    pair[1] = values[i]!
    yield pair
  }
}

function labelsText(labels: Labels): string {
  return `{${labels.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join()}}`
}

/** Anything else that the API answers. An array is sent piece by piece. */
export function* encodeList(value: unknown, isCut: boolean): Generator<Uint8Array> {
  const out = new TextPiece()
  out.add(`{"status":"success",${isCut ? CUT : ''}"data":`)
  if (Array.isArray(value)) {
    out.add('[')
    for (let i = 0; i < value.length; i++) {
      out.add(`${i === 0 ? '' : ','}${JSON.stringify(value[i])}`)
      if (out.isFull) yield out.take()
    }
    out.add(']')
  } else out.add(JSON.stringify(value))
  out.add('}')
  yield out.take()
}
