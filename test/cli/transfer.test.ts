import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import type { Answerer } from '../../src/cli/doors.ts'
import { type ExportTask, runExport } from '../../src/cli/export-run.ts'
import { type ImportTask, runImport } from '../../src/cli/import-run.ts'
import { type ExportState, type ImportState, loadState } from '../../src/cli/transfer-state.ts'
import { DEFAULT_QUERY_LIMITS } from '../../src/query/limits.ts'
import { readExport } from '../../src/query/parameters.ts'
import { InlineRunner } from '../../src/query/runner.ts'
import { TIME_MAX_US, type Value } from '../../src/series/sample.ts'
import { FORMS, openFormReader, openFormWriter } from '../../src/transfer/form.ts'
import { readParquet } from '../../src/transfer/parquet-read.ts'
import type { Refusal, TransferRow } from '../../src/transfer/row.ts'
import { seeds } from '../kit/seeds.ts'
import { type FakeGroup, FakeSource } from '../query/fake-source.ts'
import { randomRows, rowKey } from '../transfer/rows.ts'
import { fakeIo, runWith } from './kit.ts'

/** Groups of a source, with the rows that they hold. */
function groupsOf(rows: readonly TransferRow[]): FakeGroup[] {
  const groups = new Map<
    string,
    { name: string; labels: TransferRow['labels']; fields: string[]; rows: TransferRow[] }
  >()
  for (const row of rows) {
    const key = JSON.stringify([row.name, row.labels])
    const group = groups.get(key) ?? { name: row.name, labels: row.labels, fields: [], rows: [] }
    groups.set(key, group)
    group.rows.push(row)
    for (const field of row.fields) if (!group.fields.includes(field)) group.fields.push(field)
  }
  return [...groups.values()].map(({ name, labels, fields, rows: own }) => ({
    name,
    labels,
    fields,
    rows: own.map(row => ({
      timeUs: row.timeUs,
      cells: fields.map((field): Value | null => {
        const at = row.fields.indexOf(field)
        return at < 0 ? null : row.values[at]!
      })
    }))
  }))
}

/** Answers from rows; the answer of that number breaks off in its midst. */
function answerer(rows: readonly TransferRow[], breaksAt = -1): Answerer {
  let answers = 0
  const groups = groupsOf(rows)
  const runner = new InlineRunner(() => new FakeSource(groups, 1, 7), {
    limits: DEFAULT_QUERY_LIMITS,
    clock: systemClock
  })
  return {
    async ask(_, params) {
      const isBroken = answers++ === breaksAt
      const given = new Map([...new Set(params.keys())].map(name => [name, params.getAll(name)]))
      const pieces = runner.run(readExport(given, 0), new AbortController().signal)
      return (async function* () {
        for await (const piece of pieces) {
          if (isBroken) {
            yield piece.subarray(0, piece.length >> 1)
            throw new VarveError('VARVE_ANSWER', 'Cannot read the answer: it ends too early')
          }
          yield piece
        }
      })()
    },
    close: async () => {}
  }
}

const QUESTION = { match: [], topic: null, from_us: null, to_us: null, before: null }

async function rowsIn(file: string, form: ExportTask['form']): Promise<string[]> {
  const found: TransferRow[] = []
  const refused: Refusal[] = []
  const sink = {
    row: (row: TransferRow) => void found.push(row),
    refuse: (one: Refusal) => void refused.push(one)
  }
  const bytes = new Uint8Array(readFileSync(file))
  if (form === 'parquet') {
    const slice = (from: number, to = bytes.length) => bytes.slice(from, to).buffer
    await readParquet({ byteLength: bytes.length, slice }, sink, async () => {})
  } else {
    const reader = openFormReader(form, sink, 'ns')
    reader.push(bytes)
    reader.end()
  }
  if (refused.length > 0) throw new Error(JSON.stringify(refused))
  return found.map(rowKey)
}

