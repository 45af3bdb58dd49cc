// Power may go at any write of a series store that is written, flushed, merged, rolled up and thinned out by
// retention. A restart finds the state after a prefix of what was sent that holds, at least, all that was
// acknowledged, bit for bit; rollups say what the raw rows say; and the store goes on working.
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { CrashDisk } from '../kit/crash-disk.ts'
import { seeds } from '../kit/seeds.ts'
import { liveSeries, nothingYet } from '../kit/series-life.ts'

const TURNS = 22

t.test('SeriesStore after a power cut at every write keeps every acknowledged row', async t => {
  let cuts = 0
  for (const seed of seeds(2)) {
    const whole = new CrashDisk(new Random(seed))
    const random = new Random(seed)
    t.same(await liveSeries({ disk: whole, random, facts: nothingYet(), turns: TURNS, closes: true }), [])
    for (let step = 1; step <= whole.steps; step++) {
      const disk = new CrashDisk(new Random(seed * 10_000 + step), step)
      const facts = nothingYet()
      await liveSeries({ disk, random: new Random(seed), facts, turns: TURNS })
      const again = disk.afterCut()
      const wrongs = await liveSeries({
        disk: again,
        random: new Random(step),
        facts,
        turns: 4,
        closes: true
      })
      wrongs.push(
        ...(await liveSeries({ disk: again.afterCut(), random: new Random(step), facts, turns: 0 }))
      )
      if (wrongs.length > 0) t.fail(`VARVE_SEED=${seed} step ${step}: ${wrongs.join('; ')}`)
      cuts++
    }
  }
  t.ok(cuts > 60, `${cuts} cuts`)
  t.comment(`${cuts} cuts`)
})

t.test('SeriesStore keeps every acknowledged row over many lives that end by cut, kill or close', async t => {
  for (const seed of seeds(70)) {
    const random = new Random(seed)
    const facts = nothingYet()
    let disk = new CrashDisk(random, 1 + random.below(150))
    for (let life = 0; life < 4; life++) {
      const closes = random.chance(0.2)
      const wrongs = await liveSeries({ disk, random, facts, turns: 1 + random.below(40), closes })
      if (wrongs.length > 0) {
        t.fail(`VARVE_SEED=${seed} life ${life}: ${wrongs.join('; ')}`)
        break
      }
      const diesAt = 1 + random.below(150)
      disk = disk.dead || random.chance(0.3) ? disk.afterCut(diesAt) : disk.afterKill(diesAt)
    }
  }
})
