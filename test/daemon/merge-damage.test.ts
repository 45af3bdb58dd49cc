// A damaged segment ends neither the merges of its neighbours nor those of other buckets, and goes by its age.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { VarveError } from '../../src/base/errors.ts'
import { segmentPath } from '../../src/engine/file-names.ts'
import type { SegmentInfo } from '../../src/engine/manifest.ts'
import { HOUR_US, START_US } from '../kit/rollup-times.ts'
import { openReader, openWorld, temporaryDir, type World, write } from '../kit/rollup-world.ts'

const DAY_US = 24 * HOUR_US

/** Rows of each flush: dense segments and small ones, which a merge with them would make smaller. */
const ROWS = [900, 60, 60, 60, 60, 900]

/** Two closed hours, ten days apart, of six segments each. */
async function filled(t: Test, rawKeepUs = Number.POSITIVE_INFINITY): Promise<World> {
  const world = await openWorld(temporaryDir(t), START_US + 30 * DAY_US, rawKeepUs)
  for (const [flush, count] of ROWS.entries()) {
    for (const day of [0, 10]) {
      for (let i = 0; i < count; i++) {
        const atUs = START_US + day * DAY_US + flush * 100e6 + i * 1e5
        write(world, 0, atUs, { energy: (i * i) % 997 }, 'meter')
      }
    }
    await world.storage.series.flush()
  }
  return world
}

function segments(world: World): SegmentInfo[] {
  return [...world.storage.engine.manifest.segments.values()].sort((a, b) => a.order - b.order)
}

function ofDay(world: World, day: number): SegmentInfo[] {
  const atUs = START_US + day * DAY_US
  return segments(world).filter(one => one.timeMinUs < atUs + DAY_US && one.timeMaxUs >= atUs)
}

/** Changes its blocks. */
function damage(world: World, { id }: SegmentInfo): void {
  const path = join(world.disk.root, segmentPath(id))
  const bytes = readFileSync(path)
  for (let at = 64; at < bytes.length / 2; at++) bytes[at]! ^= 0x55
  writeFileSync(path, bytes)
}

const merge = (world: World) => world.maintenance.merge(new AbortController().signal)

function rows(world: World): number {
  const reader = openReader(world, false, undefined, () => {})
  let sum = 0
  for (const run of reader.runs(0, null, START_US, START_US + 30 * DAY_US)) sum += run.rows
  reader.close()
  return sum
}

t.test('what lies before and after a damaged segment is merged, and so are other buckets', async t => {
  const world = await filled(t)
  t.equal(rows(world), 2 * 2040)
  const [hurt] = ofDay(world, 0).slice(3)
  damage(world, hurt!)
  const before = rows(world)
  t.equal(before, 2 * 2040 - 60, 'the rows of one segment are gone')
  const done = await merge(world)
  t.match(done, { damaged_segments: 1 })
  t.equal(ofDay(world, 10).length, 1)
  const left = ofDay(world, 0)
  t.same(
    left.map(({ id, level }) => [id === hurt!.id, level]),
    [
      [false, 1],
      [true, 0],
      [false, 1]
    ]
  )
  t.equal(rows(world), before, 'nothing else is')
  t.match(await merge(world), { merges: 0, damaged_segments: 1 })
})

t.test('a damaged segment is dropped with its bucket', async t => {
  const world = await filled(t, 25 * DAY_US)
  for (const one of ofDay(world, 0).slice(0, 2)) damage(world, one)
  await merge(world)
  await world.maintenance.retention()
  t.equal(ofDay(world, 0).length, 0)
  t.equal(ofDay(world, 10).length, 1)
  t.match(await merge(world), { damaged_segments: 0 })
})

t.test('a merge that cannot read its inputs fails the job after the others', async t => {
  const world = await filled(t)
  const { workers } = (world.maintenance as unknown as { parts: { workers: { merge: unknown } } }).parts
  const own = workers.merge as (inputs: SegmentInfo[]) => Promise<unknown>
  const [bad] = ofDay(world, 0)
  workers.merge = async (inputs: SegmentInfo[]) => {
    if (inputs.some(({ id }) => id === bad!.id)) throw new VarveError('VARVE_IO', 'Cannot read: EIO')
    return own(inputs)
  }
  await t.rejects(merge(world), { code: 'VARVE_IO' })
  t.equal(ofDay(world, 10).length, 1)
  t.equal(ofDay(world, 0).length, ROWS.length)
  workers.merge = own
  await merge(world)
  t.equal(ofDay(world, 0).length, 1, 'it is tried again')
})
