import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { checkDirectory } from '../../src/cli/check-directory.ts'
import type { CheckStep } from '../../src/cli/doors.ts'
import { NodeDisk } from '../../src/disk/node-disk.ts'
import { MANIFEST, SEGMENT_DIR, segmentPath } from '../../src/engine/file-names.ts'
import { Manifest } from '../../src/engine/manifest.ts'
import { SegmentWriter } from '../../src/engine/segment-writer.ts'
import { seeds } from '../kit/seeds.ts'

/** A directory with two segments of ten blocks. */
async function makeDirectory(dir: string): Promise<void> {
  const disk = new NodeDisk(dir)
  await disk.makeDir(SEGMENT_DIR)
  const manifest = await Manifest.open({
    disk,
    readOnly: false,
    anySalt: () => 7,
    onCheckpoint: () => undefined
  })
  for (let n = 0; n < 2; n++) {
    const id = manifest.nextSegmentId()
    const header = { id, family: 1, class: 'default', bucketUs: 0, spanUs: 86_400_000_000 }
    const writer = await SegmentWriter.create(disk, segmentPath(id), 'segment', header)
    for (let i = 0; i < 10; i++) writer.block(1, new Uint8Array(50 + i).fill(id * 16 + i))
    const facts = { order: id, timeMinUs: 0, timeMaxUs: 1, samples: 10, level: 0, boot: 0 }
    await manifest.commit({ add: [await writer.finish(new Uint8Array(20).fill(9), facts)] })
  }
}

async function steps(dir: string): Promise<CheckStep[]> {
  const all: CheckStep[] = []
  for await (const step of checkDirectory(dir)) all.push(step)
  return all
}

t.test('checkDirectory() reads a sound directory and finds nothing', async t => {
  const dir = t.testdir({})
  await makeDirectory(dir)
  const found = await steps(dir)
  t.match(found, [
    { kind: 'file', file: MANIFEST, blocks: 2 },
    { kind: 'file', file: segmentPath(1), blocks: 10 },
    { kind: 'file', file: segmentPath(2), blocks: 10 }
  ])
  t.equal(found.length, 3)
})

t.test('checkDirectory() names the file of any flipped bit, and the others stay sound', async t => {
  const dir = t.testdir({})
  await makeDirectory(dir)
  for (const seed of seeds(60)) {
    const random = new Random(seed)
    const file = segmentPath(1 + random.below(2))
    const sound = readFileSync(`${dir}/${file}`)
    const damaged = Buffer.from(sound)
    damaged[random.below(damaged.length)]! ^= 1 << random.below(8)
    writeFileSync(`${dir}/${file}`, damaged)
    const found = (await steps(dir)).filter(step => step.kind === 'damage')
    if (found.length === 0 || found.some(step => step.file !== file)) {
      t.fail(`VARVE_SEED=${seed} ${JSON.stringify(found)}`)
    }
    writeFileSync(`${dir}/${file}`, sound)
  }
})

t.test('checkDirectory() tells a missing segment and a directory that is none of ours', async t => {
  const dir = t.testdir({ empty: {} })
  await makeDirectory(dir)
  await new NodeDisk(dir).remove(segmentPath(1))
  t.match(
    (await steps(dir)).filter(step => step.kind === 'damage'),
    [{ file: segmentPath(1), why: /missing/ }]
  )
  await t.rejects(steps(`${dir}/empty`), { code: 'VARVE_NOT_FOUND' })
  await t.rejects(steps(`${dir}/nowhere`), { code: 'VARVE_NOT_FOUND' })
})
