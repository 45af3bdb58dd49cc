// The controller over months of simulated time: the real ledger, rates and steering, minute by minute, over a
// store that costs what was measured. Drawn from a seed: a trickle, bursts, idle weeks, restarts (ordered,
// killed, off for days), a clock that is wrong at first and steps later. The card counts for itself.
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { seeds } from '../kit/seeds.ts'
import {
  anyLoad,
  anyTrouble,
  DAY,
  FLOOR_BYTES_PER_S,
  Gateway,
  MINUTE,
  SAVE_MINUTES,
  WALL
} from './wear-gateway.ts'

t.test('the budget is kept over months with bursts and restarts wherever it can be', async t => {
  let spentMost = 0
  for (const seed of seeds(5)) {
    const random = new Random(seed)
    const days = 60 + random.below(60)
    const evenPerS = 50_000 + random.below(400_000)
    const card = {
      bytes: (evenPerS * days * 86_400) / 100,
      endurance: 100,
      lifeMs: days * DAY,
      delayMaxMs: 1000
    }
    // A gateway that was never on time: its clock is up to three years late until it meets the network.
    const lateMs = random.chance(0.5) ? random.below(1100 * DAY) : 0
    const gateway = new Gateway(card, WALL - lateMs)
    const load = anyLoad(random, (evenPerS - FLOOR_BYTES_PER_S) * (0.05 + random.unit() * 0.3))
    const trouble = anyTrouble(random, 4 * DAY)
    const setAt = random.below(3 * 1440)
    const endMs = card.lifeMs
    for (let minute = 0; gateway.clock.monotonicMs() < endMs; minute++) {
      gateway.minute(load(minute))
      if (minute === setAt) gateway.stepClock(lateMs)
      if (minute > setAt) trouble(gateway)
    }
    const budget = card.bytes * card.endurance
    const say = (what: string) => `${what}, VARVE_SEED=${seed}`
    t.ok(gateway.floor < 0.9 * budget, say('the load is one that the budget can bear'))
    t.ok(gateway.programmed <= budget, say(`${gateway.programmed / budget} of the budget`))
    t.ok(gateway.delayMsMost <= card.delayMaxMs, say(`waited ${gateway.delayMsMost} ms`))
    t.ok(gateway.syncs >= gateway.syncsFloor, say('durability is never traded'))
    t.ok(gateway.allowedMost <= 2.001 * evenPerS, say('what was saved is not spent at any speed'))
    const error = gateway.ledger.programmedBytes / gateway.programmed - 1
    t.ok(Math.abs(error) < 0.03, say(`the ledger is off by ${error}`))
    t.equal(gateway.steer.plan.writtenBytes, gateway.ledger.programmedBytes, say('and is what is steered by'))
    t.ok(
      gateway.minutesOver < 0.2 * gateway.minutes,
      say(`over in ${gateway.minutesOver} of ${gateway.minutes}`)
    )
    spentMost = Math.max(spentMost, gateway.programmed / gateway.floor)
  }
  t.ok(spentMost > 1.1, `what is left is spent on those who wait: ${spentMost}`)
})

t.test(
  'a budget that cannot be met is said, all the time, and nothing is spent beyond the floor',
  async t => {
    for (const seed of seeds(3)) {
      const random = new Random(seed)
      const lifeMs = 90 * DAY
      const card = { bytes: (12_000 * lifeMs) / 1000 / 100, endurance: 100, lifeMs, delayMaxMs: 1000 }
      const gateway = new Gateway(card, WALL)
      const trouble = anyTrouble(random, 10 * MINUTE)
      const load = { bytes: 60 * 500, wishedPerS: 5 + random.below(20) }
      for (let minute = 0; minute < 40 * 1440; minute++) {
        gateway.minute(load)
        trouble(gateway)
      }
      const { minutes, minutesOver, syncs, syncsFloor } = gateway
      t.ok(minutesOver > minutes - 1440, `said in ${minutesOver} of ${minutes} minutes, VARVE_SEED=${seed}`)
      t.ok(syncs >= syncsFloor && syncs < syncsFloor * 1.05, `one sync a second, VARVE_SEED=${seed}`)
      t.match(gateway.steer.plan, { mayMerge: false, delayMs: 1000, eagerBytesPerS: 0 })
    }
  }
)

t.test('who restarts every few minutes spends no burst each time', async t => {
  const days = 30
  const card = { bytes: 100_000 * days * 864, endurance: 100, lifeMs: days * DAY, delayMaxMs: 1000 }
  const gateway = new Gateway(card, WALL)
  for (let minute = 0; minute < days * 1440; minute++) {
    gateway.minute({ bytes: 1000, wishedPerS: 40 })
    if (minute % 30 === 0) gateway.restart(minute % 60 === 0, 1000)
  }
  const budget = card.bytes * card.endurance
  t.ok(gateway.programmed <= budget, `${gateway.programmed / budget} of the budget`)
  const paid = gateway.syncsPaid / gateway.syncsGranted
  t.ok(paid > 0.9 && paid <= 1, `${paid} of what was granted to syncs`)
})

