// The body of /v1/wear: read with every field checked, since a daemon of another version may answer. The
// medium and what is done for it may be absent; the ledger may not.
// Not here: what it means (wear-report.ts), who writes it (daemon/status.ts).
import { VarveError } from '../base/errors.ts'
import type { BytesByCause, WearControl, WearFlash, WearLedger } from './doors.ts'

type Fields = Record<string, unknown>

function refuse(what: string): VarveError {
  return new VarveError('VARVE_ANSWER', `Cannot read the wear ledger: ${what}`)
}

function isObject(found: unknown): found is Fields {
  return typeof found === 'object' && found !== null && !Array.isArray(found)
}

function number(found: unknown, name: string): number {
  if (typeof found !== 'number' || !Number.isFinite(found) || found < 0) throw refuse(`no number ${name}`)
  return found
}

function byCause(found: unknown): BytesByCause {
  if (!isObject(found)) throw refuse('no bytes by cause')
  return Object.fromEntries(Object.entries(found).map(([cause, bytes]) => [cause, number(bytes, cause)]))
}

function textOf(found: unknown): string | null {
  return typeof found === 'string' ? found : null
}

function numberOf(found: unknown): number | null {
  return typeof found === 'number' && Number.isFinite(found) && found >= 0 ? found : null
}

/** @throws {VarveError} VARVE_ANSWER when it is no body of /v1/wear */
export function parseLedger(value: unknown): WearLedger {
  if (!isObject(value) || !Array.isArray(value.days)) throw refuse('no days')
  return {
    sinceMs: number(value.since_ms, 'since_ms'),
    untilMs: number(value.until_ms, 'until_ms'),
    samples: number(value.samples, 'samples'),
    mediumBytes: number(value.medium_bytes, 'medium_bytes'),
    bytes: byCause(value.bytes),
    programmedBytes: number(value.programmed_bytes, 'programmed_bytes'),
    days: value.days.map((day: unknown) => {
      if (!isObject(day)) throw refuse('a day is not an object')
      return {
        dayMs: number(day.day_ms, 'day_ms'),
        bytes: byCause(day.bytes),
        programmedBytes: number(day.programmed_bytes, 'programmed_bytes')
      }
    }),
    flash: isObject(value.flash) ? flashOf(value.flash) : null,
    control: isObject(value.control) ? controlOf(value.control) : null
  }
}

function flashOf(found: Fields): WearFlash {
  const { life_used: used, notes } = found
  return {
    device: textOf(found.device),
    kind: textOf(found.kind),
    model: textOf(found.model),
    deviceBytes: numberOf(found.device_bytes),
    eraseBytes: numberOf(found.erase_bytes),
    spareBlocks: textOf(found.spare_blocks),
    fileSystem: textOf(found.file_system),
    lifeUsed: Array.isArray(used) ? [number(used[0], 'life_used'), number(used[1], 'life_used')] : null,
    notes: Array.isArray(notes) ? notes.filter(note => typeof note === 'string') : []
  }
}

function controlOf(found: Fields): WearControl {
  return {
    state: textOf(found.state) ?? '',
    why: textOf(found.why) ?? '',
    allowedBytesPerDay: number(found.allowed_bytes_per_day, 'allowed_bytes_per_day'),
    waitMs: number(found.wait_ms, 'wait_ms'),
    earlyBytesPerDay: number(found.early_bytes_per_day, 'early_bytes_per_day'),
    flushBytes: number(found.flush_bytes, 'flush_bytes'),
    merges: found.merges === true,
    rollups: found.rollups === true
  }
}

/** The form that parseLedger() reads. */
export function ledgerBody({ flash, control, ...ledger }: WearLedger): object {
  const body = {
    since_ms: ledger.sinceMs,
    until_ms: ledger.untilMs,
    samples: ledger.samples,
    medium_bytes: ledger.mediumBytes,
    bytes: ledger.bytes,
    programmed_bytes: ledger.programmedBytes,
    days: ledger.days.map(({ dayMs, bytes, programmedBytes }) => ({
      day_ms: dayMs,
      bytes,
      programmed_bytes: programmedBytes
    }))
  }
  return {
    ...body,
    ...(flash === null ? {} : { flash: flashBody(flash) }),
    ...(control === null ? {} : { control: controlBody(control) })
  }
}

function flashBody({ fileSystem, lifeUsed, deviceBytes, eraseBytes, spareBlocks, ...device }: WearFlash) {
  return {
    ...device,
    file_system: fileSystem,
    device_bytes: deviceBytes,
    erase_bytes: eraseBytes,
    life_used: lifeUsed,
    spare_blocks: spareBlocks
  }
}

function controlBody({ allowedBytesPerDay, waitMs, earlyBytesPerDay, flushBytes, ...rest }: WearControl) {
  return {
    ...rest,
    allowed_bytes_per_day: allowedBytesPerDay,
    wait_ms: waitMs,
    early_bytes_per_day: earlyBytesPerDay,
    flush_bytes: flushBytes
  }
}
