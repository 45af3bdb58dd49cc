// What is done piece by piece because it would be large at once: names of a segment, definitions of the
// catalog's file, shapes of another thread.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { NodeDisk } from '../../src/disk/node-disk.ts'
import { CATALOG, segmentPath } from '../../src/engine/file-names.ts'
import { RecordFile } from '../../src/engine/record-file.ts'
import { Catalog } from '../../src/series/catalog.ts'
import { CatalogFile } from '../../src/series/catalog-file.ts'
import { writeSegment } from '../../src/series/flush-job.ts'
import { RunRoom } from '../../src/series/run-room.ts'
import { KIND } from '../../src/series/sample.ts'
import { SeriesSegment } from '../../src/series/segment-open.ts'
import { Shapes, ShapesReplica } from '../../src/series/shape.ts'

const GROUPS = 8_000
const unbounded = { seriesMax: Number.POSITIVE_INFINITY, fieldsPerGroupMax: Number.POSITIVE_INFINITY }

function emptyDisk(): NodeDisk {
  const dir = mkdtempSync(join(tmpdir(), 'varve-many-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  mkdirSync(join(dir, 'segments'))
  return new NodeDisk(dir)
}

/** Names of 150 bytes and more, 1.2 MB in all. */
function manyGroups(): Catalog {
  const catalog = new Catalog(unbounded)
  for (let i = 0; i < GROUPS; i++) {
    const group = catalog.group('telemetry', [['topic', `${'site/'.repeat(26)}device${i}`]])
    catalog.field(group, 'temperature')
    if (i % 3 === 0) catalog.field(group, `field${i}`)
  }
  return catalog
}

const catalog = manyGroups()
const named = Array.from({ length: GROUPS }, (_, id) => {
  const { name, labels, fields } = catalog.at(id)
  return { id, name, labels, fields }
})

t.test('a segment of more names than one frame holds gives all of them back, and its index', async t => {
  const disk = emptyDisk()
  const times = Float64Array.of(1e15, 1e15 + 1e6)
  const numbers = Float64Array.of(1, 2)
  const column = { field: 0, kind: KIND.number, present: null, count: 2, numbers, texts: null }
  const groups = named.map(({ id }) => ({ group: id, runs: [{ rows: 2, times, columns: [column] }] }))
  const target = { id: 1, order: 1, class: 'default', bucketUs: 0, spanUs: 2e15, level: 0, boot: 0 }
  await writeSegment(disk, catalog, { ...target, cause: 'segment' }, groups)
  const segment = new SeriesSegment(disk, segmentPath(1))
  t.same(segment.names(), named)
  const index = segment.readIndex()
  t.equal(index.groups.length, GROUPS)
  for (const group of [0, 1, 4_321, GROUPS - 1]) {
    const places = index.chunks(group, 0, 2e15)
    t.same(
      places.map(place => [...segment.run(place, null, new RunRoom()).times]),
      [[...times]],
      `group ${group}`
    )
  }
  segment.close()
})

t.test('definitions go to the file in records of some 256 KiB, with one sync, and come back', async t => {
  const disk = emptyDisk()
  const open = (into: CatalogFile, lengths: number[] = []) =>
    RecordFile.open({
      disk,
      path: CATALOG,
      cause: 'catalog',
      owner: 2,
      anySalt: () => 1,
      onRecord: (_, payload) => {
        lengths.push(payload.length)
        into.take(payload)
      }
    })
  const file = await open(new CatalogFile(new Catalog(unbounded)))
  const definitions = new CatalogFile(catalog)
  await definitions.save(file)
  t.same(definitions.defined, { groups: catalog.groupCount, series: catalog.seriesCount })
  file.close()
  const again = new Catalog(unbounded)
  const lengths: number[] = []
  const reopened = await open(new CatalogFile(again), lengths)
  t.ok(lengths.length > 4, 'several records')
  t.ok(Math.max(...lengths) < 300_000, 'none of them large')
  t.same(
    named.map(({ id }) => again.at(id).fields),
    named.map(({ fields }) => fields)
  )
  t.same(again.at(GROUPS - 1).labels, named.at(-1)!.labels)
  reopened.close()
})

t.test('a replica of shapes has their templates and boots, whenever it was told', t => {
  const shapes = new Shapes()
  const replica = new ShapesReplica()
  let known = 0
  for (let group = 0; group < 600; group++) {
    const fields = Array.from({ length: 1 + (group % 40) }, (_, i) => i)
    const id = shapes.intern(
      group,
      fields,
      fields.map(() => KIND.number)
    )
    if (group % 7 === 0) shapes.twin(id, 3)
    if (group % 150 !== 149) continue
    const view = shapes.view(known)
    known += view.templates.length
    replica.adopt(view)
    for (const [shape, { template, boot }] of shapes.all.entries()) {
      if (replica.boot(shape) !== boot) t.fail(`boot of shape ${shape}`)
      if (replica.template(shape) !== template) t.fail(`template of shape ${shape}`)
    }
  }
  t.equal(known, 40, 'each template was told once')
  t.end()
})
