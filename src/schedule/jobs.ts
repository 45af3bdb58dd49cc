// Named jobs that run when their cron expressions say so: retention, merging, rollups.
//
// Invariants: a job never overlaps itself (single flight): what comes due while it runs is run once more
// when it ends, not once per missed time; after downtime, or a job that outlasts its times, one run catches
// up, because jobs bring a state up to date and so need no run per missed time; a job that throws is
// reported and runs again at its next time. Wall time decides when a job is due, but no sleep is longer
// than waitMaxMs, so that a clock that steps (a Pi finding the network) is noticed within it; a clock that
// steps back never makes a job wait longer than its own rhythm from then on.
// Not here: the language of expressions (cron.ts), what a job does (its owner).
import type { Clock } from '../base/clock.ts'
import { reason, VarveError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import { Cron, type CronZone } from './cron.ts'

/** Keeps the last start of each job over restarts; the values are small and few. */
export interface JobStore {
  /** Ms since the epoch of the last start of a job, undefined when it never ran. */
  lastStart(name: string): number | undefined
  /** Told at each end of a run that did not fail; may be lazy: a lost note costs one more catch-up run. */
  started(name: string, atMs: number): void
}

export interface JobFacts {
  /** Unique, such as "retention"; the key in the store. */
  readonly name: string
  readonly cron: string
  /** Does the work; the signal is aborted when the daemon stops. What it returns is shown in the status. */
  readonly run: (signal: AbortSignal) => Promise<JobResult>
}

/** What a run did, for the status: "3 segments dropped" and its numbers. */
export type JobResult = Readonly<Record<string, number | string>> | undefined

/** A job as /v1/status shows it. Times in ms since the epoch. */
export interface JobStatus {
  readonly name: string
  readonly cron: string
  readonly running: boolean
  /** Null: never comes again. */
  readonly nextMs: number | null
  readonly lastStartMs: number | null
  readonly lastTookMs: number | null
  readonly lastResult: JobResult | null
  /** The reason when the last run failed. */
  readonly lastError: string | null
  readonly runs: number
  readonly failures: number
}

export interface JobsOptions {
  readonly clock: Clock
  readonly random: Random
  readonly zone: CronZone
  /** Each start is delayed by chance up to this. */
  readonly jitterMaxMs: number
  readonly store: JobStore
  /** Told of every failed run. */
  readonly onFailure: (name: string, error: unknown) => void
}

/** The longest sleep: how late a step of the wall clock may be noticed. */
const waitMaxMs = 30_000

/** The jobs of a daemon. add() all, then start(). */
export class Jobs {
  private readonly options: JobsOptions
  private readonly jobs = new Map<string, Job>()
  private readonly abort = new AbortController()
  private started = false

  constructor(options: JobsOptions) {
    this.options = options
  }

  /** @throws {VarveError} VARVE_CRON for a bad expression, VARVE_JOB for a name given twice */
  add(facts: JobFacts): void {
    if (this.jobs.has(facts.name)) {
      throw new VarveError('VARVE_JOB', `Cannot add job ${facts.name}: there is one of that name`)
    }
    const job = new Job(facts, this.options, this.abort.signal)
    this.jobs.set(facts.name, job)
    if (this.started) job.arm()
  }

  /** Arms every job; what came due while the daemon was down starts after its jitter. */
  start(): void {
    this.started = true
    for (const job of this.jobs.values()) job.arm()
  }

  /**
   * Runs a job now, or joins the run that is under way. Resolves when it ended, failed or not.
   * @throws {VarveError} VARVE_JOB when there is none of that name
   */
  async runNow(name: string): Promise<JobStatus> {
    const job = this.jobs.get(name)
    if (job === undefined) throw new VarveError('VARVE_JOB', `Cannot run job ${name}: there is none`)
    await job.runOnce()
    return job.status()
  }

  status(): JobStatus[] {
    return [...this.jobs.values()].map(job => job.status())
  }

  /** No further starts; asks running jobs to end and resolves when they have. */
  async stop(): Promise<void> {
    this.abort.abort(new VarveError('VARVE_STOPPING', 'Cannot go on: the daemon is stopping'))
    await Promise.all([...this.jobs.values()].map(job => job.stop()))
  }
}

class Job {
  private readonly facts: JobFacts
  private readonly options: JobsOptions
  private readonly signal: AbortSignal
  private readonly cron: Cron
  private cancelWait: (() => void) | null = null
  private underWay: Promise<void> | null = null
  /** When it is due, jitter included; null: never again, or not armed. */
  private dueMs: number | null = null
  /** Since when it has been armed for dueMs: a wall clock earlier than this has stepped back. */
  private armedAtMs = 0
  private last: Pick<JobStatus, 'lastStartMs' | 'lastTookMs' | 'lastResult' | 'lastError'>
  private runs = 0
  private failures = 0

  constructor(facts: JobFacts, options: JobsOptions, signal: AbortSignal) {
    this.facts = facts
    this.options = options
    this.signal = signal
    this.cron = new Cron(facts.cron, options.zone)
    const lastStartMs = options.store.lastStart(facts.name) ?? null
    this.last = { lastStartMs, lastTookMs: null, lastResult: null, lastError: null }
  }

  private nowMs(): number {
    return Math.floor(this.options.clock.nowUs() / 1000)
  }

  /** Works out when the job is due next, from its last start or, after a clock stepped back, from now. */
  arm(): void {
    if (this.signal.aborted) return
    const now = this.nowMs()
    const from = this.last.lastStartMs === null ? now : Math.min(this.last.lastStartMs, now)
    const next = this.cron.next(from)
    const jitter = Math.floor(this.options.random.unit() * this.options.jitterMaxMs)
    this.armedAtMs = now
    this.dueMs = next === null ? null : Math.max(next, now) + jitter
    this.wait()
  }

  private wait(): void {
    this.cancelWait?.()
    this.cancelWait = null
    if (this.dueMs === null || this.signal.aborted) return
    const left = Math.max(0, this.dueMs - this.nowMs())
    this.cancelWait = this.options.clock.after(Math.min(left, waitMaxMs), () => this.wake())
  }

  private wake(): void {
    this.cancelWait = null
    const now = this.nowMs()
    if (now < this.armedAtMs) this.arm()
    else if (this.dueMs !== null && now >= this.dueMs) void this.runOnce()
    else this.wait()
  }

  /** Runs, or joins the run under way; never rejects. */
  runOnce(): Promise<void> {
    if (this.underWay === null) {
      this.underWay = this.run().finally(() => {
        this.underWay = null
        this.arm()
      })
    }
    return this.underWay
  }

  private async run(): Promise<void> {
    const { clock, store, onFailure } = this.options
    const startMs = this.nowMs()
    const startedAt = clock.monotonicMs()
    this.runs++
    let lastResult: JobResult | null = null
    let lastError: string | null = null
    try {
      lastResult = (await this.facts.run(this.signal)) ?? null
      store.started(this.facts.name, startMs)
    } catch (error) {
      lastError = reason(error)
      if (!this.signal.aborted) {
        this.failures++
        onFailure(this.facts.name, error)
      }
    }
    const lastTookMs = Math.round(clock.monotonicMs() - startedAt)
    this.last = { lastStartMs: startMs, lastTookMs, lastResult, lastError }
  }

  status(): JobStatus {
    return {
      name: this.facts.name,
      cron: this.facts.cron,
      running: this.underWay !== null,
      nextMs: this.dueMs,
      ...this.last,
      runs: this.runs,
      failures: this.failures
    }
  }

  async stop(): Promise<void> {
    this.cancelWait?.()
    this.cancelWait = null
    this.dueMs = null
    await this.underWay
  }
}