t.test('who is killed before it can save counts again what it wrote', async t => {
  const card = { bytes: 32e9, endurance: 1000, lifeMs: 3650 * DAY, delayMaxMs: 1000 }
  const gateway = new Gateway(card, WALL)
  for (let minute = 0; minute < 2 * 1440; minute++) {
    gateway.minute({ bytes: 6000, wishedPerS: 1 })
    if (minute % (SAVE_MINUTES - 1) === 0) gateway.restart(true, 1000)
  }
  const error = gateway.ledger.programmedBytes / gateway.programmed - 1
  t.ok(Math.abs(error) < 0.06, `the ledger is off by ${error}`)
})

t.test('what an idle month saved is spent later, at twice the even rate at most, and once', async t => {
  const even = 60_000
  const lifeMs = 100 * DAY
  const card = { bytes: (even * lifeMs) / 1000 / 100, endurance: 100, lifeMs, delayMaxMs: 1000 }
  const gateway = new Gateway(card, WALL)
  const allowed = () => gateway.steer.plan.allowedBytesPerS / even
  gateway.restart(false, 30 * DAY)
  t.ok(allowed() > 1.35 && allowed() < 1.5, `after a month off ${allowed()}`)
  for (let minute = 0; minute < 100; minute++) gateway.restart(true, 1000)
  t.ok(allowed() > 1.35 && allowed() < 1.5, `a hundred restarts save nothing ${allowed()}`)
  gateway.restart(false, 40 * DAY)
  t.ok(Math.abs(allowed() - 2) < 1e-9, `and after another ${allowed()}`)
  for (let minute = 0; minute < 30 * 1440; minute++) gateway.minute({ bytes: 6000, wishedPerS: 40 })
  const share = gateway.programmed / (card.bytes * card.endurance)
  t.ok(share > 0.2 && share <= 1, `${share} of the budget`)
})

t.test('a clock that is years ahead or behind changes neither rate nor plan by much', async t => {
  const lifeMs = 1000 * DAY
  const card = { bytes: (60_000 * lifeMs) / 1000 / 100, endurance: 100, lifeMs, delayMaxMs: 1000 }
  for (const stepDays of [-2000, -900, -30, -2, 2, 30, 900, 9000]) {
    const gateway = new Gateway(card, WALL)
    const days = (n: number) => {
      for (let minute = 0; minute < n * 1440; minute++) gateway.minute({ bytes: 6000, wishedPerS: 1 })
    }
    days(3)
    const first = gateway.steer.plan
    gateway.restart(false, 1000)
    const again = gateway.steer.plan.bytesPerS / first.bytesPerS
    t.ok(Math.abs(again - 1) < 0.05, `a restart changes the rate to ${again}`)
    days(0.1)
    const before = gateway.steer.plan
    gateway.stepClock(stepDays * DAY)
    days(0.1)
    const after = gateway.steer.plan
    const rate = after.bytesPerS / before.bytesPerS
    t.ok(Math.abs(rate - 1) < 0.1, `${stepDays} days: the rate is ${rate} of what it was`)
    t.ok(after.allowedBytesPerS < 2.001 * 60_000 && after.allowedBytesPerS > 0.9 * 60_000, `${stepDays} days`)
    t.equal(after.state, before.state, `${stepDays} days`)
  }
})

t.test('the first process dates anew what it counted before its clock was set', async t => {
  const card = { bytes: 32e9, endurance: 1000, lifeMs: 3650 * DAY, delayMaxMs: 1000 }
  const gateway = new Gateway(card, 0)
  for (let minute = 0; minute < 90; minute++) gateway.minute({ bytes: 6000, wishedPerS: 1 })
  gateway.stepClock(WALL)
  gateway.minute({ bytes: 6000, wishedPerS: 1 })
  const facts = gateway.ledger.facts()
  t.equal(facts.sinceMs, WALL)
  t.same(
    facts.days.map(day => day.dayMs),
    [WALL]
  )
  gateway.restart(true, 1000)
  gateway.stepClock(-400 * DAY)
  gateway.minute({ bytes: 6000, wishedPerS: 1 })
  const { sinceMs, untilMs } = gateway.ledger.facts()
  t.ok(sinceMs <= untilMs)
})

t.test('a device that says that it is at its end is asked again each hour, and steers', async t => {
  const card = { bytes: 32e9, endurance: 1000, lifeMs: 3650 * DAY, delayMaxMs: 1000 }
  const gateway = new Gateway(card, WALL)
  const minutes = (n: number) => {
    for (let minute = 0; minute < n; minute++) gateway.minute({ bytes: 6000, wishedPerS: 1 })
  }
  minutes(10)
  t.equal(gateway.steer.plan.state, 'ample')
  const device = {
    name: 'mmcblk0',
    kind: 'emmc',
    model: null,
    bytes: 32e9,
    eraseBytes: null,
    isRotational: false,
    discards: true,
    lifeUsed: [0.3, 0.4],
    spareBlocks: 'nearly used up'
  } as const
  gateway.flash = { ...gateway.flash, device, notes: ['replace it'] }
  minutes(61)
  t.match(gateway.steer.plan, {
    state: 'over',
    why: /at its end: replace it/,
    mayMerge: false,
    delayMs: 1000
  })
  t.equal(gateway.steer.plan.writtenBytes, 0.3 * 32e12, 'its own account counts where it is more')
  minutes(121)
  t.same(gateway.notes, ['replace it'], 'said once')
})
