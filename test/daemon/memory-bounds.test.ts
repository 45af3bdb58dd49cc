// What happens as memory fills: a flush begins early, then senders are paused, then rows are refused; and when
// the flush ends all of it is undone by itself. On a simulated disk, with a flush that ends when it is told to.
import t from 'tap'
import { VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { defaultConfig } from '../../src/config/load.ts'
import { Gate } from '../../src/daemon/gate.ts'
import { headBytes } from '../../src/daemon/policy.ts'
import { openStorage } from '../../src/daemon/storage.ts'
import { problemOf, varveFace } from '../../src/http/problem.ts'
import { countTargets, flushHead } from '../../src/series/flush-job.ts'
import { HeadReader } from '../../src/series/head-read.ts'
import { makeLabels } from '../../src/series/label.ts'
import { KIND } from '../../src/series/sample.ts'
import { CrashDisk } from '../kit/crash-disk.ts'
import { HandClock } from '../kit/hand-clock.ts'

const config = defaultConfig()
const bounds = headBytes({ ...config, memory: { ...config.memory, max: 32 * 2 ** 20 } })

/** A store whose flushes wait for `release`. */
async function open() {
  const random = new Random(1)
  const disk = new CrashDisk(random)
  const asked: string[] = []
  const release = Promise.withResolvers<void>()
  const storage = await openStorage({
    disk,
    clock: new HandClock(),
    readOnly: false,
    series: {
      limits: { seriesMax: 100, fieldsPerGroupMax: 10 },
      classes: [{ name: 'default', keepUs: Number.POSITIVE_INFINITY, spanUs: 86_400e6 }],
      classify: () => 0,
      flushBytes: bounds.flush,
      headBytesMax: bounds.refuse,
      onLate: () => {},
      onFull: () => asked.push('flush'),
      afterReaders: callback => callback()
    },
    kv: {},
    wal: { fileBytes: 2 ** 20, filesMax: 60 },
    pace: { delayMaxMs: 0, delayMaxLazyMs: 0, groupBytesTrigger: 8192 },
    anyU32: () => random.u32(),
    onDamage: error => t.fail(error.message),
    onError: error => t.fail(String(error))
  })
  const { engine, series } = storage
  const nextIds = (count: number) => {
    const ids = Array.from({ length: count }, () => engine.manifest.nextSegmentId())
    return { ids, order: ids[0] ?? 0 }
  }
  series.start(
    {
      rotate: () => engine.wal.rotate(),
      commit: edit => engine.manifest.commit(edit),
      get pendingGroup() {
        return engine.wal.pendingGroup
      }
    },
    storage.catalogFile,
    {
      flush: async (view, classes) => {
        await release.promise
        const head = new HeadReader(view, series.shapes)
        return flushHead(disk, head, series.catalog, classes, nextIds(countTargets(head, classes)))
      }
    }
  )
  return { storage, asked, release }
}

t.test('a store that fills up asks for a flush, pauses senders, refuses rows, and recovers', async t => {
  const { storage, asked, release } = await open()
  const { engine, series } = storage
  const gate = new Gate(engine.wal, series, bounds.pause)
  const told: number[] = []
  gate.onSynced(group => told.push(group))
  const shape = series.shape('', makeLabels([['topic', 'a']]), ['v'], [KIND.number])
  let timeUs = 1.7e15
  const fillTo = async (bytes: number) => {
    while (series.headBytes <= bytes) {
      for (let i = 0; i < 5_000; i++) {
        series.begin(shape, timeUs++)
        series.slots[series.at] = i
        series.end()
      }
    }
    engine.wal.note(1, 2)
    await engine.wal.synced(engine.wal.pendingGroup)
  }
  await fillTo(bounds.flush)
  t.same(asked, ['flush'], 'the first bound asks for a flush')
  t.ok(gate.pendingBytes < 2 ** 20, 'and pauses nobody')
  const flushed = series.flush()
  await fillTo(bounds.pause)
  t.equal(gate.pendingBytes, Number.MAX_SAFE_INTEGER, 'the second pauses every sender')
  t.equal(series.refusalCode, null, 'and refuses nothing')
  await fillTo(bounds.refuse)
  t.equal(series.refusalCode, 'VARVE_MEMORY')
  try {
    series.begin(shape, timeUs)
    t.fail('a row was taken')
  } catch (error) {
    t.match(
      (error as Error).message,
      /^Cannot store sample: \d+ bytes are waiting to be flushed, the limit is \d+/
    )
    const reply = varveFace(problemOf(error, 'r1'))
    t.equal(reply.status, 503)
    t.equal(reply.headers?.['retry-after'], '1')
    t.ok(error instanceof VarveError && error.code === 'VARVE_MEMORY')
  }
  release.resolve()
  const report = await flushed
  t.ok(report !== null && report.samples > 0)
  const before = told.length
  while (series.headBytes > bounds.flush) await series.flush()
  gate.flushed()
  t.equal(series.refusalCode, null, 'rows are taken again')
  t.ok(gate.pendingBytes < 2 ** 20 && told.length > before, 'and who was paused is told')
  series.begin(shape, timeUs)
  series.end()
  await storage.close()
})

t.test('senders are paused before the WAL has to refuse, and go on with the sync', async t => {
  const { storage } = await open()
  const { engine, series } = storage
  const gate = new Gate(engine.wal, series, bounds.pause)
  const note = () => {
    series.begin(series.shape('', makeLabels([['topic', 'a']]), ['v'], [KIND.number]), 1.7e15)
    series.slots[series.at] = 1
    series.end()
    engine.wal.note(2 ** 20, 2)
  }
  while (gate.pendingBytes !== Number.MAX_SAFE_INTEGER) note()
  t.doesNotThrow(() => engine.wal.admit(2 ** 20), 'what was read already is taken')
  await engine.wal.synced(engine.wal.pendingGroup)
  t.ok(gate.pendingBytes < 2 ** 20)
  await storage.close()
})
