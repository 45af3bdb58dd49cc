// Reduced precision from the configuration to the store and back from the WAL: what is acknowledged is what is
// stored, and no message of its own is lost to a step of time.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { loadConfig } from '../../src/config/load.ts'
import { MessageSink } from '../../src/daemon/ingest-sink.ts'
import { precisionRules } from '../../src/daemon/policy.ts'
import { NodeDisk } from '../../src/disk/node-disk.ts'
import { DeadLetters } from '../../src/ingest/dead-letter.ts'
import { HandClock } from '../kit/hand-clock.ts'
import { openStore } from '../series/test-store.ts'

const TEXT = `
[[ingest.precision]]
match = "house/+/climate"
series = "temp.*"
time_step = "100ms"
decimals = 1
`

const load = (text: string) => loadConfig({ files: [{ name: 'f', text }], env: {}, flags: new Map() })

t.test('nothing is cut unless the owner asks for it', async t => {
  t.same(precisionRules(load('')), [])
})

t.test('[[ingest.precision]] holds for its topics and series, and survives a restart', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'varve-precision-'))
  const clock = new HandClock(1_760_000_000_123_456)
  const store = await openStore(new NodeDisk(dir))
  const options = { deadLetters: new DeadLetters({ clock, burst: 10 }) }
  const sink = new MessageSink(store.series, clock, options, precisionRules(load(TEXT)))
  const publish = (topic: string, payload: string) => {
    const bytes = Buffer.from(payload)
    t.ok(sink.publish(topic, bytes, 0, bytes.length) > 0)
  }
  publish('house/1/climate', '{"temp_in":21.456,"power":1.23456}')
  // Two of one topic in one step are two rows, as two in one microsecond are.
  publish('house/1/climate', '{"temp_in":21.512,"power":2.23456}')
  publish('house/1/other', '{"temp_in":21.456}')
  await store.synced()
  await store.engine.close()
  const again = await openStore(new NodeDisk(dir))
  const { source } = again.reader()
  const rows = Array.from({ length: again.series.catalog.groupCount }, (_, group) => {
    const runs = [...source.reader.runs(group, null, 0, Number.MAX_SAFE_INTEGER)]
    return runs.map(run => [[...run.times], ...run.columns.map(column => [...column.numbers!])])
  })
  const start = 1_760_000_000_100_000
  t.same(rows, [
    [
      [
        [start, start + 1],
        [21.5, 21.5],
        [1.23456, 2.23456]
      ]
    ],
    [[[1_760_000_000_123_456], [21.456]]]
  ])
  await again.engine.close()
})
