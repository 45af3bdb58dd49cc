// A gateway without a clock, cut at any step and booted at random: each time is right, or told to be provisional.
import t from 'tap'
import type { Random } from '../../src/base/random.ts'
import { MADE_US } from '../../src/base/version.ts'
import { seeds } from '../kit/seeds.ts'
import { isCut } from '../kit/series-life.ts'
import { TIERS } from '../kit/series-store.ts'
import { judge, World } from './clock-world.ts'

const MS = 1000

t.test('a power cut at any write leaves a boot corrected whole or not at all', async t => {
  const run = async (world: World): Promise<number> => {
    const life = await world.boot({ showsUs: 0 })
    life.sendSome(25)
    await life.flush()
    life.sendSome(10)
    await life.synced()
    const acknowledged = world.sent.length
    const flushing = life.flush()
    // What nobody awaits when the cut comes.
    flushing.catch(() => {})
    await life.set()
    life.sendSome(10)
    await flushing
    await life.synced()
    await life.store.maintenance.rollup(TIERS)
    await life.close()
    return acknowledged
  }
  const whole = new World(3)
  const acknowledged = await run(whole)
  let [provisional, corrected] = [0, 0]
  for (let step = 1; step <= whole.disk.steps; step++) {
    const world = new World(3, step)
    try {
      await run(world)
    } catch (error) {
      if (!isCut(error)) throw error
    }
    world.disk = world.disk.afterCut()
    world.boots = 7
    const again = await world.boot({ showsUs: world.trueUs, sync: 'set' })
    const found = again.found()
    const isTrue = (n: number) => Math.abs(found.get(n)![0]! - world.sent[n]!.trueUs) <= 2 * MS
    const ofBoot = [...found.keys()].filter(n => n < acknowledged && world.sent[n]!.deviceUs === null)
    const right = ofBoot.filter(isTrue).length
    if (right === ofBoot.length) corrected++
    else if (right === 0) provisional++
    else t.fail(`step ${step}: ${right} of ${ofBoot.length} samples are corrected`)
    const there = world.sent.filter(one => found.has(one.n))
    t.same(
      judge(found, there, () => null),
      [],
      `step ${step}`
    )
    const { length } = again.keeper.uncorrected()
    if (ofBoot.length > 0)
      t.equal(length, right === ofBoot.length ? 0 : 1, `step ${step}: told when provisional`)
    await again.close()
  }
  t.ok(provisional > 5 && corrected > 5, `${provisional} provisional, ${corrected} corrected`)
})

t.test('over random boots, cuts, steps and flushes every time is true or told', async t => {
  for (const seed of seeds(40)) {
    const world = new World(seed)
    const { random } = world
    const settled = new Set<number>()
    for (let boot = 0; boot < 4; boot++) {
      let life = await world.boot({ showsUs: showsAt(world, random), sync: 'waiting' })
      for (let turn = 3 + random.below(8); turn > 0; turn--) {
        const what = random.below(10)
        if (what < 5) life.sendSome(1 + random.below(30), random.pick([2, 500, 60_000]))
        else if (what < 7) await life.flush()
        else if (what === 7 && !life.clock.isKnown) await life.set(random.below(2) * MS)
        else if (what === 8) await life.store.maintenance.merge(new AbortController().signal)
        else if (what === 9) {
          await life.synced()
          life.kill()
          life = await world.boot({ showsUs: 0, sameBoot: true, sync: life.facts.sync })
        }
        await life.keeper.look()
        if (life.clock.isKnown) settled.add(world.boots)
        const slack = (one: { boot: number }) => (settled.has(one.boot) ? 4 * MS : null)
        const wrongs = judge(life.found(), world.sent, slack)
        if (wrongs.length > 0) t.fail(`VARVE_SEED=${seed} boot ${boot}: ${wrongs.join('; ')}`)
        const told = life.keeper.uncorrected().reduce((sum, one) => sum + one.samples, 0)
        const open = world.sent.filter(one => one.deviceUs === null && !settled.has(one.boot)).length
        // What a crash left in both a segment and the WAL is counted twice.
        if (told < open || (open === 0 && told > 0))
          t.fail(`VARVE_SEED=${seed} boot ${boot}: ${told} samples told to be provisional, ${open} are`)
      }
      await life.synced()
      if (random.chance(0.5)) life.cut()
      else await life.close()
      world.off(random.below(1000) * 60_000)
    }
  }
  t.end()
})

/** What a machine shows at a boot: its start of time, a stale time, now and then one ahead. */
function showsAt(world: World, random: Random): number {
  const what = random.below(4)
  if (what === 0) return 0
  if (what === 1) return world.trueUs - random.below(100_000) * 1e6
  if (what === 2) return world.trueUs + random.below(100) * 1e6
  return MADE_US + random.below(1000) * 1e6
}
