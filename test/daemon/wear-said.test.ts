// What the daemon says of the wear of its medium: a budget that is not met and a device at its end are told
// by health and metrics, and neither makes a store unready that still takes rows.
import t from 'tap'
import type { MetricFacts, Metrics } from '../../src/base/metrics.ts'
import { addMetrics } from '../../src/daemon/metrics.ts'
import type { Parts } from '../../src/daemon/parts.ts'
import { healthOf } from '../../src/daemon/status.ts'

/** Parts that are sound but for what is given of the wear. */
function partsWith(state: 'ample' | 'over', device: object | null, notes: string[]): Parts {
  const plan = { state, why: 'much is written', endMs: Number.POSITIVE_INFINITY, delayMs: 1000 }
  const engine = { wal: { failure: null, full: false } }
  return {
    storage: { engine, series: { refusalCode: null } },
    guard: { isFull: false },
    damage: [],
    steer: { plan, flash: { device, notes } },
    keeper: { verdict: { isKnown: true, why: 'told' }, provisionalSinceUs: null },
    broker: { stats: {} }
  } as unknown as Parts
}

const worn = { name: 'mmcblk0', lifeUsed: [0.9, 1], spareBlocks: 'nearly used up' }

t.test('health says a budget that is not met and a worn device, both, and stays ready', async t => {
  const sound = healthOf(partsWith('ample', { lifeUsed: null, spareBlocks: 'normal' }, ['odd, not worn']))
  t.match(sound, { isSound: true, parts: { wear: 'ok' } })
  t.match(healthOf(partsWith('ample', null, [])), { parts: { wear: 'ok' } })
  const over = healthOf(partsWith('over', null, []))
  t.match(over, { isSound: true, message: /wear over the budget: much is written/ })
  const both = healthOf(partsWith('over', worn, ['mmcblk0 says: replace it.']))
  t.match(both.parts, { wear: 'mmcblk0 says: replace it. over the budget: much is written' })
})

t.test('metrics tell what the device says of itself', async t => {
  const read = (parts: Parts) => {
    const found = new Map<string, unknown>()
    const gauge = (facts: MetricFacts) => {
      if (facts.name.startsWith('wear_device') || facts.name === 'wear_over_budget')
        found.set(facts.name, facts.read())
    }
    addMetrics({ counter: () => {}, gauge } as unknown as Metrics, parts)
    return Object.fromEntries(found)
  }
  const over = { wear_over_budget: 1, wear_device_life_used_ratio: 1, wear_device_worn: 1 }
  t.same(read(partsWith('over', worn, [])), over)
  const unknown = { wear_over_budget: 0, wear_device_life_used_ratio: Number.NaN, wear_device_worn: 0 }
  t.same(read(partsWith('ample', null, [])), unknown)
})
