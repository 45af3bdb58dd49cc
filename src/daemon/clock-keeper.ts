// Keeps the gateway's clock: at the start it takes the wall clock for known or begins a provisional boot
// (series/boots.ts), and as soon as the clock is known it corrects that boot by one durable record.
//
// A boot that does not know the time goes on from the newest of: what the wall shows, if that is possible; the
// newest moment that was saved; the newest sample, but no later than an hour after that moment, since a
// device's clock may be ahead by so much. So provisional times come after everything stored, in order, and never
// in 1970. A restart in the same boot of the machine goes on with the boot's number: one record corrects both.
//
// Invariants: the record of a boot is durable before anything is stamped under it, and its correction before
// any reader sees it; from then on, in one turn, every reader sees all of it. A failed commit leaves the clock
// unknown and is tried again; nothing here ever stops ingest.
// Not here: the verdict (clock-trust.ts), asking the machine (clock-source.ts), provisional time itself
// (base/gateway-clock.ts).
import type { GatewayClock } from '../base/gateway-clock.ts'
import { MADE_US } from '../base/version.ts'
import type { Manifest } from '../engine/manifest.ts'
import type { RollupProgress } from '../rollup/progress.ts'
import { isTierClass } from '../rollup/tier.ts'
import { BOOTS_NOTE, type Boots, type LiveSegment } from '../series/boots.ts'
import type { SeriesStore } from '../series/store.ts'
import { decodeMoment, encodeMoment, MOMENT_NOTE, type Moment } from './clock-moment.ts'
import type { ClockSource } from './clock-source.ts'
import { type ClockFacts, isPlausible, judgeClock, STEP_US, type Verdict } from './clock-trust.ts'
import { PROGRESS_NOTE } from './maintenance.ts'

const HOUR_US = 3_600_000_000
const TICK_MS = 1000
/** Provisional time begins so long after the newest that is stored. */
const GAP_US = 1_000_000

/** What happened to the clock, for the log. */
export type ClockNews =
  | { readonly kind: 'known'; readonly why: string }
  | { readonly kind: 'unknown'; readonly why: string; readonly boot: number; readonly nowUs: number }
  | ({ readonly kind: 'set'; readonly why: string } & Correction)
  | { readonly kind: 'stepped'; readonly byUs: number }

/** A boot that was corrected. */
export interface Correction {
  readonly boot: number
  readonly samples: number
  readonly byUs: number
}

export interface ClockKeeperParts {
  readonly clock: GatewayClock
  readonly source: ClockSource
  readonly series: SeriesStore
  readonly manifest: Manifest
  readonly progress: RollupProgress
  /** clock.source of the configuration. */
  mode(): ClockFacts['source']
  /** Segments are to be read at other times than before. */
  onMoved(): void
  onNews(news: ClockNews): void
  onError(error: unknown): void
}

/** A boot whose samples bear times of a clock that was never known. */
export interface UncorrectedBoot {
  readonly boot: number
  samples: number
  fromUs: number
  toUs: number
}

export class ClockKeeper {
  readonly clock: GatewayClock
  verdict: Verdict = { isKnown: false, why: 'not asked yet' }
  /** The boot that stamps provisionally; 0: none does. */
  boot = 0
  /** Since when times are provisional, by provisional time; null: they are not. */
  provisionalSinceUs: number | null = null
  /** What was corrected since the start; null: nothing. */
  correction: Correction | null = null
  /** Steps of a known clock since the start. */
  steps = 0
  private readonly parts: ClockKeeperParts
  private saved: Moment | null = null
  private steppedAhead = false
  private cancel: () => void = () => {}
  private isStopped = false
  /** The change of the manifest under way. */
  private changing: Promise<void> = Promise.resolve()

  constructor(parts: ClockKeeperParts) {
    this.parts = parts
    this.clock = parts.clock
  }

