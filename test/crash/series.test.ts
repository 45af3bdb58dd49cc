// Power may go at any write of a store that is written, flushed, merged, rolled up and thinned out by retention.
// A restart finds the state after a prefix of what was sent that holds, at least, all that was acknowledged, bit
// for bit; rollups say what the raw rows say; and the store goes on working, life after life.
// Cuts at every write of a life are in matrix.test.ts.
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { CrashDisk } from '../kit/crash-disk.ts'
import { seeds } from '../kit/seeds.ts'
import { liveSeries, nothingYet } from '../kit/series-life.ts'

t.test('the store keeps every acknowledged row over many lives that end by cut, kill or close', async t => {
  for (const seed of seeds(40)) {
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
