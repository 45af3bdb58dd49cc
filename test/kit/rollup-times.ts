// When the tests of rollups happen, and the tiers that they keep unless they say otherwise.
import { EVERY_GROUP } from '../../src/rollup/coverage.ts'
import type { Tier } from '../../src/rollup/tier.ts'
import { SKETCH_LEVELS } from '../../src/series/sketch.ts'

export const MINUTE_US = 60e6
export const HOUR_US = 60 * MINUTE_US
export const DAY_US = 24 * HOUR_US
export const START_US = 20_000 * DAY_US
export const TIERS: readonly Tier[] = [
  { name: '1m', stepUs: MINUTE_US, keepUs: 30 * DAY_US, coverage: EVERY_GROUP },
  {
    name: '1h',
    stepUs: HOUR_US,
    keepUs: Number.POSITIVE_INFINITY,
    coverage: { ...EVERY_GROUP, sketch: SKETCH_LEVELS['1%'] }
  }
]
