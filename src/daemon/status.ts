// What the daemon says of itself: health for probes, the status for people and scripts, the wear ledger.
// Reads plain numbers of the layers and shapes them; names in snake_case with their unit last.

import { type FlashFacts, isWornOut } from '../disk/flash-probe.ts'
import type { Health } from '../http/routes-admin.ts'
import { isTierClass } from '../rollup/tier.ts'
import type { JobStatus } from '../schedule/jobs.ts'
import type { FlushReport } from '../series/flush-cycle.ts'
import { clockBody, clockHealth } from './clock-report.ts'
import { memoryParts } from './memory-account.ts'
import type { Parts } from './parts.ts'
import type { WearFacts } from './wear-ledger.ts'
import type { WearSteer } from './wear-steer.ts'

export function healthOf({ storage, guard, damage, steer, keeper }: Parts): Health {
  const { failure } = storage.engine.wal
  const parts = {
    store: failure === null ? 'ok' : `refuses writes: ${failure.message}`,
    medium: mediumHealth(guard),
    memory: memoryHealth(storage.series.refusalCode),
    wal: storage.engine.wal.full ? 'full: waiting for a flush' : 'ok',
    wear: wearHealth(steer),
    clock: clockHealth(keeper),
    damage: damage.length === 0 ? 'ok' : `${damage.length} damaged places, see /v1/status`
  }
  const isSound = failure === null && !guard.isFull
  const wrong = Object.entries(parts).filter(([, state]) => state !== 'ok')
  const message =
    wrong.length === 0
      ? 'ready for reads and writes'
      : wrong.map(([name, state]) => `${name} ${state}`).join('; ')
  return { isSound, message, parts }
}

function mediumHealth({ isFull, isLow }: Parts['guard']): string {
  if (isFull) return 'full: rows are refused'
  return isLow ? 'nearly full: the oldest buckets are dropped' : 'ok'
}

function memoryHealth(refusalCode: string | null): string {
  return refusalCode === 'VARVE_MEMORY' ? 'full: rows are refused until a flush has ended' : 'ok'
}

function wearHealth({ plan, flash }: WearSteer): string {
  const worn = flash.device !== null && isWornOut(flash.device) ? flash.notes : []
  const over = plan.state === 'over' ? [`over the budget: ${plan.why}`] : []
  return [...worn, ...over].join(' ') || 'ok'
}

export function statusOf(parts: Parts): object {
  const { storage, clock, startedMs, version, workers, jobs, loop } = parts
  const { engine, series, kv, progress } = storage
  const segments = [...engine.manifest.segments.values()]
  const raw = segments.filter(one => one.family === series.kind && !isTierClass(one.class))
  const { groups, walBytes, lastSyncMs, syncMsMax, pendingBytes, walFilesPinned, walFiles } = engine.stats
  return {
    version,
    pid: process.pid,
    uptime_seconds: Math.floor((clock.monotonicMs() - startedMs) / 1000),
    clock: clockBody(parts.keeper),
    store: {
      series: series.catalog.seriesCount,
      groups: series.catalog.groupCount,
      samples_stored: raw.reduce((sum, one) => sum + one.samples, 0),
      samples_in_memory: series.headSamples,
      memory_bytes: series.headBytes,
      segments: segments.length,
      segment_bytes: segments.reduce((sum, one) => sum + one.bytes, 0),
      entries: kv.statistics()
    },
    wal: {
      groups_synced: groups,
      bytes: walBytes,
      pending_bytes: pendingBytes,
      files: walFiles,
      files_pinned: walFilesPinned,
      last_sync_ms: lastSyncMs,
      sync_ms_max: syncMsMax
    },
    queries_open: workers.queriesOpen,
    memory: memoryBody(parts),
    event_loop: { delay_ms_p99: loop.p99Ms(), delay_ms_max: loop.maxMs() },
    jobs: jobs.status().map(jobBody),
    rollups: [...progress.done].map(([name, { doneUs }]) => ({
      tier: name,
      done_to: new Date(doneUs / 1000).toISOString(),
      late_hours: progress.dirty.size
    })),
    damage: parts.damage
  }
}

/** Memory of the process in bytes; `heap` and `array_buffers` are the main thread's alone. */
function memoryBody(parts: Parts): object {
  const { rss, heapTotal, heapUsed, external, arrayBuffers } = process.memoryUsage()
  return {
    max_bytes: parts.memoryMax,
    parts: Object.fromEntries(memoryParts(parts).map(({ name, bytes }) => [name, bytes])),
    resident_bytes: rss,
    heap_bytes: heapTotal,
    heap_used_bytes: heapUsed,
    external_bytes: external,
    array_buffer_bytes: arrayBuffers
  }
}

/** A job as the status shows it. */
export function jobBody(job: JobStatus): object {
  return {
    name: job.name,
    cron: job.cron,
    running: job.running,
    next: isoTime(job.nextMs),
    last_start: isoTime(job.lastStartMs),
    last_took_ms: job.lastTookMs,
    last_result: job.lastResult,
    last_error: job.lastError,
    runs: job.runs,
    failures: job.failures
  }
}

/** What a flush wrote; nothing was in memory where it is null. */
export function flushBody(report: FlushReport | null): object {
  const segments = report?.segments ?? []
  return {
    samples: report?.samples ?? 0,
    segments: segments.length,
    bytes: segments.reduce((sum, one) => sum + one.bytes, 0)
  }
}

function isoTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}

/** The ledger, the medium and what is done for it, as /v1/wear gives it. */
export function wearBody({ steer, ledger }: Parts): object {
  steer.refresh()
  const { plan, flash, mediumBytes } = steer
  return {
    ...ledgerBody(ledger.facts(), mediumBytes),
    flash: flashBody(flash),
    control: {
      state: plan.state,
      why: plan.why,
      allowed_bytes_per_day: Math.round(plan.allowedBytesPerS * 86_400),
      wait_ms: Math.round(plan.delayMs),
      early_bytes_per_day: Math.round(plan.eagerBytesPerS * 86_400),
      flush_bytes: plan.flushBytes,
      merges: plan.mayMerge,
      rollups: plan.mayRollup
    }
  }
}

/** What is known of the medium. */
function flashBody({ fileSystem, device, notes }: FlashFacts): object {
  if (device === null) return { file_system: fileSystem, device: null, notes }
  return {
    file_system: fileSystem,
    device: device.name,
    kind: device.kind,
    model: device.model,
    device_bytes: device.bytes,
    erase_bytes: device.eraseBytes,
    life_used: device.lifeUsed,
    spare_blocks: device.spareBlocks,
    notes
  }
}

function ledgerBody(facts: WearFacts, mediumBytes: number): object {
  return {
    since_ms: facts.sinceMs,
    until_ms: facts.untilMs,
    samples: facts.samples,
    medium_bytes: mediumBytes,
    bytes: facts.bytes,
    programmed_bytes: facts.programmedBytes,
    days: facts.days.map(({ dayMs, bytes, programmedBytes }) => ({
      day_ms: dayMs,
      bytes,
      programmed_bytes: programmedBytes
    }))
  }
}
