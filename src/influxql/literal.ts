// Durations and times as InfluxQL writes them, in nanoseconds.

const UNIT_NS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  u: 1000n,
  µ: 1000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
  w: 604_800_000_000_000n
}

/** The nanoseconds of a duration token such as 1h30m. */
export function durationNs(text: string): bigint {
  let ns = 0n
  for (const [, count, unit] of text.matchAll(/(\d+)(ns|ms|[u\u00b5smhdw])/g))
    ns += BigInt(count!) * UNIT_NS[unit!]!
  return ns
}

const DATE =
  /^(\d{4})-(\d\d?)-(\d\d?)(?:[ T](\d\d?):(\d\d?)(?::(\d\d?)(?:\.(\d{1,9}))?)?(Z|[-+]\d\d:\d\d)?)?$/

/** A date as it stands in a string: its wall clock in ns since 1970, and its zone in ns east when it names one. */
export interface WrittenTime {
  readonly ns: bigint
  readonly zoneNs: bigint | null
}

/** The time that a string says, or null when it is none: 2006-01-02, 2006-01-02 15:04:05.999, RFC 3339. */
export function writtenTime(text: string): WrittenTime | null {
  const found = DATE.exec(text)
  if (found === null) return null
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(part => Number(part ?? 0))
  const ms = Date.UTC(year!, month! - 1, day!, hour!, minute!, second!)
  const back = new Date(ms)
  if (back.getUTCMonth() !== month! - 1 || back.getUTCDate() !== day || back.getUTCHours() !== hour)
    return null
  const ns = BigInt(ms) * 1_000_000n + BigInt((found[7] ?? '').padEnd(9, '0') || '0')
  const zone = found[8]
  if (zone === undefined) return { ns, zoneNs: null }
  if (zone === 'Z') return { ns, zoneNs: 0n }
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4))
  return { ns, zoneNs: BigInt(zone[0] === '-' ? -minutes : minutes) * 60_000_000_000n }
}
