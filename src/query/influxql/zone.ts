// Time zones: how far a wall clock is from UTC, where windows begin by it, and times as it shows them.
const formatters = new Map<string, Intl.DateTimeFormat>()

/** How much a zone is ahead of UTC at a time, both in us; 0 for ''. */
export function zoneOffsetUs(zone: string, timeUs: number): number {
  if (zone === '') return 0
  let formatter = formatters.get(zone)
  if (formatter === undefined) {
    formatter = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric'
    })
    formatters.set(zone, formatter)
  }
  const ms = Math.floor(timeUs / 1000)
  const parts: Record<string, number> = {}
  for (const { type, value } of formatter.formatToParts(ms)) parts[type] = Number(value)
  const { year, month, day, hour, minute, second } = parts
  const wall = Date.UTC(year!, month! - 1, day!, hour!, minute!, second!)
  return (wall - Math.floor(ms / 1000) * 1000) * 1000
}

/** UTC of a wall clock. */
export function zonedUs(zone: string, wallUs: number): number {
  if (zone === '') return wallUs
  const guess = wallUs - zoneOffsetUs(zone, wallUs)
  return wallUs - zoneOffsetUs(zone, guess)
}

/** Windows of GROUP BY time(step, offset): where they begin, in us. */
export class TimeWindows {
  readonly stepUs: number
  private readonly offsetUs: number
  private readonly zone: string

  constructor(stepUs: number, offsetUs: number, zone: string) {
    this.stepUs = stepUs
    this.offsetUs = offsetUs
    this.zone = zone
  }

  /**
   * Whether all of them begin and end at multiples of a step since the epoch. A zone is ahead of UTC by quarters
   * of an hour.
   */
  areMultiplesOf(stepUs: number): boolean {
    const isAligned = this.stepUs % stepUs === 0 && this.offsetUs % stepUs === 0
    return isAligned && (this.zone === '' || 900_000_000 % stepUs === 0)
  }

  /** The start of the window that a time is in. */
  startOf(timeUs: number): number {
    const wall = timeUs + zoneOffsetUs(this.zone, timeUs) - this.offsetUs
    return zonedUs(this.zone, Math.floor(wall / this.stepUs) * this.stepUs + this.offsetUs)
  }

  /** The start of the window after (by 1) or before (by -1) the one that begins at a time. */
  beside(startUs: number, by: 1 | -1): number {
    if (this.zone === '') return startUs + by * this.stepUs
    const wall = startUs + zoneOffsetUs(this.zone, startUs) + by * this.stepUs
    const next = zonedUs(this.zone, wall)
    // Where a clock is set back, an hour of wall clock comes twice.
    return (next - startUs) * by > 0 ? next : startUs + by * this.stepUs
  }
}

/** RFC 3339 with as many digits of a second as it needs; Z, or the offset of the zone. */
export function rfc3339(timeNs: bigint, zone: string): string {
  const second = 1_000_000_000n
  const fraction = ((timeNs % second) + second) % second
  const ms = Number((timeNs - fraction) / 1_000_000n)
  const offsetUs = zoneOffsetUs(zone, ms * 1000)
  const text = new Date(ms + offsetUs / 1000).toISOString().slice(0, 19)
  const digits = fraction === 0n ? '' : `.${String(fraction).padStart(9, '0').replace(/0+$/, '')}`
  if (zone === '' || offsetUs === 0) return `${text}${digits}Z`
  const minutes = Math.abs(offsetUs) / 60_000_000
  const two = (n: number) => String(Math.floor(n)).padStart(2, '0')
  return `${text}${digits}${offsetUs < 0 ? '-' : '+'}${two(minutes / 60)}:${two(minutes % 60)}`
}
