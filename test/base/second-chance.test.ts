// What is kept within a bound of weight, held against a plain model.
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { SecondChance } from '../../src/base/second-chance.ts'
import { seeds } from '../kit/seeds.ts'

t.test('what was used since its turn stays a round more, the rest goes oldest first', t => {
  const kept = new SecondChance<string, number>(3, 1)
  for (const key of ['a', 'b', 'c']) kept.put(key, 1, 1)
  t.equal(kept.get('a'), 1)
  kept.put('d', 1, 1)
  t.strictSame(
    ['a', 'b', 'c', 'd'].map(key => kept.get(key) !== undefined),
    [true, false, true, true]
  )
  t.end()
})

t.test('its weight is that of what it holds, and within the bound', t => {
  for (const seed of seeds(50)) {
    const random = new Random(seed)
    const kept = new SecondChance<number, number>(100, 4)
    const weights = new Map<number, number>()
    for (let i = 0; i < 300; i++) {
      const key = random.below(20)
      const weight = 1 + random.below(40)
      if (random.chance(0.7)) {
        kept.put(key, weight, weight)
        weights.set(key, weight)
        if (kept.fits(weight) !== weight <= 25) t.fail(`VARVE_SEED=${seed} fits(${weight})`)
        if (weight > 25 && kept.get(key) !== undefined) t.fail(`VARVE_SEED=${seed} put ${weight}`)
      } else if (random.chance(0.5)) kept.delete(key)
      else if (random.chance(0.1)) kept.deleteWhere((one, value) => one === key || value > 20)
      let sum = 0
      let count = 0
      for (let k = 0; k < 20; k++) {
        const value = kept.get(k)
        if (value === undefined) continue
        if (value !== weights.get(k)) t.fail(`VARVE_SEED=${seed} ${k} is ${value}`)
        sum += value
        count++
      }
      if (sum !== kept.weight || count !== kept.size || sum > 100) t.fail(`VARVE_SEED=${seed} ${kept.weight}`)
    }
  }
  t.end()
})
