// Cron expressions: which are valid, and when one comes next. node-cron owns the language (five fields, or
// six with seconds; names, ranges, steps, L, W, #, @daily); we ask it whether a moment matches and look
// for the next one ourselves, because its own timers read the machine's clock and cannot be tested by hand.
//
// Invariants: next(t) > t. The search walks absolute time and reads the local fields at each stop, so that
// an hour that is repeated or left out by a change of summer time neither stops nor doubles a job that
// runs every minute.
// Not here: running anything (jobs.ts).
import { createTask, type ScheduledTask, validateDetailed } from 'node-cron'
import { VarveError } from '../base/errors.ts'

/** Where the fields of an expression are read: by the machine's time zone, or by UTC. */
export type CronZone = 'local' | 'UTC'

/** How far next() looks before it says never: the longest wait of a valid expression is 8 years (29 February over 2100). */
const YEARS_MAX = 12

/** What is wrong with a cron expression, as a phrase; null when it is valid and comes at some time. */
export function cronFault(expression: string): string | null {
  // A number of many digits would make node-cron write out a range of that length.
  if (expression.length > 200 || /\d{3}/.test(expression)) return 'a number of a cron field has 1 or 2 digits'
  const { valid, errors } = validateDetailed(expression)
  if (!valid) return errors.map(error => error.message).join('; ')
  return new Cron(expression, 'UTC').next(0) === null ? 'its date never comes' : null
}

/** A valid expression in a time zone. */
export class Cron {
  readonly expression: string
  private readonly zone: CronZone
  /** Asked which days match; null when every day does: making one takes a formatter of dates, 20 ms at the start. */
  private readonly task: ScheduledTask | null
  private readonly fields: { second: Set<number>; minute: Set<number>; hour: Set<number>; month: Set<number> }

  /** @throws {VarveError} VARVE_CRON when the expression is not valid */
  constructor(expression: string, zone: CronZone) {
    const { valid, fields, errors } = validateDetailed(expression)
    if (!valid || !fields) {
      const why = errors.map(error => error.message).join('; ')
      throw new VarveError('VARVE_CRON', `Cannot schedule ${JSON.stringify(expression)}: ${why}`)
    }
    this.expression = expression
    this.zone = zone
    this.fields = {
      second: new Set(fields.second),
      minute: new Set(fields.minute),
      hour: new Set(fields.hour),
      month: new Set(fields.month)
    }
    const days = (field: readonly unknown[]) => new Set(field.filter(day => typeof day === 'number')).size
    const isEveryDay = days(fields.dayOfMonth) === 31 && days(fields.dayOfWeek) === 7
    const options = zone === 'UTC' ? { timezone: 'UTC' } : {}
    this.task = isEveryDay ? null : createTask(expression, () => undefined, options)
    void this.task?.destroy() // never started; this takes it out of node-cron's registry
  }

  /** The first moment after afterMs (ms since the epoch) that matches; null when none does in 12 years. */
  next(afterMs: number): number | null {
    let at = (Math.floor(afterMs / 1000) + 1) * 1000
    const last = at + YEARS_MAX * 366 * 86_400_000
    while (at <= last) {
      const later = this.skip(at)
      if (later === at) return at
      at = later
    }
    return null
  }

  /** `at` when it matches, else a later moment before which nothing matches. Whole seconds in ms. */
  private skip(at: number): number {
    const [year, month, day, hour, minute, second] = localFields(at, this.zone)
    const { fields } = this
    if (!fields.month.has(month + 1)) return midnight(year, month + 1, 1, this.zone, at)
    if (!fields.hour.has(hour)) return at + (3600 - minute * 60 - second) * 1000
    if (!fields.minute.has(minute)) return at + (60 - second) * 1000
    if (!fields.second.has(second)) return at + 1000
    if (this.task !== null && !this.task.match(new Date(at)))
      return midnight(year, month, day + 1, this.zone, at)
    return at
  }
}

function localFields(at: number, zone: CronZone): [number, number, number, number, number, number] {
  const date = new Date(at)
  return zone === 'UTC'
    ? [
        date.getUTCFullYear(),
        date.getUTCMonth(),
        date.getUTCDate(),
        date.getUTCHours(),
        date.getUTCMinutes(),
        date.getUTCSeconds()
      ]
    : [
        date.getFullYear(),
        date.getMonth(),
        date.getDate(),
        date.getHours(),
        date.getMinutes(),
        date.getSeconds()
      ]
}

/** The start of a day; where summer time leaves midnight out or repeats it, the next hour after `at`. */
function midnight(year: number, month: number, day: number, zone: CronZone, at: number): number {
  const start = zone === 'UTC' ? Date.UTC(year, month, day) : new Date(year, month, day).getTime()
  return start > at ? start : at + 3_600_000
}
