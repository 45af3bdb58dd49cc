// The crash matrix as tasks that any process can do: the cuts of a life, the faults of a seed, the flips of a
// store; and what they found, added up in rows of a table.
import { CUTS_OF_A_LIFE, cutLife } from './cut-matrix.ts'
import { FAULTS_OF_A_SEED, type FaultKind, failLife, OPERATIONS_MAX } from './fault-matrix.ts'
import { FLIPS_OF_A_STORE, flipStore } from './flip-matrix.ts'
import type { Fate } from './medium.ts'
import { DISK_PLANTS, MUTE_PLANTS, type PlantName } from './plants.ts'
import type { Verdict } from './verdict.ts'

export const PARTS = ['cuts', 'faults', 'flips', 'sectors'] as const
export type Part = (typeof PARTS)[number]

export interface Task {
  readonly part: Part
  /** The life, seed or store. */
  readonly seed: number
  /** Stops after so many. */
  readonly limit: number
  /** Tries one of so many cuts or faults, evenly spread. */
  readonly every?: number
  /** Does the one of this number alone. */
  readonly only?: number
  readonly plant?: PlantName
}

/** One row of the table. */
export interface Row {
  tried: number
  samples: number
  entries: number
  lost: number
  invented: number
  /** Otherwise wrong: order, versions, rollups, damage told where there is none, what does not work again. */
  wrong: number
  /** The fault or damage was told, by file and place. */
  named: number
  /** Nothing was told, and nothing is missing. */
  harmless: number
  /** Nothing was told and something is missing, as after a torn tail. */
  tornTail: number
  /** Tries in which an earlier write of a place showed in the place of a damaged one. */
  older: number
  /** Failures as text, with the number that replays each. */
  readonly failures: string[]
}

export type Rows = Record<string, Row>

const FAILURES_MAX = 5

const FATE_ROWS: Readonly<Record<Fate, string>> = {
  lost: 'cut: unsynced writes and names lost',
  torn: 'cut: torn between sectors of 512 bytes',
  reordered: 'cut: unsynced writes and names in any order',
  mixed: 'cut: any of these, torn at any byte',
  killed: 'process killed, power stays'
}
const FAULT_ROWS: Readonly<Record<FaultKind, string>> = {
  readAt: 'EIO on a read',
  writeAt: 'EIO on a write',
  shortWriteAt: 'EIO after a short write',
  syncAt: 'EIO on a sync',
  nameAt: 'EIO on create, rename, remove, sync of a directory',
  fullFrom: 'ENOSPC from a write on, space later'
}

/** The part and the seed that a number belongs to. */
export function seedOf(part: Part, number: number): number {
  if (part === 'cuts') return Math.floor(number / CUTS_OF_A_LIFE)
  if (part === 'faults') return Math.floor(number / OPERATIONS_MAX / FAULTS_OF_A_SEED)
  return Math.floor(number / FLIPS_OF_A_STORE)
}

/** Does a task; calls back after each try with the rows so far, and stops when told to by false. */
export async function runTask(task: Task, onTry: (rows: Rows) => boolean = () => true): Promise<Rows> {
  const rows: Rows = {}
  let left = task.limit
  for await (const { row, number, verdict, outcome, older } of tries(task)) {
    count((rows[row] ??= emptyRow()), number, verdict, outcome, older)
    if (--left <= 0 || !onTry(rows)) break
  }
  return rows
}

interface Try {
  readonly row: string
  readonly number: number
  readonly verdict: Verdict
  readonly outcome: 'named' | 'harmless' | 'tornTail' | null
  readonly older: boolean
}

async function* tries({ part, seed, limit, every, only, plant }: Task): AsyncGenerator<Try> {
  const which = only === undefined ? { every: every ?? 1 } : { only }
  const disk = plant === undefined ? undefined : DISK_PLANTS[plant]
  if (part === 'cuts') {
    for await (const { fate, number, verdict } of cutLife(seed, { ...which, ...(disk && { plant: disk }) })) {
      yield { row: FATE_ROWS[fate], number, verdict, outcome: null, older: false }
    }
  } else if (part === 'faults') {
    for await (const { kind, number, verdict, outcome } of failLife(seed, which)) {
      const isQuiet = outcome === 'absorbed' || outcome === 'not struck'
      yield { row: FAULT_ROWS[kind], number, verdict, outcome: isQuiet ? 'harmless' : 'named', older: false }
    }
  } else {
    const isMute = plant === undefined ? undefined : MUTE_PLANTS[plant]
    const count = Math.min(limit, FLIPS_OF_A_STORE)
    const options = { ...which, count, sectors: part === 'sectors', ...(isMute && { isMute }) }
    for await (const { region, number, verdict, outcome, older } of flipStore(seed, options)) {
      const row = `${part === 'flips' ? 'bit flip' : 'sector changed'}: ${region.kind}`
      const counted = outcome === 'like a torn tail' ? 'tornTail' : outcome === 'wrong' ? null : outcome
      yield { row, number, verdict, outcome: counted, older: older > 0 }
    }
  }
}

export function emptyRow(): Row {
  return {
    ...{ tried: 0, samples: 0, entries: 0, lost: 0, invented: 0, wrong: 0 },
    ...{ named: 0, harmless: 0, tornTail: 0, older: 0, failures: [] }
  }
}

/** Adds the rows of a task to those of others. */
export function addRows(into: Rows, rows: Rows): void {
  for (const [name, row] of Object.entries(rows)) {
    const sum = (into[name] ??= emptyRow())
    for (const [key, value] of Object.entries(row) as [keyof Row, Row[keyof Row]][]) {
      if (key !== 'failures') sum[key] += value as number
    }
    sum.failures.push(...row.failures.slice(0, FAILURES_MAX - sum.failures.length))
  }
}

function count(row: Row, number: number, verdict: Verdict, outcome: Try['outcome'], older: boolean): void {
  row.tried++
  row.samples += verdict.samples
  row.entries += verdict.entries
  row.lost += verdict.lost
  row.invented += verdict.invented
  row.wrong += verdict.other
  if (outcome !== null) row[outcome]++
  if (older) row.older++
  if (verdict.wrongs.length > 0 && row.failures.length < FAILURES_MAX)
    row.failures.push(`VARVE_SEED=${number} ${verdict.wrongs.join('; ')}`)
}

/** All failures of some rows. */
export function failuresOf(rows: Rows): string[] {
  return Object.values(rows).flatMap(row => row.failures)
}
