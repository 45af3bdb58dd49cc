// The choices of the controller one by one; months of them are in wear-months.test.ts.
import t from 'tap'
import { planWear, ROLLUP_HOLD_MS_MAX, type WearBudget } from '../../src/daemon/wear-control.ts'
import { SyncPace } from '../../src/engine/sync-pace.ts'

const DAY = 86_400_000
const LIMITS = { delayMaxMs: 1000, flushBytes: 20e6, flushBytesMax: 25e6 }

const BUDGET: WearBudget = { mediumBytes: 32e9, endurance: 1000, lifeMs: 3650 * DAY, sinceMs: 0 }
const STATE = {
  nowMs: 10 * DAY,
  writtenBytes: 1e9,
  lifeUsed: null,
  isAtEnd: false,
  hour: { bytesPerS: 6000, syncBytesPerS: 5000, syncBytes: 5000, syncExtraBytes: 2000 },
  day: { bytesPerS: 6000, syncBytesPerS: 5000 },
  segments: 10,
  rollupHeldMs: 0,
  wasOver: false
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
  const busy = { hour: { ...STATE.hour, bytesPerS: 12_000 }, day: { ...STATE.day, bytesPerS: 7000 } }
  const careful = planWear(small, { ...STATE, ...busy }, LIMITS)
  t.match(careful, { state: 'careful', delayMs: 1000, flushBytes: 25e6, mayMerge: true })
  const over = { ...STATE, day: { ...STATE.day, bytesPerS: 20_000 } }
  t.match(planWear(small, over, LIMITS), { state: 'over', why: /store less/ })
  const bySyncs = planWear({ ...BUDGET, mediumBytes: 1e9 }, STATE, LIMITS)
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
  const ending = planWear(BUDGET, { ...STATE, isAtEnd: true }, LIMITS)
  t.match(ending, { state: 'over', mayMerge: false, eagerBytesPerS: 0, delayMs: 1000, why: /replace it$/ })
})

t.test('planWear() leaves the state over only when the need is well below what is allowed', async t => {
  const allowed = planWear(BUDGET, STATE, LIMITS).allowedBytesPerS
  const at = (share: number, wasOver: boolean) => {
    const day = { bytesPerS: allowed * share + STATE.day.syncBytesPerS, syncBytesPerS: 0 }
    const hour = { ...STATE.hour, syncBytesPerS: 0, bytesPerS: 0 }
    return planWear(BUDGET, { ...STATE, day, hour, wasOver }, LIMITS).state
  }
  t.equal(at(0.92, false), 'careful')
  t.equal(at(0.92, true), 'over')
  t.equal(at(0.8, true), 'careful')
})

t.test(
  'planWear() spends what was saved at twice the even rate at most, whatever the clock says',
  async t => {
    const even = 32e12 / (3650 * 86_400)
    for (const nowMs of [0, 10, 1000, 3000, 3640, 3651, 20_000].map(days => days * DAY)) {
      const { allowedBytesPerS } = planWear(BUDGET, { ...STATE, nowMs }, LIMITS)
      t.ok(allowedBytesPerS > 0.99 * even && allowedBytesPerS <= 2.0001 * even, `${allowedBytesPerS / even}`)
    }
  }
)

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
