import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { COMPACTION_LIMITS, planCompaction, type SegmentWeight } from '../../src/engine/compaction-plan.ts'
import { seeds } from '../kit/seeds.ts'

const MB = 2 ** 20
const { tierMin } = COMPACTION_LIMITS
/** As many segments of one size as are worth joining. */
const alike = Array.from({ length: tierMin }, () => MB)

/** Newest first in the list; the newest has the greatest order. */
function live(...sizes: (number | [bytes: number, dead: number, tombstones?: number])[]): SegmentWeight[] {
  return sizes.map((size, i) => {
    const [bytes, deadBytes = 0, tombstoneBytes = 0] = typeof size === 'number' ? [size] : size
    return { id: 100 + i, order: sizes.length - i, bytes, deadBytes, tombstoneBytes }
  })
}

t.test('planCompaction() leaves few segments of unlike size alone, and says so', async t => {
  const choice = planCompaction(live(MB, 4 * MB, 40 * MB), Number.POSITIVE_INFINITY)
  t.equal(choice.job, null)
  t.match(choice.why, '3 segments, none worth rewriting')
  t.equal(planCompaction([], 1).job, null)
})

t.test('planCompaction() joins a tier of like size and names what is older', async t => {
  const { job, why } = planCompaction(live(...alike, 400 * MB), Number.POSITIVE_INFINITY)
  const inputs = alike.map((_, i) => 100 + i)
  t.same(job, { inputs, older: [100 + tierMin], costBytes: tierMin * MB, gainBytes: 0 })
  t.match(why, 'tier')
})

t.test('planCompaction() waits for the wear budget, but not when reads would drown', async t => {
  const waiting = planCompaction(live(...alike), MB)
  t.equal(waiting.job, null)
  t.match(waiting.why, 'waits')
  const many = live(...Array.from({ length: 2 * COMPACTION_LIMITS.segmentsMax + 1 }, (_, i) => 2 ** (i + 10)))
  t.ok(planCompaction(many, 0).job)
})

t.test('planCompaction() reclaims when dead bytes pay for the rewriting', async t => {
  t.equal(planCompaction(live(MB, [10 * MB, 3 * MB]), Number.POSITIVE_INFINITY).job, null)
  const { job, why } = planCompaction(live(MB, [10 * MB, 7 * MB]), Number.POSITIVE_INFINITY)
  t.same(job, { inputs: [100, 101], older: [], costBytes: 4 * MB, gainBytes: 7 * MB })
  t.match(why, 'reclaim')
  t.ok(planCompaction(live([MB, 0, MB]), Number.POSITIVE_INFINITY).job, 'tombstones leave from the oldest')
})

t.test('planCompaction() joins neighbours in age only and names every older one', async t => {
  for (const seed of seeds(2000)) {
    const random = new Random(seed)
    const segments = Array.from({ length: random.below(40) }, (_, i): SegmentWeight => {
      const bytes = 1 + Math.floor(2 ** (random.unit() * 30))
      return {
        id: i,
        order: i * 3,
        bytes,
        deadBytes: random.chance(0.3) ? random.below(bytes) : 0,
        tombstoneBytes: random.below(9)
      }
    })
    const newestFirst = [...segments].sort((a, b) => b.order - a.order).map(segment => segment.id)
    const { job } = planCompaction(
      segments.sort(() => random.unit() - 0.5),
      random.pick([0, MB, Number.POSITIVE_INFINITY])
    )
    if (job === null) continue
    const at = newestFirst.indexOf(job.inputs[0]!)
    const wanted = [newestFirst.slice(at, at + job.inputs.length), newestFirst.slice(at + job.inputs.length)]
    if (JSON.stringify([job.inputs, job.older]) !== JSON.stringify(wanted)) t.fail(`VARVE_SEED=${seed}`)
  }
})

t.test('planCompaction() takes no segment that is left out, and joins nothing across one', async t => {
  for (const seed of seeds(300)) {
    const random = new Random(seed)
    const live: SegmentWeight[] = Array.from({ length: random.below(40) }, (_, i) => ({
      id: i + 1,
      order: i + 1,
      bytes: 1 + random.below(1000),
      deadBytes: random.below(2000),
      tombstoneBytes: 0
    }))
    const leftOut = new Set(live.filter(() => random.chance(0.1)).map(({ id }) => id))
    const { job } = planCompaction(live, Number.POSITIVE_INFINITY, COMPACTION_LIMITS, leftOut)
    if (job === null) continue
    const inputs = [...job.inputs].sort((a, b) => a - b)
    const isRun = inputs.every((id, i) => id === inputs[0]! + i && !leftOut.has(id))
    const isOlder = job.older.length === inputs[0]! - 1
    if (!isRun || !isOlder)
      t.fail(`VARVE_SEED=${seed}: ${inputs} without ${[...leftOut]}, older ${job.older}`)
  }
  t.pass('300 lists')
})
