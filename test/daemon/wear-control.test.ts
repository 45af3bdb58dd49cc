// The controller over months of simulated time: minute by minute, with data, waiters and bursts drawn from a
// seed, syncs done as the plan says, and what they cost counted.
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import {
  planWear,
  ROLLUP_HOLD_MS_MAX,
  type WearBudget,
  type WearPlan
} from '../../src/daemon/wear-control.ts'
import { dayBytesPerS, WearRates } from '../../src/daemon/wear-rates.ts'
import { SyncPace } from '../../src/engine/sync-pace.ts'
import { seeds } from '../kit/seeds.ts'

const MINUTE = 60_000
const DAY = 86_400_000
const LIMITS = { delayMaxMs: 1000, flushBytes: 20e6, flushBytesMax: 25e6 }
/** What a sync costs beyond its data. */
const SYNC_BYTES = 5500

interface Load {
  /** Bytes of data in this minute, and syncs a second that waiters would like. */
  readonly bytes: number
  readonly wishedPerS: number
}

interface Run {
  readonly written: number
  readonly plan: WearPlan
  readonly minutesOver: number
  readonly syncs: number
  readonly syncsFloor: number
}

/** Lives `days`; every minute has what load() says. */
function live(budget: WearBudget, days: number, load: (minute: number) => Load): Run {
  const rates = new WearRates()
  const perDay: { dayMs: number; bytes: Record<string, number> }[] = []
  let [written, overhead, syncs, syncsFloor, minutesOver, tokens] = [0, 0, 0, 0, 0, 0]
  let plan: WearPlan | null = null
  for (let minute = 0; minute < days * 1440; minute++) {
    const nowMs = budget.sinceMs + minute * MINUTE
    rates.take(minute * MINUTE, { bytes: written, syncBytes: overhead, metadataBytes: overhead / 2, syncs })
    const hour = rates.hour()
    const facts = { sinceMs: budget.sinceMs, untilMs: nowMs, samples: 0, bytes: {}, days: perDay.slice(-2) }
    const state = {
      nowMs,
      writtenBytes: written,
      lifeUsed: null,
      hourBytesPerS: hour.bytesPerS,
      dayBytesPerS: dayBytesPerS(facts),
      syncBytesPerS: hour.syncBytesPerS,
      syncBytes: hour.syncBytes,
      segments: 10,
      rollupHeldMs: 0
    }
    plan = planWear(budget, state, LIMITS)
    if (plan.state === 'over') minutesOver++
    const { bytes, wishedPerS } = load(minute)
    const floor = Math.min(60 * wishedPerS, MINUTE / LIMITS.delayMaxMs)
    const normal = Math.min(60 * wishedPerS, MINUTE / plan.delayMs)
    tokens = Math.min(plan.eagerBurstBytes, tokens + plan.eagerBytesPerS * 60)
    const eager = Math.max(0, Math.min(60 * wishedPerS - normal, (tokens - normal * SYNC_BYTES) / SYNC_BYTES))
    tokens = Math.max(-plan.eagerBurstBytes, tokens - (normal + eager) * SYNC_BYTES)
    syncs += normal + eager
    syncsFloor += floor
    overhead += (normal + eager) * SYNC_BYTES
    const more = bytes + (normal + eager) * SYNC_BYTES
    written += more
    const dayMs = Math.floor(nowMs / DAY) * DAY
    if (perDay[perDay.length - 1]?.dayMs !== dayMs) perDay.push({ dayMs, bytes: { wal: 0 } })
    perDay[perDay.length - 1]!.bytes.wal! += more
  }
  return { written, plan: plan!, minutesOver, syncs, syncsFloor }
}

/** A load with quiet nights, and bursts of hours now and then. */
function anyLoad(random: Random, meanBytesPerS: number): (minute: number) => Load {
  const wishedPerS = random.below(40) + 0.2
  let burstLeft = 0
  const burst = 2 + random.below(10)
  return minute => {
    if (burstLeft > 0) burstLeft--
    else if (random.below(1440 * 3) === 0) burstLeft = 60 + random.below(240)
    const isNight = Math.floor(minute / 480) % 3 === 0
    const now = burstLeft > 0 ? burst : isNight ? 0.3 : 1
    return {
      bytes: meanBytesPerS * 60 * now * (0.5 + random.unit()),
      wishedPerS: wishedPerS * Math.min(1, now)
    }
  }
}

t.test('planWear() keeps months with bursts within the budget where one sync a second allows it', async t => {
  for (const seed of seeds(24)) {
    const random = new Random(seed)
    const lifeMs = (60 + random.below(120)) * DAY
    // Data take 10 to 40 % of the budget by day, some more in bursts; then one sync a second has room in what is left.
    const bytesPerS = 16_000 + random.below(200_000)
    const budget: WearBudget = {
      mediumBytes: (bytesPerS * lifeMs) / 1000 / 100,
      endurance: 100,
      lifeMs,
      sinceMs: 20_000 * DAY
    }
    const data = bytesPerS * (0.1 + random.unit() * 0.3)
    const { written, syncs, syncsFloor, plan } = live(budget, lifeMs / DAY, anyLoad(random, data))
    const share = written / (budget.mediumBytes * budget.endurance)
    t.ok(share <= 1, `${share.toFixed(3)} of the budget, VARVE_SEED=${seed}`)
    t.ok(syncs >= syncsFloor - 1, `durability is never traded, VARVE_SEED=${seed}`)
    t.ok(plan.delayMs <= LIMITS.delayMaxMs)
  }
})

