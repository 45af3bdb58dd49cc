import t from 'tap'
import { Random } from '../../src/base/random.ts'
import type { SegmentInfo } from '../../src/engine/manifest.ts'
import { bucketOf, spanFor } from '../../src/series/bucket.ts'
import { planMerge } from '../../src/series/merge-plan.ts'
import { expired, overSize } from '../../src/series/retention.ts'
import { seeds } from '../kit/seeds.ts'

const DAY = 86_400_000_000

let ids = 0
function segment(part: Partial<SegmentInfo>): SegmentInfo {
  const id = ++ids
  const bucketUs = part.bucketUs ?? 0
  return {
    id,
    family: 1,
    class: 'default',
    bucketUs,
    spanUs: DAY,
    order: id,
    level: 0,
    boot: 0,
    bytes: 1000,
    samples: 1000,
    timeMinUs: bucketUs,
    timeMaxUs: bucketUs + DAY - 1,
    ...part
  }
}

t.test('planMerge() leaves an open bucket alone until it is crowded', async t => {
  const two = [segment({ bytes: 100_000, samples: 100_000 }), segment({ bytes: 9000, samples: 100 })]
  t.equal(planMerge(two, DAY / 2), null)
  t.ok(
    planMerge(
      Array.from({ length: 17 }, () => segment({})),
      DAY / 2
    )
  )
})

t.test('planMerge() merges small late segments only when they save their cost', async t => {
  const dense = segment({ bytes: 1_000_000, samples: 1_500_000 })
  const late = segment({ bytes: 2000, samples: 300 })
  t.equal(planMerge([dense, late], 2 * DAY), null, 'rewriting 1 MB to save 6 KB is not worth it')
  const small = [segment({ bytes: 9000, samples: 900 }), segment({ bytes: 9000, samples: 900 })]
  const job = planMerge([dense, ...small, segment({ bytes: 2000, samples: 900 })], 2 * DAY)
  t.same(
    job?.inputs.map(input => input.id),
    [...small.map(input => input.id), ids]
  )
})

t.test('planMerge() never mixes classes or buckets and takes neighbours in order only', async t => {
  for (const seed of seeds(300)) {
    const random = new Random(seed)
    const live = Array.from({ length: random.below(60) }, () =>
      segment({
        class: random.pick(['a', 'b']),
        bucketUs: random.below(3) * DAY,
        bytes: 100 + random.below(100_000),
        samples: 1 + random.below(100_000)
      })
    )
    const job = planMerge(
      [...live].sort(() => random.unit() - 0.5),
      3 * DAY
    )
    if (job === null) continue
    const { class: name, bucketUs } = job.inputs[0]!
    const bucket = live.filter(other => other.class === name && other.bucketUs === bucketUs)
    const first = bucket.findIndex(other => other.id === job.inputs[0]!.id)
    const expected = bucket.slice(first, first + job.inputs.length).map(input => input.id)
    t.same(
      job.inputs.map(input => input.id),
      expected,
      `VARVE_SEED=${seed}`
    )
  }
  t.pass('neighbours only')
})

t.test('planMerge() comes to an end: merged segments are not chosen for ever', async t => {
  for (const seed of seeds(50)) {
    const random = new Random(seed)
    let live = Array.from({ length: 40 }, () => segment({ bytes: 500 + random.below(9000), samples: 1000 }))
    let jobs = 0
    for (let job = planMerge(live, 2 * DAY); job !== null; job = planMerge(live, 2 * DAY)) {
      const { inputs } = job
      const bytes = job.bytesOutEstimate
      const samples = inputs.reduce((sum, input) => sum + input.samples, 0)
      live = live.filter(other => !inputs.includes(other))
      live.push(segment({ bytes, samples, order: inputs.at(-1)!.order }))
      if (++jobs > 40) break
    }
    t.ok(jobs <= 40, `VARVE_SEED=${seed}: ${jobs} jobs`)
  }
})

t.test('expired() names segments whose whole bucket is older than the class is kept', async t => {
  const [old, edge, fresh] = [
    segment({ bucketUs: 0 }),
    segment({ bucketUs: DAY }),
    segment({ bucketUs: 9 * DAY })
  ]
  const kept = segment({ bucketUs: 0, class: 'kept' })
  const keep = new Map([['default', 7 * DAY]])
  t.same(expired([old, edge, fresh, kept], keep, 9 * DAY), [old.id, edge.id])
  t.same(expired([old, edge, fresh, kept], keep, 9 * DAY - 1), [old.id])
})

t.test('overSize() drops whole buckets of the class with the most to spare, never the open one', async t => {
  const keep = new Map([
    ['short', 10 * DAY],
    ['long', 1000 * DAY]
  ])
  const short = [
    segment({ class: 'short', bucketUs: 95 * DAY }),
    segment({ class: 'short', bucketUs: 95 * DAY })
  ]
  const long = segment({ class: 'long', bucketUs: 0 })
  const open = segment({ class: 'short', bucketUs: 100 * DAY })
  const all = [...short, long, open]
  t.same(overSize(all, keep, 4000, 100.5 * DAY), [])
  t.same(
    overSize(all, keep, 3999, 100.5 * DAY),
    short.map(one => one.id)
  )
  t.same(
    overSize(all, keep, 0, 100.5 * DAY),
    [...short, long].map(one => one.id)
  )
})

t.test('spanFor() gives a class at least twenty buckets and aligned bounds', async t => {
  t.equal(spanFor(30 * DAY), DAY)
  t.equal(spanFor(365 * DAY), 7 * DAY)
  t.equal(spanFor(DAY), 3_600_000_000)
  t.equal(bucketOf(1.5 * DAY, DAY), DAY)
})
