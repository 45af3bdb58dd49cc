// Cuts of power at every write of whole lives. A life is lived once, on a disk that is watched: at each of its
// writes, syncs and changes of names the medium is kept, with what was sent and acknowledged by then. Each kept
// moment is then judged under some of the fates that a cut may have: opened anew, read whole, and in part of
// the cases worked on and cut again. So a cut costs an open and a read, not a life.
//
// A life has generations: each begins with what a cut of the one before left, so that cuts fall into recovery
// too, and what an earlier recovery made is built on.
// Cuts have a number: life * CUTS_OF_A_LIFE + the place in it; the same number is the same cut for ever, whether
// those before it are judged or not. So what is drawn after a generation (fates, what the next one finds) is drawn
// from another source than that generation's: work that it left under way goes on drawing for a while.
import { reason } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { CrashDisk, type DiskPlant } from './crash-disk.ts'
import { FATES, type Fate, Medium } from './medium.ts'
import { copyFacts, isCut, nothingYet, type SeriesFacts, SeriesLife } from './series-life.ts'
import { Verdict } from './verdict.ts'

export const CUTS_OF_A_LIFE = 10_000
const GENERATIONS = 4
const TURNS = 28
/** Fates that each moment is judged under. */
const FATES_OF_A_MOMENT = 2
/** Of the judged cuts so many are worked on, cut again and judged again. */
const AGAIN = 0.25

/** What a cut at one moment of a life finds. */
interface Moment {
  readonly medium: Medium
  readonly facts: SeriesFacts
  /** The file or directory whose write was under way. */
  readonly path: string
}

export interface Cut {
  readonly number: number
  readonly fate: Fate
  readonly path: string
  readonly verdict: Verdict
}

export interface CutOptions {
  readonly plant?: DiskPlant
  /** Judges this one alone. */
  readonly only?: number
  /** Judges one of so many, evenly spread over the life. */
  readonly every?: number
}

/** Judges the cuts of one life, in order. */
export async function* cutLife(
  life: number,
  { plant, only, every = 1 }: CutOptions = {}
): AsyncGenerator<Cut> {
  const random = new Random(life * 7919)
  let number = life * CUTS_OF_A_LIFE
  let medium = new Medium()
  let facts = nothingYet()
  for (let generation = 0; generation < GENERATIONS; generation++) {
    const disk = new CrashDisk(new Random(random.u32()), Infinity, medium)
    if (plant !== undefined) disk.plant = plant
    const lived = new Verdict()
    const moments = await live(disk, facts, lived)
    if (lived.wrongs.length > 0) {
      yield { number, fate: 'killed', path: 'before any cut', verdict: lived }
      return
    }
    for (const moment of moments) {
      const fates = moment.medium.settled ? (['killed'] as const) : someFates(random)
      for (const fate of fates) {
        const cut = { number: number++, fate, path: moment.path }
        if (only === undefined ? cut.number % every !== 0 : only !== cut.number) continue
        for (const verdict of await judgeCut(moment, fate, cut.number, plant)) yield { ...cut, verdict }
      }
    }
    const next = moments[moments.length - 1 - random.below(Math.ceil(moments.length / 2))]!
    medium = next.medium.land(random.pick(FATES), random)
    facts = copyFacts(next.facts)
  }
}

function someFates(random: Random): Fate[] {
  const left = [...FATES]
  return Array.from({ length: FATES_OF_A_MOMENT }, () => left.splice(random.below(left.length), 1)[0]!)
}

/** Lives one generation and keeps every moment at which power may go. */
async function live(disk: CrashDisk, facts: SeriesFacts, verdict: Verdict): Promise<Moment[]> {
  const { random } = disk
  const moments: Moment[] = []
  const keep = (path: string): void => {
    moments.push({ medium: disk.medium.copy(), facts: copyFacts(facts), path })
  }
  disk.watch = keep
  try {
    const life = await SeriesLife.open(disk, random, facts)
    life.judge(verdict)
    if (verdict.wrongs.length === 0) await life.work(TURNS)
    if (random.chance(0.3)) await life.store.close()
  } catch (error) {
    verdict.wrong(`does not work: ${error instanceof Error ? error.stack : reason(error)}`)
  }
  keep('the end')
  disk.kill()
  return moments
}

/** The verdict on a cut, and on a second one after the store went on where it was cut again. */
async function judgeCut(moment: Moment, fate: Fate, seed: number, plant?: DiskPlant): Promise<Verdict[]> {
  const random = new Random(seed)
  const facts = copyFacts(moment.facts)
  // What a killed process left unsynced shows at a cut after it.
  const isAgain = random.chance(fate === 'killed' ? 0.5 : AGAIN)
  const disk = new CrashDisk(
    random,
    isAgain ? 1 + random.below(60) : Infinity,
    moment.medium.land(fate, random)
  )
  if (plant !== undefined) disk.plant = plant
  const first = new Verdict()
  await judgeOpened(disk, facts, first, isAgain ? 4 : 0)
  if (!isAgain || first.wrongs.length > 0) return [first]
  const later = new Random(random.u32())
  const found = new CrashDisk(later, Infinity, disk.medium.land(later.pick(FATES), later))
  const second = new Verdict()
  await judgeOpened(found, facts, second, 0)
  return [first, second]
}

async function judgeOpened(
  disk: CrashDisk,
  facts: SeriesFacts,
  verdict: Verdict,
  turns: number
): Promise<void> {
  try {
    const life = await SeriesLife.open(disk, disk.random, facts)
    if (life.judge(verdict).length === 0) await life.work(turns)
  } catch (error) {
    if (!isCut(error))
      verdict.wrong(`does not open or work: ${error instanceof Error ? error.stack : reason(error)}`)
  }
  disk.kill()
}
