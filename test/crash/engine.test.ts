// Power may go at any write. A restart finds a prefix of what was sent that holds, at least, all that was
// acknowledged: nothing lost, nothing altered, nothing invented, and no torn tail reported as corruption.
import t from 'tap'
import { reason } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { CrashDisk } from '../kit/crash-disk.ts'
import { live, nothingSent } from '../kit/engine-life.ts'
import { FaultDisk } from '../kit/fault-disk.ts'
import { seeds } from '../kit/seeds.ts'

t.test('Engine after a power cut at every write keeps every acknowledged entry', async t => {
  let cuts = 0
  for (const seed of seeds(4)) {
    const whole = new CrashDisk(new Random(seed))
    await live({ disk: whole, random: new Random(seed), sofar: nothingSent(), turns: 40, closes: true })
    for (let step = 1; step <= whole.steps; step++) {
      const disk = new CrashDisk(new Random(seed * 10_000 + step), step)
      const sofar = nothingSent()
      await live({ disk, random: new Random(seed), sofar, turns: 40 })
      const wrongs = await live({ disk: disk.afterCut(), random: new Random(step), sofar, turns: 3 })
      if (wrongs.length > 0) t.fail(`VARVE_SEED=${seed} step ${step}: ${wrongs.join('; ')}`)
      cuts++
    }
  }
  t.ok(cuts > 100, `${cuts} cuts`)
})

t.test('Engine keeps every acknowledged entry over many lives that end by cut, kill or close', async t => {
  for (const seed of seeds(150)) {
    const random = new Random(seed)
    const sofar = nothingSent()
    let disk = new CrashDisk(random, 1 + random.below(120))
    for (let life = 0; life < 6; life++) {
      const closes = random.chance(0.2)
      const wrongs = await live({ disk, random, sofar, turns: 1 + random.below(60), closes })
      if (wrongs.length > 0) t.fail(`VARVE_SEED=${seed} life ${life}: ${wrongs.join('; ')}`)
      // A life that did not die is killed: its process ends, the kernel keeps what was written.
      const diesAt = 1 + random.below(150)
      disk = disk.dead || random.chance(0.3) ? disk.afterCut(diesAt) : disk.afterKill(diesAt)
    }
  }
})

t.test(
  'Engine keeps what it acknowledged when a write, a sync or the room fails, and the power after it',
  async t => {
    for (const seed of seeds(60)) {
      for (const fault of ['writeAt', 'shortWriteAt', 'syncAt', 'fullFrom']) {
        const random = new Random(seed)
        const inner = new CrashDisk(random)
        const disk = new FaultDisk(inner)
        disk.faults = { [fault]: 1 + random.below(fault === 'fullFrom' ? 20 : 70) }
        const sofar = nothingSent()
        await live({ disk, random, sofar, turns: 60 })
        const found = random.chance(0.5) ? inner.afterCut() : inner.afterKill()
        const wrongs = await live({ disk: found, random, sofar, turns: 10 })
        wrongs.push(...(await live({ disk: found.afterCut(), random, sofar, turns: 0 })))
        if (wrongs.length > 0) t.fail(`VARVE_SEED=${seed} ${fault}: ${wrongs.join('; ')}`)
      }
    }
  }
)

t.test('these tests find a store that acknowledges before it syncs', async t => {
  t.ok((await planted(disk => disk.forgetSyncs())) > 0, 'found')
})

t.test('these tests find a store that does not sync directories', async t => {
  t.ok((await planted(disk => disk.forgetDirs())) > 0, 'found')
})

async function planted(plant: (disk: CrashDisk) => void): Promise<number> {
  let found = 0
  for (let seed = 1; seed <= 30; seed++) {
    const disk = new CrashDisk(new Random(seed), 20 + seed * 3)
    plant(disk)
    const sofar = nothingSent()
    await live({ disk, random: new Random(seed), sofar, turns: 60 })
    const again = { disk: disk.afterCut(), random: new Random(seed), sofar, turns: 0 }
    const wrongs = await live(again).catch(error => [reason(error)])
    if (wrongs.length > 0) found++
  }
  return found
}
