// The model of the card against what can be worked out by hand, and against theory where it cannot.

import t from 'tap'
import {
  Card,
  flushStep,
  type Geometry,
  type MappingOptions,
  Nand,
  replay,
  type Step,
  yearsOf
} from '../../scripts/card-model.ts'
import { PageMapped } from '../../scripts/card-page-mapped.ts'
import { Random } from '../../src/base/random.ts'
import { seeds } from '../kit/seeds.ts'

const pageBytes = 16 * 1024
const unitPages = 8
const units = 32
const small: Geometry = {
  pageBytes,
  unitBytes: unitPages * pageBytes,
  cardBytes: units * unitPages * pageBytes,
  spareShare: 0.25
}
const byPage: MappingOptions = { kind: 'page' }
const byBlock = (openUnits: number, logUnits: number): MappingOptions => ({
  kind: 'block',
  openUnits,
  logUnits
})
const everyMapping = [byPage, byBlock(1, 0), byBlock(4, 0), byBlock(2, 2)]

/** Writes of `bytes` one behind the other over the whole card. */
function forward(bytes: number, flushed: boolean): Step[] {
  return Array.from({ length: small.cardBytes / bytes }, (_, i) => ({ at: i * bytes, bytes })).flatMap(
    step => (flushed ? [step, flushStep] : [step])
  )
}

/** Writes of whole pages, each flushed, and the pages that the card programmed for them. */
function programmed(mapping: MappingOptions, pages: readonly [page: number, count: number][]): number {
  const card = new Card(small, mapping)
  card.take(pages.flatMap(([page, count]) => [{ at: page * pageBytes, bytes: count * pageBytes }, flushStep]))
  return card.nand.programmed
}

t.test('Card programs each byte of a sequential stream once under every mapping', async t => {
  for (const mapping of everyMapping) {
    for (const [bytes, flushed] of [
      [pageBytes, true],
      [4 * pageBytes, true],
      [4096, false],
      [2 * small.unitBytes, false]
    ] as const) {
      const { amplification, erases, unevenness } = replay(forward(bytes, flushed), mapping, small)
      // The page that is held where counting begins may be counted whole.
      t.ok(
        amplification >= 1 && amplification < 1.005,
        `${JSON.stringify(mapping)} ${bytes}: ${amplification}`
      )
      // A unit that is open when the pass ends is erased in the next one.
      t.ok(Math.abs(erases - units) <= 1, `${erases} erases a pass of ${units} units`)
      t.ok(unevenness < 2, 'no unit is worn far more than the others')
    }
  }
})

t.test('Card programs a page for each durable quarter of a page', async t => {
  t.equal(replay(forward(4096, true), byBlock(2, 2), small).amplification, 4, 'parts wait in the log')
  for (const mapping of [byBlock(1, 0), byBlock(4, 0)]) {
    // No page is programmed twice, so 32 quarters do not fit into 8 pages: each time the unit is used up the
    // pages that are complete go to another one, 2 + 3 + 4 + 5 + 6 + 7 + 7 + 7 + 7 of them.
    const { amplification } = replay(forward(4096, true), mapping, small)
    t.ok(amplification >= 10 && amplification < 10.1, `${JSON.stringify(mapping)} ${amplification}`)
  }
  const again = [{ at: 3 * pageBytes, bytes: 4096 }, flushStep]
  t.equal(replay(again, byPage, small).amplification, 4, 'overwritten in place, nothing is left to move')
  // Over the whole card each unit is left with three stale copies of every page that counts: collection
  // moves each page once, a fifth page for four quarters.
  const { amplification } = replay(forward(4096, true), byPage, small)
  t.ok(amplification > 4.85 && amplification < 5.15, String(amplification))
})

t.test('Card holds the page begun until a flush or a write elsewhere', async t => {
  const card = new Card(small, byPage)
  card.write(0, 4096)
  card.write(4096, 4096)
  t.equal(card.nand.programmed, 0)
  card.write(9 * pageBytes, pageBytes)
  t.equal(card.nand.programmed, 2)
  card.write(0, pageBytes + 1)
  card.flush()
  card.flush()
  t.equal(card.nand.programmed, 4)
})

