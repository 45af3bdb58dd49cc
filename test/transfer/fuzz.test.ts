// Changed bytes of files of every form: rows or refusals come of them, or one coded error, soon; a row that comes is
// one that every form could have held.
import t from 'tap'
import { VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { makeLabels } from '../../src/series/label.ts'
import { FORMS, type Form, openFormReader, openFormWriter } from '../../src/transfer/form.ts'
import { isTime } from '../../src/transfer/ndjson.ts'
import { readParquet } from '../../src/transfer/parquet-read.ts'
import type { Refusal, TransferRow } from '../../src/transfer/row.ts'
import { seeds } from '../kit/seeds.ts'
import { randomRows } from './rows.ts'

const SECONDS_MAX = 5

async function fileOf(form: Form, rows: readonly TransferRow[]): Promise<Uint8Array> {
  const names = [...new Set(rows.flatMap(({ labels }) => labels.map(([name]) => name)))]
  const writer = await openFormWriter(form, names, null)
  for (const row of rows) writer.add(row)
  writer.finish()
  return writer.take()
}

/** Bytes flipped, doubled, cut out, put in, cut off. */
function changed(whole: Uint8Array, form: Form, random: Random): Uint8Array {
  let bytes = Buffer.from(whole)
  const pieces = [
    '"',
    ',',
    '\n',
    '\r\n',
    '{',
    '}',
    '[',
    ':',
    '\\',
    '=',
    ' ',
    '\0',
    '\xff',
    '1e999',
    'varve:',
    '"name":'
  ]
  for (let n = 1 + random.below(5); n > 0; n--) {
    // The end of a Parquet file says where everything lies.
    const near = form === 'parquet' && random.chance(0.6) ? Math.max(0, bytes.length - 600) : 0
    const at = near + random.below(bytes.length - near)
    const kind = random.below(5)
    if (kind <= 1) bytes[at] = random.chance(0.5) ? random.below(256) : bytes[at]! ^ (1 << random.below(8))
    else if (kind === 2)
      bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(9))])
    else if (kind === 3)
      bytes = Buffer.concat([
        bytes.subarray(0, at),
        Buffer.from(random.pick(pieces), 'latin1'),
        bytes.subarray(at)
      ])
    else bytes = bytes.subarray(0, Math.max(1, random.chance(0.3) ? at : bytes.length))
  }
  return bytes
}

/** Null, or what is wrong with a row. */
function faultOf(row: TransferRow): string | null {
  if (!isTime(row.timeUs)) return 'time'
  if (row.fields.length === 0 || row.fields.length !== row.values.length) return 'fields'
  if (new Set(row.fields).size !== row.fields.length) return 'a field twice'
  if (JSON.stringify(makeLabels(row.labels)) !== JSON.stringify(row.labels)) return 'labels'
  const kinds = ['number', 'string', 'boolean']
  return row.values.every(value => kinds.includes(typeof value) || value instanceof Uint8Array)
    ? null
    : 'values'
}

async function read(form: Form, bytes: Uint8Array, random: Random) {
  const rows: TransferRow[] = []
  const refusals: Refusal[] = []
  const sink = {
    row: (row: TransferRow) => void rows.push(row),
    refuse: (one: Refusal) => void refusals.push(one)
  }
  if (form === 'parquet') {
    const slice = (from: number, to = bytes.length) => new Uint8Array(bytes.slice(from, to)).buffer
    await readParquet({ byteLength: bytes.length, slice }, sink, async () => {})
  } else {
    const reader = openFormReader(form, sink, random.pick(['ns', 's']))
    for (let at = 0; at < bytes.length; at += 700) reader.push(bytes.subarray(at, at + 700))
    reader.end()
  }
  return { rows, refusals }
}

for (const form of FORMS) {
  t.test(`${form}: changed bytes are rows, refusals or one coded error, soon`, async t => {
    let [rows, refused, errors] = [0, 0, 0]
    for (const seed of seeds(form === 'parquet' ? 300 : 800)) {
      const random = new Random(seed)
      const bytes = changed(await fileOf(form, randomRows(seed, 1 + random.below(8))), form, random)
      const began = process.cpuUsage()
      try {
        const found = await read(form, bytes, random)
        rows += found.rows.length
        refused += found.refusals.length
        for (const row of found.rows) {
          const fault = faultOf(row)
          if (fault !== null)
            return t.fail(`${fault}: VARVE_SEED=${seed} ${JSON.stringify(row).slice(0, 300)}`)
        }
        for (const { line, reason } of found.refusals)
          if (!(line >= 1) || reason === '') return t.fail(`line ${line}, ${reason}: VARVE_SEED=${seed}`)
      } catch (error) {
        if (!(error instanceof VarveError)) return t.fail(`VARVE_SEED=${seed} ${(error as Error).stack}`)
        errors++
      }
      const seconds = process.cpuUsage(began).user / 1e6
      if (seconds > SECONDS_MAX) return t.fail(`VARVE_SEED=${seed} took ${seconds} s`)
    }
    const isOne = process.env.VARVE_SEED !== undefined
    t.ok(isOne || (rows > 30 && refused + errors > 100), `${rows} rows, ${refused} refused, ${errors} errors`)
  })
}