  /** Decides how this run begins; call after the replay and before anything is stamped. @throws as Disk */
  async start(): Promise<void> {
    const { clock, source, series, manifest } = this.parts
    const note = manifest.note(MOMENT_NOTE)
    this.saved = note === undefined ? null : decodeMoment(note)
    const boots = series.boots.copy()
    const goesOn = boots.goesOn(source.kernel)
    this.verdict = await this.judge()
    const live = series.live(manifest.segments.values())
    boots.keepOnly(this.borne(live))
    if (goesOn) {
      this.boot = boots.newest
      clock.assume(boots.zeroUs + this.uptimeUs(), this.pastUs())
    }
    if (this.verdict.isKnown && goesOn) await this.correct()
    else if (this.verdict.isKnown) {
      this.noteBehind(live)
      if (boots.settle(clock.nowUs())) await this.commit(boots)
      this.parts.onNews({ kind: 'known', why: this.verdict.why })
    } else await this.beProvisional(boots, live, goesOn)
  }

  /** Looks at the clock every second until stop(). */
  keep(): void {
    this.cancel = this.clock.after(TICK_MS, () => {
      this.look()
        .catch(error => this.parts.onError(error))
        .finally(() => {
          if (!this.isStopped) this.keep()
        })
    })
  }

  /** Looks no more; resolves when a change of the manifest under way has ended, well or not. */
  async stop(): Promise<void> {
    this.isStopped = true
    this.cancel()
    await this.changing.catch(() => {})
  }

  /** Looks at the clock now. @throws as Disk; the clock is then as known as before */
  async look(): Promise<void> {
    const stepUs = this.clock.takeStepUs()
    if (Math.abs(stepUs) > STEP_US) {
      this.steppedAhead ||= stepUs > 0
      if (this.verdict.isKnown) {
        this.steps++
        this.parts.onNews({ kind: 'stepped', byUs: stepUs })
        // From here a boot without a clock is to go on.
        this.changing = this.parts.manifest.commit({ notes: [this.moment()] })
        await this.changing
      }
    }
    if (this.verdict.isKnown) return
    const verdict = await this.judge()
    if (this.isStopped) return
    if (!verdict.isKnown) {
      this.verdict = verdict
      return
    }
    this.changing = this.correct(verdict)
    await this.changing
  }

  /** The newest moment as a note, to be saved now and then. */
  moment(isKnown = this.clock.isKnown, nowUs = this.clock.nowUs()): [key: string, value: Uint8Array] {
    const { kernel } = this.parts.source
    const leastUs = isKnown ? nowUs : this.clock.leastUs()
    return [MOMENT_NOTE, encodeMoment({ isKnown, nowUs, leastUs, uptimeMs: this.uptimeUs() / 1000, kernel })]
  }

  /** Boots whose samples bear times that were never corrected, the one under way included. */
  uncorrected(): UncorrectedBoot[] {
    const { series, manifest } = this.parts
    const found = new Map<number, UncorrectedBoot>()
    const add = (boot: number, samples: number, fromUs: number, toUs: number) => {
      const one = found.get(boot) ?? { boot, samples: 0, fromUs: Infinity, toUs: -Infinity }
      one.samples += samples
      one.fromUs = Math.min(one.fromUs, fromUs)
      one.toUs = Math.max(one.toUs, toUs)
      found.set(boot, one)
    }
    for (const one of manifest.segments.values()) {
      if (one.boot !== 0 && series.boots.deltaUs(one.boot) === null) {
        add(one.boot, one.samples, one.timeMinUs, one.timeMaxUs)
      }
    }
    for (const [boot, { samples, fromUs, toUs }] of series.bootRows()) add(boot, samples, fromUs, toUs)
    return [...found.values()].sort((a, b) => a.boot - b.boot)
  }

  private async judge(): Promise<Verdict> {
    const { clock, source, mode } = this.parts
    const { saved } = this
    const isSameBoot = saved?.isKnown === true && source.kernel !== '' && saved.kernel === source.kernel
    return judgeClock({
      source: mode(),
      sync: await source.ask(),
      wallUs: clock.wallUs(),
      pastUs: this.pastUs(),
      upMs: source.uptimeMs(),
      steppedAhead: this.steppedAhead,
      expectedUs: isSameBoot ? saved.nowUs + this.uptimeUs() - saved.uptimeMs * 1000 : null
    })
  }

