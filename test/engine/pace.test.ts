import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { EAGER, LAZY, NORMAL, PACE_DEFAULTS, SyncPace } from '../../src/engine/sync-pace.ts'
import { seeds } from '../kit/seeds.ts'

const pace = (options = {}): SyncPace => new SyncPace({ ...PACE_DEFAULTS, ...options }, 0)

t.test('SyncPace waits by urgency from the oldest pending bytes on', async t => {
  const p = pace()
  t.equal(p.waitMs(0, 0), Infinity, 'nothing pending')
  p.note(LAZY, 0)
  t.equal(p.waitMs(100, 0), 5000)
  p.note(NORMAL, 3500)
  t.equal(p.waitMs(100, 3600), 900, 'normal data pull lazy data with them')
  p.note(NORMAL, 3700)
  t.equal(p.waitMs(100, 3700), 800, 'later bytes do not put it off')
  t.equal(p.waitMs(PACE_DEFAULTS.groupBytesTrigger, 3700), 0, 'size cuts it short')
  t.equal(p.waitMs(100, 4600), 0)
  p.taken()
  t.equal(p.waitMs(0, 4600), Infinity)
})

t.test(
  'SyncPace lets eager waiters go at once while the budget lasts, and at latest by delayMaxMs',
  async t => {
    const p = pace({ wearBytesPerSecond: 4000, wearBurstBytes: 8000 })
    let now = 0
    for (let i = 0; i < 2; i++) {
      p.note(EAGER, now)
      t.equal(p.waitMs(50, now), 0)
      p.taken()
      p.charge(4000, now)
    }
    p.note(EAGER, now)
    t.ok(p.waitMs(50, now) > 0 && p.waitMs(50, now) < 1, 'the bucket is empty: until the next token')
    for (let i = 0; i < 4; i++) p.charge(4000, now)
    t.equal(p.waitMs(50, now), 1000, 'in debt: the full delay')
    now = 1000
    t.equal(p.waitMs(50, now), 0)
  }
)

t.test(
  'SyncPace writes a quarter of the trigger at once where someone stands still, in debt too',
  async t => {
    const p = pace({ wearBytesPerSecond: 1, wearBurstBytes: 10 })
    p.charge(1000, 0)
    const quarter = PACE_DEFAULTS.groupBytesTrigger / 4
    p.note(NORMAL, 0)
    t.equal(p.waitMs(quarter, 0), 1000)
    p.note(EAGER, 0)
    t.equal(p.waitMs(quarter - 1, 0), 1000)
    t.equal(p.waitMs(quarter, 0), 0)
  }
)

t.test('SyncPace.charge() does not charge data: full pages are free', async t => {
  const p = pace({ wearBytesPerSecond: 0, wearBurstBytes: 1 })
  p.charge(0, 0)
  p.note(EAGER, 0)
  t.equal(p.waitMs(4000, 0), 0)
})

t.test('SyncPace keeps every deadline and, over time, the budget for early syncs', async t => {
  for (const seed of seeds(50)) {
    const random = new Random(seed)
    const rate = 500 + random.below(20_000)
    const p = pace({ wearBytesPerSecond: rate, wearBurstBytes: 20_000 })
    let early = 0
    let oldest = Infinity
    let now = 0
    for (; now < 120_000; now += 1 + random.below(20)) {
      if (random.chance(0.3)) {
        p.note(EAGER, now)
        oldest = Math.min(oldest, now)
      }
      const wait = p.waitMs(60, now)
      if (now - oldest > 1000 + 20) t.fail(`VARVE_SEED=${seed} waited ${now - oldest} ms`)
      if (wait > 0) continue
      if (now - oldest < 1000) early += 4036
      p.taken()
      p.charge(4036, now)
      oldest = Infinity
    }
    t.ok(early <= 20_000 + (rate * now) / 1000 + 4036, `VARVE_SEED=${seed} ${early} bytes early`)
  }
})
