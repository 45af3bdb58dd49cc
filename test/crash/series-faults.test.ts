// A medium that fails and a medium that is full: never an acknowledgement for what is not durable, rows stay
// readable, a flush that failed succeeds when it is tried again, a WAL that failed refuses every write.
import t from 'tap'
import { VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { CrashDisk } from '../kit/crash-disk.ts'
import { FaultDisk, type Faults } from '../kit/fault-disk.ts'
import { seeds } from '../kit/seeds.ts'
import { readAll } from '../kit/sent-rows.ts'
import { liveSeries, nothingYet, SeriesLife } from '../kit/series-life.ts'

const PATHS = ['wal/', 'segments/', 'CATALOG', 'MANIFEST']

function anyFaults(random: Random): Faults {
  const n = 1 + random.below(random.pick([3, 12, 40]))
  const kind = random.pick(['writeAt', 'syncAt', 'shortWriteAt', 'fullFrom'] as const)
  return { [kind]: n, ...(random.chance(0.8) && { path: random.pick(PATHS) }) }
}

/** Does something and notes what the world made of it; our own bugs pass through. */
async function tried(work: () => Promise<unknown>): Promise<VarveError | null> {
  try {
    await work()
    return null
  } catch (error) {
    if (!(error instanceof VarveError)) throw error
    return error
  }
}

/** A few turns of the event loop: what is due gets done, without waiting for what may never be. */
async function breathe(): Promise<void> {
  for (let i = 0; i < 12; i++) await new Promise(resolve => setImmediate(resolve))
}

async function step(life: SeriesLife, random: Random): Promise<void> {
  const { maintenance } = life.store
  const what = random.below(10)
  if (what < 6) await tried(() => life.append(1 + random.below(20), false))
  else if (what < 8) tried(() => life.flush())
  else if (what < 9) tried(() => maintenance.merge(new AbortController().signal))
  else tried(() => life.rollup())
  await breathe()
}

/** What a reader sees that differs from all that was taken, as sentences. */
function unread(life: SeriesLife): string[] {
  const { series } = life.store.storage
  const found = life.store.read(reader => readAll(reader, series.catalog.groups.length))
  const { latest } = life.facts.sent
  return [...latest]
    .filter(([place, value]) => found.get(place) !== value)
    .map(([place]) => `${place} is not read`)
}

async function oneSeed(seed: number): Promise<string[]> {
  const random = new Random(seed)
  const facts = nothingYet()
  const medium = new CrashDisk(random)
  const disk = new FaultDisk(medium)
  const life = await SeriesLife.open(disk, random, facts)
  disk.faults = anyFaults(random)
  for (let turn = 0; turn < 25; turn++) await step(life, random)
  const wrongs = unread(life)
  const { wal } = life.store.storage.engine
  const { path = 'any', ...fault } = disk.faults
  disk.faults = {}
  if (wal.failure === null) {
    life.clock.advance(2000)
    await breathe()
    const error = await tried(() => life.flush())
    if (error !== null) wrongs.push(`the flush fails again: ${error.message}`)
    wrongs.push(...unread(life))
    const appended = await tried(() => life.append(5, true))
    if (appended !== null) wrongs.push(`refuses rows: ${appended.message}`)
  } else {
    const appended = await tried(() => life.append(1, true))
    if (appended === null) wrongs.push('a WAL that failed takes rows')
    if ((await tried(() => wal.synced(wal.pendingGroup))) === null)
      wrongs.push('a WAL that failed acknowledges')
  }
  await breathe()
  const again = { disk: medium.afterCut(), random, facts, turns: 5, closes: true }
  wrongs.push(...(await liveSeries(again)))
  return wrongs.slice(0, 3).map(wrong => `${JSON.stringify(fault)} on ${path}: ${wrong}`)
}

t.test('SeriesStore on a failing or full medium acknowledges nothing that is not durable', async t => {
  let media = 0
  for (const seed of seeds(100)) {
    const wrongs = await oneSeed(seed).catch(error => [String(error.stack)])
    if (wrongs.length > 0) t.fail(`VARVE_SEED=${seed} ${wrongs.join('; ')}`)
    media++
  }
  t.ok(media > 0, `${media} media failed`)
})