  private async beProvisional(boots: Boots, live: readonly LiveSegment[], goesOn: boolean): Promise<void> {
    const { clock, series } = this.parts
    if (!goesOn) {
      const wallUs = isPlausible(clock.wallUs(), this.pastUs()) ? clock.wallUs() : 0
      const storedUs = Math.max(this.pastUs(), this.saved?.nowUs ?? 0, this.newestUs(live))
      const nowUs = Math.max(wallUs, storedUs + GAP_US)
      clock.assume(nowUs, this.pastUs())
      this.boot = boots.begin(
        Math.max(0, ...this.borne(live)),
        this.parts.source.kernel,
        nowUs - this.uptimeUs()
      )
    }
    await this.commit(boots)
    series.stampAs(this.boot)
    this.provisionalSinceUs = clock.nowUs()
    const { why } = this.verdict
    this.parts.onNews({ kind: 'unknown', why, boot: this.boot, nowUs: this.provisionalSinceUs })
  }

  /** Corrects the boot under way by what the wall shows. @throws as Disk */
  private async correct(verdict = this.verdict): Promise<void> {
    const { clock, series, progress, manifest } = this.parts
    let byUs: number
    let boots: Boots
    do {
      byUs = clock.lateByUs()
      boots = series.boots.copy()
      boots.correct(this.boot, byUs)
      boots.settle(clock.wallUs())
      this.markLate(byUs)
      const late: [string, Uint8Array] = [PROGRESS_NOTE, progress.encode()]
      const moment = this.moment(true, clock.wallUs())
      await manifest.commit({ notes: [[BOOTS_NOTE, boots.encode()], late, moment] })
      // Who sets a clock may do so in several steps.
    } while (Math.abs(clock.lateByUs() - byUs) > STEP_US)
    let samples = series.correct(boots)
    for (const info of manifest.segments.values()) if (info.boot === this.boot) samples += info.samples
    series.stampAs(0)
    clock.believe()
    clock.takeStepUs()
    this.noteBehind(series.live(manifest.segments.values()))
    this.verdict = verdict
    this.correction = { boot: this.boot, samples, byUs }
    this.boot = 0
    this.provisionalSinceUs = null
    this.parts.onMoved()
    this.parts.onNews({ kind: 'set', why: verdict.why, ...this.correction })
  }

  /** The wall may show what was stamped before; what a device's clock was ahead by is no such stamp. */
  private noteBehind(live: readonly LiveSegment[]): void {
    const { clock } = this.parts
    if (clock.wallUs() < (this.saved?.nowUs ?? 0)) clock.gaveOut(this.newestUs(live))
  }

  /** Windows that tiers are past may get samples by the correction. */
  private markLate(byUs: number): void {
    const { manifest, progress } = this.parts
    for (const info of manifest.segments.values()) {
      if (info.boot !== this.boot) continue
      const toUs = Math.min(info.timeMaxUs + byUs, progress.frontierUs - 1)
      progress.markLateSpan(info.timeMinUs + byUs, toUs)
    }
  }

  private async commit(boots: Boots): Promise<void> {
    await this.parts.manifest.commit({ notes: [[BOOTS_NOTE, boots.encode()], this.moment()] })
    this.parts.series.correct(boots)
  }

  /** Boots that segments or the WAL bear: also those that are corrected, since what is stored stays as it is. */
  private borne(live: readonly LiveSegment[]): Set<number> {
    const borne = new Set(this.parts.series.replayedBoots)
    for (const { boot } of live) if (boot !== 0) borne.add(boot)
    return borne
  }

  /** The newest moment that is certain to have been. */
  private pastUs(): number {
    return Math.max(MADE_US, this.saved?.leastUs ?? 0)
  }

  /** The newest sample as far as it can be the gateway's own, us. */
  private newestUs(live: readonly LiveSegment[]): number {
    const { series } = this.parts
    const pastUs = this.pastUs()
    const boundUs = this.saved === null ? Number.POSITIVE_INFINITY : this.saved.nowUs + HOUR_US
    const found = [series.headTimeMaxUs]
    for (const { class: name, timeMaxUs } of live) if (!isTierClass(name)) found.push(timeMaxUs)
    const possible = found.map(us => Math.min(us, boundUs)).filter(us => isPlausible(us, pastUs))
    return Math.max(pastUs, ...possible)
  }

  private uptimeUs(): number {
    return Math.floor(this.parts.source.uptimeMs()) * 1000
  }
}
