// What counts as a difference between an answer of Prometheus and one of varve.
//
// Not here: asking (promql-oracle.ts), proving that a difference is rounding (oracle-proof.ts).

const TOLERANCE = 1e-9
/** The key of an answer's status beside those of its samples. */
export const STATUS = 'status'

export interface Answer {
  readonly status: string
  readonly errorType?: string
  readonly error?: string
  readonly data?: { resultType: string; result: unknown }
  /** Of varve, with explain=1. */
  readonly explain?: readonly { readonly reads: readonly { readonly from: string }[] }[]
}

type Pair = [number, string]
export interface Found {
  readonly metric: Record<string, string>
  readonly value?: Pair
  readonly values?: Pair[]
}

export function isSame(a: string, b: string): boolean {
  if (a === b) return true
  const [x, y] = [a, b].map(text => Number(text.replace('Inf', 'Infinity'))) as [number, number]
  return Math.abs(x - y) <= TOLERANCE * Math.max(Math.abs(x), Math.abs(y))
}

/**
 * Where Prometheus 2.42 is off and varve does as later versions do, or as the rule of the language asks:
 *  - an average of values that sum to 0 came out as rounding dust, being carried along as a running mean;
 *  - the date of a number beyond the calendar is what an overflow makes of it there, and NaN here;
 *  - timestamp() of a selector with both @ and offset reads beside what it has loaded;
 *  - a selector with @ in a subquery with @ in another subquery gives nothing (and absent() of it something).
 */
function isExplained(query: string, theirs: string | null, ours: string | null): boolean {
  if (/timestamp\(.*@.*offset/.test(query)) return true
  if ((theirs === null || /absent/.test(query)) && /@.*\[.*\] @.*\[/.test(query)) return true
  if (theirs === null || ours === null) return false
  if (/avg/.test(query) && Math.abs(Number(theirs)) < 1e-12 && Math.abs(Number(ours)) < 1e-12) return true
  return /(day|days)_(of|in)_|hour|minute|month|year/.test(query) && ours === 'NaN'
}

/** Samples by labels and time. */
export function samples(result: readonly Found[]): Map<string, string> {
  const all = new Map<string, string>()
  for (const { metric, value, values } of result) {
    const key = JSON.stringify(Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1)))
    for (const [time, text] of values ?? [value!]) all.set(`${key} @${time}`, text)
  }
  return all
}

/**
 * The first difference between two answers, or null; 'tie', 'explained' or 'unstable' for what is not counted
 * as one.
 * @param unstable  tells which samples rounding decides; null: none does
 */
export function difference(
  theirs: Answer,
  ours: Answer,
  query: string,
  unstable: (() => (key: string) => boolean) | null
): string | null {
  if (theirs.status !== ours.status && isExplained(query, null, null)) return 'explained'
  if (theirs.status !== ours.status && unstable?.()(STATUS)) return 'unstable'
  if (theirs.status !== ours.status)
    return `theirs ${theirs.error ?? theirs.status}, ours ${ours.error ?? ours.status}`
  if (theirs.status === 'error') {
    if (theirs.errorType !== ours.errorType)
      return `theirs ${theirs.errorType} ${theirs.error}, ours ${ours.errorType} ${ours.error}`
    return null
  }
  const [a, b] = [theirs.data!, ours.data!]
  if (a.resultType !== b.resultType) return `type ${a.resultType} and ${b.resultType}`
  if (a.resultType === 'scalar' || a.resultType === 'string') {
    const [x, y] = [a.result, b.result] as [Pair, Pair]
    return x[0] === y[0] && (x[1] === y[1] || isSame(x[1], y[1])) ? null : `${x} and ${y}`
  }
  const [x, y] = [samples(a.result as Found[]), samples(b.result as Found[])]
  const faults: string[] = []
  const keys: string[] = []
  let explained = 0
  const fault = (key: string, text: string) => {
    keys.push(key)
    faults.push(text)
  }
  for (const [key, value] of x) {
    const own = y.get(key)
    if (own === undefined) {
      if (isExplained(query, value, null)) explained++
      else fault(key, `only theirs: ${key} ${value}`)
    } else if (isSame(value, own)) continue
    else if (isExplained(query, value, own)) explained++
    else fault(key, `${key}: theirs ${value}, ours ${own}`)
  }
  for (const [key, value] of y) {
    if (x.has(key)) continue
    if (isExplained(query, null, value)) explained++
    else fault(key, `only ours: ${key} ${value}`)
  }
  if (faults.length === 0) {
    if (explained > 0) return 'explained'
    if (!/^sort/.test(query)) return null
    const order = (data: typeof a) => (data.result as Found[]).map(({ value }) => value?.[1] ?? '').join()
    return a.resultType === 'vector' && order(a) !== order(b) ? `order ${order(a)} and ${order(b)}` : null
  }
  const rounded = (value: string) => (Number.isFinite(Number(value)) ? Number(value).toPrecision(9) : value)
  const sorted = (all: Map<string, string>) =>
    Array.from(all, ([key, value]) => `${key.replace(/^.*@/, '')} ${rounded(value)}`)
      .sort()
      .join()
  if (/topk|bottomk/.test(query) && x.size === y.size && sorted(x) === sorted(y)) return 'tie'
  if (unstable !== null && keys.every(unstable())) return 'unstable'
  return `${faults.length} of ${x.size} samples: ${faults.slice(0, 3).join('; ')}`
}
