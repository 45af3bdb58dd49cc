// A medium that fails, and a medium that is full, at every operation of a life. A sound store is made first; for
// each fault it is opened, worked on until the fault strikes at its n-th operation, and worked on further. Then:
// no wrong value is read; the error names the file (and the byte, where one was read or written); a WAL that
// failed refuses every write and acknowledges nothing; anything else succeeds when it is tried again; and what
// is found after a restart, or a cut, holds all that was acknowledged and works on.
import { reason, VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { CrashDisk } from './crash-disk.ts'
import { FaultDisk, type Faults } from './fault-disk.ts'
import type { Medium } from './medium.ts'
import { copyFacts, nothingYet, type SeriesFacts, SeriesLife } from './series-life.ts'
import { Verdict } from './verdict.ts'

/** Kinds of faults, and the count of FaultDisk that says how often each can strike. */
const KINDS = {
  readAt: 'reads',
  writeAt: 'writes',
  shortWriteAt: 'writes',
  syncAt: 'syncs',
  nameAt: 'names',
  fullFrom: 'grows'
} as const
export type FaultKind = keyof typeof KINDS
export const FAULT_KINDS = Object.keys(KINDS) as FaultKind[]

const TURNS = 14
/** So many places of each kind of a life are tried, evenly spread. */
const PLACES_MAX = 60
/** Turns for which a full medium stays full. */
const FULL_TURNS = 5
/** A fault that many operations after the last one of a faultless life never strikes. */
const NEVER = 1e9

const COUNTS = ['reads', 'writes', 'syncs', 'names', 'grows'] as const
/** Operations of a life while faults may strike. */
type Counts = Record<(typeof COUNTS)[number], number>

/** What a fault led to. */
export type Outcome = 'not struck' | 'refused to open' | 'poisoned' | 'told' | 'absorbed'

/** Faults have a number: (seed * FAULTS_OF_A_SEED + kind) * OPERATIONS_MAX + operation. */
export const FAULTS_OF_A_SEED = 10
export const OPERATIONS_MAX = 10_000

export interface Fault {
  readonly number: number
  readonly kind: FaultKind
  readonly outcome: Outcome
  readonly verdict: Verdict
}

export interface FaultOptions {
  /** Tries one of so many, evenly spread over the life. */
  readonly every?: number
  /** Tries the fault of this number alone. */
  readonly only?: number
}

interface Sound {
  readonly medium: Medium
  readonly facts: SeriesFacts
}

/** Tries the faults of one seed, in order. */
export async function* failLife(seed: number, { every = 1, only }: FaultOptions = {}): AsyncGenerator<Fault> {
  const made = new Verdict()
  const sound = await makeSound(seed, made)
  if (made.wrongs.length > 0) {
    const number = seed * FAULTS_OF_A_SEED * OPERATIONS_MAX
    yield { number, kind: FAULT_KINDS[0]!, outcome: 'not struck', verdict: made }
    return
  }
  const { counts } = await oneFault(sound, seed, 'readAt', NEVER)
  for (const kind of FAULT_KINDS) {
    const count = counts[KINDS[kind]]
    const places = Math.min(count, Math.ceil(PLACES_MAX / every))
    for (let i = 0; i < places; i++) {
      const nth = 1 + Math.floor((i * count) / places)
      const number = (seed * FAULTS_OF_A_SEED + FAULT_KINDS.indexOf(kind)) * OPERATIONS_MAX + nth
      if (only !== undefined && only !== number) continue
      const { outcome, verdict } = await oneFault(sound, seed, kind, nth)
      yield { number, kind, outcome, verdict }
    }
  }
}

/** A store that was killed; what it took and had not written is forgotten by the facts, too. */
async function makeSound(seed: number, verdict: Verdict): Promise<Sound> {
  const random = new Random(seed)
  const facts = nothingYet()
  const disk = new CrashDisk(random)
  const life = await SeriesLife.open(disk, random, facts)
  await life.work(30)
  if (random.chance(0.5)) await life.store.close()
  const { medium } = disk.afterKill()
  const found = copyFacts(facts)
  const looked = new CrashDisk(new Random(seed), Infinity, medium.copy())
  const again = await SeriesLife.open(looked, looked.random, found)
  again.judge(verdict)
  looked.kill()
  return { medium, facts: found }
}

async function oneFault(sound: Sound, seed: number, kind: FaultKind, nth: number) {
  const random = new Random(seed)
  const medium = new CrashDisk(random, Infinity, sound.medium.copy())
  const disk = new FaultDisk(medium, path => medium.failSync(path))
  disk.faults = { [kind]: nth } satisfies Faults
  const facts = copyFacts(sound.facts)
  const verdict = new Verdict()
  const counts: Counts = { reads: 0, writes: 0, syncs: 0, names: 0, grows: 0 }
  let outcome: Outcome
  try {
    outcome = await liveWithFault(disk, random, facts, verdict, counts)
  } catch (error) {
    outcome = 'absorbed'
    verdict.wrong(`ended by ${error instanceof Error ? error.stack : reason(error)}`)
  }
  disk.faults = {}
  const again = medium.afterCut(Infinity, random.pick(['killed', 'killed', 'lost', 'mixed']))
  await restart(again, random, facts, verdict)
  return { outcome, verdict, counts }
}

async function liveWithFault(
  disk: FaultDisk,
  random: Random,
  facts: SeriesFacts,
  verdict: Verdict,
  counts: Counts
): Promise<Outcome> {
  const told: unknown[] = []
  let life: SeriesLife
  try {
    life = await SeriesLife.open(disk, random, facts)
  } catch (error) {
    if (disk.struck.length === 0) throw error
    if (!isNamed([error], disk.struck[0]!))
      verdict.wrong(`${disk.struck[0]!.message}, told is ${reason(error)}`)
    return 'refused to open'
  }
  for (let turn = 0, left = FULL_TURNS; turn < TURNS; turn++) {
    await tried(() => life.turn(), told)
    if (turn % 5 === 0) await tried(async () => life.judgeTaken(verdict), told)
    if (disk.faults.fullFrom && disk.struck.length > 0 && --left === 0) disk.faults = {}
  }
  disk.faults = {}
  for (const of of COUNTS) counts[of] = disk[of]
  const { wal } = life.store.storage.engine
  await checkGoingOn(life, verdict)
  told.push(...life.troubles, ...life.store.damage, ...(wal.failure === null ? [] : [wal.failure]))
  const struck = disk.struck[0]
  if (struck === undefined) return 'not struck'
  if (wal.failure !== null) return isNamed(told, struck) ? 'poisoned' : silent('poisoned', struck, verdict)
  return isNamed(told, struck) ? 'told' : 'absorbed'
}

function silent(outcome: Outcome, struck: VarveError, verdict: Verdict): Outcome {
  verdict.wrong(`${struck.message} was told to nobody`)
  return outcome
}

/** A WAL that failed refuses everything; all else works again once the fault is over. */
async function checkGoingOn(life: SeriesLife, verdict: Verdict): Promise<void> {
  const { wal } = life.store.storage.engine
  await breathe()
  life.clock.advance(2000)
  await breathe()
  if (wal.failure !== null) {
    const before = life.facts.sent.count
    for (const write of [() => life.append(1, true), () => life.entries.write()]) {
      const refusal = await tried(write, [])
      if (refusal?.code !== 'VARVE_STORE_FAILED')
        verdict.wrong(`a WAL that failed answers ${refusal?.message}`)
    }
    if ((await tried(() => wal.synced(wal.pendingGroup), [])) === null)
      verdict.wrong('a WAL that failed acknowledges')
    if (life.facts.sent.count > before) verdict.wrong('a WAL that failed takes rows')
  } else {
    for (const [what, work] of [
      ['flush of rows', () => life.flush()],
      ['flush of entries', () => life.entries.flush()],
      ['append', () => life.append(5, true)],
      ['entry', () => life.entries.write()],
      ['close', () => life.store.close()]
    ] as const) {
      if (what === 'close') life.judgeTaken(verdict)
      const error = await tried(work, [])
      if (error !== null) verdict.wrong(`${what} fails when the fault is over: ${error.message}`)
    }
    return
  }
  life.judgeTaken(verdict)
}

/** Opens what is there, judges, works, and opens again after a cut. */
async function restart(disk: CrashDisk, random: Random, facts: SeriesFacts, verdict: Verdict): Promise<void> {
  try {
    const life = await SeriesLife.open(disk, random, facts)
    life.judge(verdict)
    if (verdict.wrongs.length > 0) return
    await within(life.work(3), 'work')
    const found = disk.afterCut(Infinity, random.pick(['lost', 'killed', 'mixed']))
    const again = await SeriesLife.open(found, random, facts)
    again.judge(verdict)
    found.kill()
  } catch (error) {
    verdict.wrong(`does not open or work again: ${error instanceof Error ? error.stack : reason(error)}`)
  }
}

/** Does something, as far as it gets in some turns of the event loop; notes what the world made of it. */
async function tried(work: () => Promise<unknown>, told: unknown[]): Promise<VarveError | null> {
  let found: VarveError | null = null
  let bug: unknown = null
  const done = (async () => work())().catch(error => {
    if (error instanceof VarveError) found = error
    else bug = error
    told.push(error)
  })
  await Promise.race([done, breathe()])
  if (bug !== null) throw bug
  return found
}

/** Waits for what has to come to an end; who waited for it in vain would wait for ever. */
async function within(work: Promise<void>, what: string): Promise<void> {
  let isOver = false
  const done = work.finally(() => {
    isOver = true
  })
  for (let breaths = 0; breaths < 10 && !isOver; breaths++) await Promise.race([done, breathe()])
  if (!isOver) throw new Error(`${what} does not come to an end`)
}

/** Turns of the event loop in which everything that can happen happens: nothing here waits for a real medium. */
async function breathe(): Promise<void> {
  for (let i = 0; i < 40; i++) await new Promise(setImmediate)
}

/** Whether one of the errors says what struck: the file and the byte. */
function isNamed(told: readonly unknown[], struck: VarveError): boolean {
  const what = struck.message.slice(struck.message.indexOf(' ', 7) + 1, struck.message.lastIndexOf(':'))
  return told.some(error => {
    for (let at: unknown = error; at instanceof Error; at = at.cause) {
      if (at === struck || at.message.includes(what)) return true
    }
    return false
  })
}