t.test('a block-mapped card copies the whole unit for a page out of order', async t => {
  // Page 5 of unit 0: pages 0-4 are copied, then it is programmed; unit 1 closes unit 0: pages 6 and 7.
  t.equal(programmed(byBlock(1, 0), [[5, 1]]), 6)
  t.equal(
    programmed(byBlock(1, 0), [
      [5, 1],
      [8, 1]
    ]),
    8 + 1
  )
  const scattered = Array.from(
    { length: 20 },
    (_, i) => [((i % 4) + 1) * unitPages + 3, 1] as [number, number]
  )
  t.equal(programmed(byBlock(1, 0), scattered), 19 * unitPages + 4)
  // Backwards within the open unit: it is closed and begun again.
  t.equal(
    programmed(byBlock(1, 0), [
      [4, 1],
      [2, 1]
    ]),
    8 + 3
  )
})

t.test('an overwrite of 4 KiB in place costs a block-mapped card what its units say', async t => {
  const geometry = { ...small, unitBytes: 256 * pageBytes, cardBytes: 16 * 256 * pageBytes }
  const overwrites = (places: readonly number[]): Step[] =>
    Array.from({ length: 2000 }, (_, i) => places[i % places.length]!).flatMap(page => [
      { at: page * pageBytes, bytes: 4096 },
      flushStep
    ])
  const costs = (places: readonly number[]) =>
    replay(overwrites(places), byBlock(4, 0), geometry).amplification
  const near = (found: number, wanted: number) =>
    t.ok(Math.abs(found / wanted - 1) < 0.02, `${found}, ${wanted}`)
  // In more units than are open: each copies 4 MiB for 4 KiB.
  near(costs([0, 1, 2, 3, 4, 5, 6].map(unit => unit * 256 + 100)), 1024)
  // In one unit that stays open: a page each, and what lies before it whenever the unit is used up.
  near(costs([0]), 4)
  near(costs([128]), 4 * (1 + 128 / 128))
  near(costs([192]), 4 * (1 + 192 / 64))
})

t.test('a block-mapped card follows as many streams as it has open units', async t => {
  const streams = (n: number) =>
    Array.from({ length: n * unitPages }, (_, i): [number, number] => [
      (i % n) * unitPages + Math.floor(i / n),
      1
    ])
  for (const n of [1, 2, 3, 4]) t.equal(programmed(byBlock(n, 0), streams(n)), n * unitPages)
  // One stream more than open units: each page closes and copies a unit.
  t.ok(programmed(byBlock(2, 0), streams(3)) > 8 * unitPages)
})

t.test(
  'a log takes small writes out of order and rewrites a unit once for all that it holds of it',
  async t => {
    // Two log units hold 16 pages; the 17th empties the oldest, which holds pages of one unit only.
    const one = Array.from({ length: 2 * unitPages + 1 }, (_, i): [number, number] => [1 + (i % 4), 1])
    t.equal(programmed(byBlock(1, 2), one), one.length, 'all of it was written again since: nothing is moved')
    const single = Array.from({ length: unitPages + 1 }, (_, i): [number, number] => [1 + (i % 4), 1])
    t.equal(programmed(byBlock(1, 1), single), unitPages + unitPages + 1, 'one unit is rewritten')
    const many = Array.from({ length: unitPages + 1 }, (_, i): [number, number] => [i * unitPages + 3, 1])
    t.equal(programmed(byBlock(1, 1), many), unitPages * unitPages + unitPages + 1, 'eight units are')
  }
)

t.test('a log is left by a stream that begins within a unit and goes on', async t => {
  const geometry = { ...small, unitBytes: 128 * pageBytes, cardBytes: 8 * 128 * pageBytes }
  const card = new Card(geometry, byBlock(2, 2))
  for (let page = 10; page < 128; page++) card.take([{ at: page * pageBytes, bytes: pageBytes }, flushStep])
  // 31 pages go to the log; with the 32nd the unit is rewritten: 41 pages before it are copied.
  t.equal(card.nand.programmed, 31 + 41 + (128 - 41))
})