t.test('an export that breaks off goes on exactly where it was, in every form', async t => {
  const dir = t.testdir()
  for (const seed of seeds(24)) {
    const random = new Random(seed)
    const form = FORMS[seed % FORMS.length]!
    const rows = randomRows(seed, 20 + random.below(80))
    const [whole, cut] = [join(dir, `whole-${seed}`), join(dir, `cut-${seed}`)]
    const pageRows = 1 + random.below(15)
    const io = fakeIo().io
    await runExport({ ...QUESTION, file: whole, form, pageRows }, answerer(rows), io)
    let before: ExportState | null = null
    for (let tries = 0; ; tries++) {
      try {
        const at = tries > 5 ? -1 : random.below(4)
        await runExport({ ...QUESTION, file: cut, form, pageRows, before }, answerer(rows, at), io)
        break
      } catch (error) {
        t.match(error, { code: 'VARVE_ANSWER' })
        // What followed the last checkpoint may be there in part.
        before = loadState<ExportState>(`${cut}.part.json`)
        if (before !== null && random.chance(0.5)) {
          writeFileSync(`${cut}.part`, Buffer.concat([readFileSync(`${cut}.part`), Buffer.from('rubbish')]))
        }
      }
    }
    const [a, b] = [await rowsIn(whole, form), await rowsIn(cut, form)]
    const all = groupsOf(rows).flatMap(({ name, labels, fields, rows: own }) =>
      own.map(({ timeUs, cells }) => {
        const has = fields.map((_, i) => i).filter(i => cells[i] !== null)
        return rowKey({
          timeUs,
          name,
          labels,
          fields: has.map(i => fields[i]!),
          values: has.map(i => cells[i]!)
        })
      })
    )
    if (JSON.stringify(a) !== JSON.stringify(all)) return t.same(a, all, `VARVE_SEED=${seed}: whole, ${form}`)
    if (JSON.stringify(b) !== JSON.stringify(all))
      return t.same(b, all, `VARVE_SEED=${seed}: resumed, ${form}`)
    if (form !== 'parquet') t.same(readFileSync(cut), readFileSync(whole), `byte for byte, ${form}`)
  }
})

t.test('an export whose file is not what was written is not gone on with', async t => {
  const dir = t.testdir()
  const file = join(dir, 'a.csv')
  const rows = randomRows(5, 60)
  const { io } = fakeIo()
  const task = { ...QUESTION, file, form: 'csv' as const, pageRows: 10 }
  await t.rejects(runExport(task, answerer(rows, 3), io))
  const before = loadState<ExportState>(`${file}.part.json`)!
  const part = readFileSync(`${file}.part`)
  part[10]! ^= 1
  writeFileSync(`${file}.part`, part)
  await t.rejects(runExport({ ...task, before }, answerer(rows), io), { code: 'VARVE_TRANSFER_STATE' })
  truncateSync(`${file}.part`, 20)
  await t.rejects(runExport({ ...task, before }, answerer(rows), io), { code: 'VARVE_TRANSFER_STATE' })
  writeFileSync(`${file}.part.json`, '{}')
  t.throws(() => loadState(`${file}.part.json`), { code: 'VARVE_TRANSFER_STATE' })
})

t.test('export asks for what is wanted, and refuses what would be lost', async t => {
  const dir = t.testdir({ 'there.csv': 'x', 'old.csv.part.json': '{}' })
  const asked: string[] = []
  const openDirectory = async () => ({
    ask: async (_: string, params: URLSearchParams) => {
      asked.push(String(params))
      return await answerer(randomRows(1, 5)).ask('export', new URLSearchParams())
    },
    close: async () => {}
  })
  const doors = { openDirectory }
  const run = (...argv: string[]) => runWith(['export', '--data', dir, ...argv], { doors })
  const line = await run(
    '--topic',
    'a/#',
    '--since',
    '-1h',
    '--until',
    'now',
    join(dir, 'new.ndjson'),
    't{x="y"}',
    'u'
  )
  t.match(line, { code: 0, err: /^Exported 5 rows/ })
  t.same(
    [...new URLSearchParams(asked[0])].map(([name]) => name),
    ['limit', 'match', 'match', 'topic', 'from', 'to']
  )
  t.match(await run(join(dir, 'there.csv')), { code: 1, err: /there already/ })
  t.match(await run(join(dir, 'old.csv')), { code: 1, err: /--resume/ })
  t.match(await run('--resume', join(dir, 'old.csv')), { code: 2, err: /begin anew/ })
  t.match(await run(join(dir, 'what')), { code: 1, err: /--format/ })
  t.match(await run('--format', 'csv', '-'), { code: 0, out: /^time_us,name,field,kind,value/ })
})