t.test('planWear() says so when the budget cannot be met, and spends nothing beyond the floor', async t => {
  for (const seed of seeds(8)) {
    const random = new Random(seed)
    const lifeMs = 90 * DAY
    const budget = {
      mediumBytes: (3000 * lifeMs) / 1000 / 100,
      endurance: 100,
      lifeMs,
      sinceMs: 20_000 * DAY
    }
    const load = (): Load => ({ bytes: 60 * 500, wishedPerS: 5 + random.below(20) })
    const { minutesOver, syncs, syncsFloor, plan } = live(budget, 60, load)
    t.ok(minutesOver > 58 * 1440, `said in ${minutesOver} minutes, VARVE_SEED=${seed}`)
    t.ok(syncs >= syncsFloor - 1 && syncs < syncsFloor * 1.05, `one sync a second, VARVE_SEED=${seed}`)
    t.match(plan, { state: 'over', mayMerge: false, mayRollup: false, delayMs: 1000, eagerBytesPerS: 0 })
    t.match(plan.why, /lasts \d+d.* instead of .*; /)
  }
})

const BUDGET: WearBudget = { mediumBytes: 32e9, endurance: 1000, lifeMs: 3650 * DAY, sinceMs: 0 }
const STATE = {
  nowMs: 10 * DAY,
  writtenBytes: 1e9,
  lifeUsed: null,
  hourBytesPerS: 6000,
  dayBytesPerS: 6000,
  syncBytesPerS: 5000,
  syncBytes: 5000,
  segments: 10,
  rollupHeldMs: 0
}

t.test('planWear() doubles the projected life with the medium', async t => {
  const lasts = (mediumBytes: number) =>
    planWear({ ...BUDGET, mediumBytes }, STATE, LIMITS).endMs -
    STATE.nowMs +
    (STATE.writtenBytes / 6000) * 1000
  t.ok(Math.abs(lasts(64e9) / lasts(32e9) - 2) < 1e-9)
})

t.test('planWear() keeps the wait that the owner chose, and says when the budget cannot pay it', async t => {
  const ample = planWear(BUDGET, STATE, LIMITS)
  t.match(ample, { state: 'ample', mayMerge: true, mayRollup: true, flushBytes: 20e6 })
  t.equal(ample.delayMs, 1000, 'more syncs than asked for wear the card and please nobody')
  const small = { ...BUDGET, mediumBytes: 2.5e9 }
  t.match(planWear(small, STATE, LIMITS), { state: 'ample', delayMs: 1000 })
  const careful = planWear(small, { ...STATE, hourBytesPerS: 12_000, dayBytesPerS: 7_000 }, LIMITS)
  t.match(careful, { state: 'careful', delayMs: 1000, flushBytes: 25e6, mayMerge: true })
  const over = { ...STATE, dayBytesPerS: 20_000 }
  t.match(planWear(small, over, LIMITS), { state: 'over', why: /store less/ })
  const bySyncs = planWear({ ...BUDGET, mediumBytes: 1e9 }, { ...STATE, syncBytesPerS: 5000 }, LIMITS)
  t.match(bySyncs, { state: 'over', why: /ack\.delay_max of 3s would do/ })
  t.ok(planWear(small, { ...over, segments: 5000 }, LIMITS).mayMerge, 'reads would drown')
  t.ok(planWear(small, { ...over, rollupHeldMs: ROLLUP_HOLD_MS_MAX }, LIMITS).mayRollup)
  for (const delayMaxMs of [0, 1, 60_000]) {
    const { delayMs } = planWear(BUDGET, STATE, { ...LIMITS, delayMaxMs })
    t.ok(delayMs >= 0 && delayMs <= delayMaxMs)
  }
})

t.test('planWear() believes a device that says more is used than we wrote', async t => {
  const plan = planWear(BUDGET, { ...STATE, lifeUsed: 0.9 }, LIMITS)
  t.equal(plan.writtenBytes, 0.9 * 32e12)
  t.ok(plan.allowedBytesPerS < planWear(BUDGET, STATE, LIMITS).allowedBytesPerS / 9)
  const gone = planWear(BUDGET, { ...STATE, lifeUsed: 1 }, LIMITS)
  t.match(gone, { state: 'over', allowedBytesPerS: 0, endMs: STATE.nowMs })
})

t.test('SyncPace with a plan syncs eager waiters at the rate that it pays, within delay_max', async t => {
  const plan = planWear({ ...BUDGET, mediumBytes: 8e9 }, STATE, LIMITS)
  const pace = new SyncPace(
    {
      delayMaxMs: 1000,
      delayMs: plan.delayMs,
      delayMaxLazyMs: 5000,
      groupBytesTrigger: 1e6,
      wearBytesPerSecond: plan.eagerBytesPerS,
      wearBurstBytes: plan.eagerBurstBytes,
      syncBytes: 1400
    },
    0
  )
  const seconds = 8 * 3600
  let spent = 0
  for (let nowMs = 0; nowMs < seconds * 1000; ) {
    pace.note(2, nowMs)
    const waitMs = pace.waitMs(100, nowMs)
    if (waitMs > plan.delayMs + 1e-6) t.fail(`waited ${waitMs} ms`)
    nowMs += Math.max(1, waitMs)
    pace.taken()
    pace.charge(4000, nowMs)
    spent += 5400
  }
  const allowed = Math.max(plan.eagerBytesPerS, 5400_000 / plan.delayMs) * seconds + plan.eagerBurstBytes
  t.ok(spent <= allowed * 1.01, `${spent} of ${allowed}`)
})