t.test('greedy collection costs what theory says for random overwrites', async t => {
  // Desnoyers, "Analytic modeling of SSD write performance", SYSTOR 2012: a / (a + W(-a exp(-a))), a = T/U,
  // for cleaning in turn, which greedy cleaning approaches when units hold many pages.
  const geometry = { pageBytes: 4, unitBytes: 4 * 128, cardBytes: 4 * 128 * 400, spareShare: 0.25 }
  const random = new Random(7)
  const steps = Array.from({ length: 400 * 128 * 4 }, () => ({ at: 4 * random.below(400 * 128), bytes: 4 }))
  const a = 1.25
  let w = 0
  for (let i = 0; i < 200; i++) w = -a * Math.exp(-a) * Math.exp(-w)
  const theory = a / (a + w)
  const { amplification } = replay(steps, byPage, geometry)
  t.ok(Math.abs(amplification / theory - 1) < 0.05, `${amplification}, theory ${theory}`)
})

t.test('PageMapped keeps every page in exactly one place', async t => {
  for (const seed of seeds(20)) {
    const random = new Random(seed)
    const nand = new Nand(12, 8)
    const mapping = new PageMapped(nand, 8, unitPages)
    for (let i = 0; i < 500; i++) {
      const first = random.below(8 * unitPages)
      mapping.pages(first, 1 + random.below(Math.min(12, 8 * unitPages - first)))
    }
    const places = Array.from({ length: 8 * unitPages }, (_, page) => mapping.placeOf(page))
    t.equal(new Set(places).size, places.length, `VARVE_SEED=${seed}`)
  }
})

t.test('a card gives back every unit that it takes, whatever is written', async t => {
  for (const seed of seeds(30)) {
    const random = new Random(seed)
    for (const mapping of everyMapping) {
      const card = new Card(small, mapping)
      const free = card.nand.freeUnits
      let asked = 0
      for (let i = 0; i < 2000; i++) {
        const at = 512 * random.below(small.cardBytes / 512 - 64)
        const bytes = 512 * (1 + random.below(64))
        card.write(at, bytes)
        asked += bytes
        if (random.chance(0.5)) card.flush()
      }
      card.flush()
      const held = mapping.kind === 'block' ? mapping.openUnits : units * small.spareShare
      t.ok(card.nand.freeUnits >= free - held, `VARVE_SEED=${seed}`)
      t.ok(card.nandBytes >= asked, `nothing is written for less than itself, VARVE_SEED=${seed}`)
    }
  }
})

t.test('replay() gives the same outcome for the same trace', async t => {
  for (const mapping of everyMapping) {
    const outcomes = [1, 2].map(() => {
      const random = new Random(3)
      const steps = Array.from({ length: 300 }, () =>
        random.chance(0.3) ? flushStep : { at: 4096 * random.below(512), bytes: 4096 * (1 + random.below(8)) }
      )
      return replay(steps, mapping, small)
    })
    t.strictSame(outcomes[0], outcomes[1])
  }
})

t.test('Card refuses what is no card and writes beyond its end', async t => {
  t.throws(() => new Card({ ...small, cardBytes: 1 }, byPage), /Cannot model a card of 0 units/)
  t.throws(() => new Card({ ...small, spareShare: 0 }, byPage), /0 to spare/)
  t.throws(() => new Card(small, byPage).write(small.cardBytes - 512, 1024), /Cannot write at/)
  t.throws(() => replay([flushStep], byPage, small), /writes nothing/)
})

t.test('yearsOf() doubles with the size of the card and halves with the rate', async t => {
  const years = yearsOf(1e6, 32e9, 1000)
  t.ok(Math.abs(years - 1.014) < 0.001, String(years))
  t.equal(yearsOf(1e6, 64e9, 1000), 2 * years)
  t.equal(yearsOf(2e6, 32e9, 1000), years / 2)
})