/** A daemon that takes rows; the batch of that number is lost after it was stored. */
function taker(stored: string[], breaksAt = -1) {
  let batches = 0
  return async (body: Uint8Array) => {
    const refusals: Refusal[] = []
    const sink = {
      row: (row: TransferRow) => void stored.push(rowKey(row)),
      refuse: (one: Refusal) => void refusals.push(one)
    }
    const reader = openFormReader('ndjson', sink, 'ns')
    reader.push(body)
    reader.end()
    if (batches++ === breaksAt) throw new VarveError('VARVE_NO_DAEMON', 'Cannot reach it')
    return { rows: 0, samples: 0, refused: refusals.length, refusals }
  }
}

t.test('an import goes on behind the rows that the daemon has, in every form', async t => {
  const dir = t.testdir()
  for (const form of FORMS) {
    const rows = randomRows(7, 400).map((row, i) => ({
      ...row,
      fields: [...row.fields, 'long'],
      values: [...row.values, `${i}`.repeat(9000)]
    }))
    const names = [...new Set(rows.flatMap(({ labels }) => labels.map(([name]) => name)))]
    const writer = await openFormWriter(form, names, null)
    for (const row of rows) writer.add(row)
    writer.finish()
    const file = join(dir, `rows.${form}`)
    writeFileSync(file, writer.take())
    const task: ImportTask = {
      ...{ file, form, precision: 'ns', before: null, url: 'http://x', retryMs: 0 },
      ...{ fromUs: 0, toUs: TIME_MAX_US }
    }
    const { io } = fakeIo()
    const first: string[] = []
    await t.rejects(runImport(task, taker(first, 2), io), { code: 'VARVE_NO_DAEMON' }, form)
    const before = loadState<ImportState>(`${file}.import.json`)!
    t.ok(before.rows > 0 && before.rows < first.length, `${form}: two of three batches count`)
    const second: string[] = []
    t.equal(await runImport({ ...task, before }, taker(second), io), 0)
    t.same([...first.slice(0, before.rows), ...second], rows.map(rowKey), form)
    t.equal(loadState(`${file}.import.json`), null, 'nothing is left')
    const other = { ...before, crc32: before.crc32 ^ 1 }
    await t.rejects(runImport({ ...task, before: other }, taker([]), io), { code: 'VARVE_TRANSFER_STATE' })
    const more = { ...before, rows: 10_000 }
    await t.rejects(runImport({ ...task, before: more }, taker([]), io), { code: 'VARVE_TRANSFER_STATE' })
  }
})

t.test(
  'an import asks a daemon that takes nothing again, and tells refused lines by their number',
  async t => {
    const dir = t.testdir({
      'a.ndjson': '{"time_us":1,"fields":{"a":1}}\nx\n\n{"time_us":2,"fields":{"a":1}}\n'
    })
    const file = join(dir, 'a.ndjson')
    const task: ImportTask = {
      ...{ file, form: 'ndjson' as const, precision: 'ns', before: null, url: 'http://x', retryMs: 60_000 },
      ...{ fromUs: 0, toUs: TIME_MAX_US }
    }
    const { io, said } = fakeIo()
    let asked = 0
    const refused = await runImport(
      task,
      async () => {
        if (asked++ < 3) throw new VarveError('VARVE_MEMORY', 'Cannot store sample: later')
        return { rows: 1, samples: 1, refused: 1, refusals: [{ line: 2, reason: 'too many series' }] }
      },
      io
    )
    t.equal(refused, 2)
    t.equal(asked, 4)
    t.match(said(), /line 2: .*JSON/)
    t.match(said(), /line 4: too many series\nImported 2 rows, refused 2/)
    const lasting = async () => {
      throw new VarveError('VARVE_DISK_FULL', 'Cannot store')
    }
    await t.rejects(runImport(task, lasting, io), { code: 'VARVE_DISK_FULL' })
  }
)
