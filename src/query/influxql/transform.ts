// Functions of successive values: what changed since the one before, over how long.
// In descending order the one before is the later one, as in InfluxDB.

export interface Point {
  readonly timeUs: number
  readonly value: number
}

export interface TransformFacts {
  /** derivative and elapsed: the span that they count in, us. moving_average: how many values. */
  readonly parameter: number
}

type Transform = (points: Iterable<Point>, facts: TransformFacts) => Iterable<Point>

/** Calls back for each value and the one before it; of several at one time only the first counts. */
function* pairs(
  points: Iterable<Point>,
  say: (before: Point, point: Point) => number | null
): Generator<Point> {
  let before: Point | null = null
  for (const point of points) {
    if (before !== null && point.timeUs === before.timeUs) continue
    const value = before === null ? null : say(before, point)
    if (value !== null) yield { timeUs: point.timeUs, value }
    before = point
  }
}

function derivative(isPositive: boolean): Transform {
  return (points, { parameter }) =>
    pairs(points, (before, point) => {
      const apart = point.value - before.value
      if (isPositive && apart < 0) return null
      return apart / (Math.abs(point.timeUs - before.timeUs) / parameter)
    })
}

function difference(isPositive: boolean): Transform {
  return points =>
    pairs(points, (before, point) => {
      const apart = point.value - before.value
      return isPositive && apart < 0 ? null : apart
    })
}

function* movingAverage(points: Iterable<Point>, { parameter }: TransformFacts): Generator<Point> {
  const room = new Float64Array(parameter)
  let n = 0
  let sum = 0
  for (const { timeUs, value } of points) {
    const slot = n % parameter
    sum += value - (n >= parameter ? room[slot]! : 0)
    room[slot] = value
    if (++n >= parameter) yield { timeUs, value: sum / parameter }
  }
}

function* cumulativeSum(points: Iterable<Point>): Generator<Point> {
  let sum = 0
  for (const { timeUs, value } of points) yield { timeUs, value: (sum += value) }
}

/** Counts between values of one time too. */
function* elapsed(points: Iterable<Point>, { parameter }: TransformFacts): Generator<Point> {
  let beforeUs: number | null = null
  for (const { timeUs } of points) {
    if (beforeUs !== null) yield { timeUs, value: Math.trunc((timeUs - beforeUs) / parameter) }
    beforeUs = timeUs
  }
}

export const TRANSFORMS: Readonly<Record<string, Transform>> = {
  derivative: derivative(false),
  non_negative_derivative: derivative(true),
  difference: difference(false),
  non_negative_difference: difference(true),
  moving_average: movingAverage,
  cumulative_sum: cumulativeSum,
  elapsed
}
