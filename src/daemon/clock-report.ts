// What the daemon says of its clock: lines of the log, a part of health and status, metrics.
// Not here: the clock itself (clock-keeper.ts).
import type { Log } from '../base/log.ts'
import type { MetricFacts } from '../base/metrics.ts'
import type { ClockKeeper, ClockNews, UncorrectedBoot } from './clock-keeper.ts'
import { isoTime } from './clock-trust.ts'

export function logClockNews(log: Log, news: ClockNews): void {
  if (news.kind === 'known') log.info('clock known', { why: news.why })
  else if (news.kind === 'stepped') log.warn(`the clock was stepped by ${seconds(news.byUs)}`)
  else if (news.kind === 'set') {
    const { why, samples, boot, byUs } = news
    log.info(`clock set: ${samples} samples of boot ${boot} moved by ${seconds(byUs)}`, { why })
  } else {
    const { why, boot, nowUs } = news
    log.warn(`clock not known: times are provisional from ${isoTime(nowUs)} on`, { why, boot })
  }
}

/** The clock's part of health. */
export function clockHealth({ verdict, provisionalSinceUs }: ClockKeeper): string {
  if (provisionalSinceUs === null) return 'ok'
  return `not known: times are provisional since ${isoTime(provisionalSinceUs)} (${verdict.why})`
}

/** The clock as the status shows it. */
export function clockBody(keeper: ClockKeeper): object {
  const { clock, verdict, boot, provisionalSinceUs, correction, steps } = keeper
  return {
    known: clock.isKnown,
    why: verdict.why,
    now: isoTime(clock.nowUs()),
    wall: isoTime(clock.wallUs()),
    boot: boot === 0 ? null : boot,
    provisional_since: provisionalSinceUs === null ? null : isoTime(provisionalSinceUs),
    corrected:
      correction === null
        ? null
        : { boot: correction.boot, samples: correction.samples, seconds: correction.byUs / 1e6 },
    steps,
    provisional: keeper.uncorrected().map(provisionalBody)
  }
}

function provisionalBody({ boot, samples, fromUs, toUs }: UncorrectedBoot): object {
  return { boot, samples, from: isoTime(fromUs), to: isoTime(toUs) }
}

export function clockGauges(keeper: ClockKeeper): MetricFacts[] {
  return [
    {
      name: 'clock_known',
      help: '1 when the gateway knows the time, 0 while its times are provisional.',
      read: () => (keeper.clock.isKnown ? 1 : 0)
    },
    {
      name: 'clock_provisional_samples',
      help: 'Samples whose times are of a clock that was not known, and were not corrected.',
      read: () => keeper.uncorrected().reduce((sum, one) => sum + one.samples, 0)
    },
    {
      name: 'clock_corrected_seconds',
      help: 'By how much the samples of this boot were moved when the clock was set.',
      read: () => (keeper.correction?.byUs ?? 0) / 1e6
    }
  ]
}

function seconds(us: number): string {
  return `${us / 1e6} s`
}
