import t from 'tap'
import { GatewayClock } from '../../src/base/gateway-clock.ts'
import { Random } from '../../src/base/random.ts'
import { HandClock } from '../kit/hand-clock.ts'
import { seeds } from '../kit/seeds.ts'

const START_US = 1_800_000_000_000_000

t.test('GatewayClock goes by the monotonic clock until the wall is believed', async t => {
  const hand = new HandClock(5_000_000)
  const clock = new GatewayClock(hand)
  hand.advance(1000)
  clock.assume(START_US + 1, START_US - 1e9)
  t.equal(clock.isKnown, false)
  t.equal(clock.nowUs(), START_US + 1000, 'in whole milliseconds, not before what was asked')
  hand.setWall(17)
  hand.advance(2000)
  t.equal(clock.nowUs(), START_US + 2_001_000, 'the wall may show what it likes')
  t.equal(clock.leastUs(), START_US - 1e9 + 2e6)
  t.equal(clock.careful.nowUs(), clock.leastUs())
  hand.setWall(START_US + 3600e6)
  t.equal(clock.lateByUs(), 3600e6 - 2_001_000)
  clock.believe()
  t.same(
    [clock.isKnown, clock.nowUs(), clock.leastUs(), clock.lateByUs()],
    [true, ...two(START_US + 3600e6), 0]
  )
})

t.test('GatewayClock never gives a stamp again, whatever the wall does', async t => {
  for (const seed of seeds(50)) {
    const random = new Random(seed)
    const hand = new HandClock(START_US)
    const clock = new GatewayClock(hand)
    const given = new Set<number>()
    let count = 0
    for (let step = 0; step < 6; step++) {
      for (let tick = 0; tick < 200; tick++) {
        hand.advance(1)
        given.add(clock.nowUs())
        if (Math.abs(clock.nowUs() - hand.nowUs()) >= 1000) t.fail(`VARVE_SEED=${seed}: a stamp is off`)
        count++
      }
      const byUs = (random.below(800) - 500) * 1000
      hand.setWall(hand.nowUs() + byUs)
    }
    t.equal(given.size, count, `VARVE_SEED=${seed}`)
  }
})

t.test('GatewayClock.takeStepUs() tells what the wall moved by itself', async t => {
  const hand = new HandClock(START_US)
  const clock = new GatewayClock(hand)
  hand.advance(10_000)
  t.equal(clock.takeStepUs(), 0)
  hand.setWall(hand.nowUs() - 5e6)
  hand.advance(1000)
  t.equal(clock.takeStepUs(), -5e6)
  t.equal(clock.takeStepUs(), 0)
})

function two(us: number): [number, number] {
  return [us, us]
}
