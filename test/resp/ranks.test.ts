// Ranks by landmarks against a sorted array: over random changes, of places below each other as scores are.
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { Head } from '../../src/resp/head.ts'
import { Ranks } from '../../src/resp/ranks.ts'
import { seeds } from '../kit/seeds.ts'
import { openFace } from './face.ts'

/** A sorted set as its places, and how many of them walks went over. */
class Places {
  all: string[] = []
  walked = 0

  indexOf(place: string): number {
    let [low, high] = [0, this.all.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.all[middle]! < place) low = middle + 1
      else high = middle
    }
    return low
  }

  readonly walk = (from: string, to: string | null): string[] => {
    const some = this.all.slice(this.indexOf(from), to === null ? undefined : this.indexOf(to))
    this.walked += some.length
    return some
  }
}

function change(random: Random, places: Places, ranks: Ranks, head: Head, isGrowing: boolean): void {
  const place = isGrowing ? `9${places.all.length}` : random.u32().toString(16).padStart(8, '0')
  const at = places.indexOf(place)
  const isThere = places.all[at] === place
  if (random.chance(0.3) && places.all.length > 0) {
    const [gone] = places.all.splice(random.below(places.all.length), 1)
    ranks.removed(head, gone!)
    head.count--
  } else if (!isThere) {
    places.all.splice(at, 0, place)
    ranks.added(head, place)
    head.count++
  }
}

t.test('Ranks tells the rank of every place, whatever was added and removed', async t => {
  for (const seed of seeds(20)) {
    const random = new Random(seed)
    const places = new Places()
    const head = new Head('zset', seed + 1)
    const ranks = new Ranks()
    const isGrowing = random.chance(0.5)
    const faults: string[] = []
    for (let i = 0; i < 6000; i++) {
      change(random, places, ranks, head, isGrowing)
      if (i % 40 !== 0 || head.count === 0) continue
      const rank = random.below(head.count)
      const below = ranks.below(head, places.all[rank]!, places.walk)
      if (below !== rank) faults.push(`rank ${rank} is told as ${below}`)
      const { from, to, skip, skipBack } = ranks.start(head, rank, places.walk)
      const stretch = places.walk(from, to)
      if (stretch[skip] !== places.all[rank]) faults.push(`rank ${rank} is not where it starts`)
      if (stretch.at(-1 - skipBack) !== places.all[rank]) faults.push(`nor from its end`)
    }
    t.same(faults.slice(0, 3), [], `VARVE_SEED=${seed}`)
  }
})

t.test('Ranks walks over few places once it has landmarks, also where many were added since', t => {
  const places = new Places()
  const head = new Head('zset', 1)
  const ranks = new Ranks()
  const add = (n: number) => {
    for (let i = 0; i < n; i++) {
      const place = String(head.count++).padStart(9, '0')
      places.all.push(place)
      ranks.added(head, place)
    }
  }
  add(20_000)
  ranks.below(head, places.all[10]!, places.walk)
  add(20_000)
  ranks.below(head, places.all[39_000]!, places.walk)
  places.walked = 0
  t.equal(ranks.below(head, places.all[39_999]!, places.walk), 39_999)
  t.equal(ranks.below(head, places.all[12_345]!, places.walk), 12_345)
  t.ok(places.walked < 2_500, `walked over ${places.walked}`)
  head.count -= 2
  places.all.splice(0, 2)
  t.equal(ranks.below(head, '~', places.walk), 39_998, 'landmarks that do not add up are made anew')
  t.end()
})

t.test('ranks and counts of a large sorted set are those of a small one', async t => {
  const { client } = await openFace(t)
  const one = await client()
  const [seed] = seeds(1)
  const random = new Random(seed!)
  const scores = new Map<string, number>()
  const order = () =>
    [...scores].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1)).map(([member]) => member)
  for (let round = 0; round < 6; round++) {
    const words: string[] = []
    for (let i = 0; i < 400; i++) {
      const [member, score] = [`m${random.below(2000)}`, random.below(100) - 50]
      scores.set(member, score)
      words.push(String(score), member)
    }
    await one.run(`ZADD z ${words.join(' ')}`)
    const gone = order().filter(() => random.chance(0.1))
    for (const member of gone) scores.delete(member)
    await one.run(`ZREM z ${gone.join(' ')} nobody`)
    const sorted = order()
    const rank = random.below(sorted.length)
    const label = `VARVE_SEED=${seed}`
    t.equal(await one.run(`ZRANK z ${sorted[rank]}`), `:${rank}`, label)
    t.equal(await one.run(`ZREVRANK z ${sorted[rank]}`), `:${sorted.length - 1 - rank}`, label)
    const count = (isIn: (score: number) => boolean) => `:${[...scores.values()].filter(isIn).length}`
    t.equal(
      await one.run('ZCOUNT z (-20 30'),
      count(score => score > -20 && score <= 30),
      label
    )
    t.equal(
      await one.run('ZCOUNT z -20 (30'),
      count(score => score >= -20 && score < 30),
      label
    )
    t.equal(await one.run('ZCOUNT z 5 (5'), ':0', label)
    const shown = (some: readonly string[]) => `[${some.map(member => `"${member}"`).join(' ')}]`
    t.equal(await one.run(`ZRANGE z ${rank} ${rank + 20}`), shown(sorted.slice(rank, rank + 21)), label)
    const back = sorted.toReversed()
    t.equal(await one.run(`ZRANGE z ${rank} ${rank + 20} REV`), shown(back.slice(rank, rank + 21)), label)
  }
})
