// From one daemon into another through every form, and into DuckDB.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { programs } from '../../scripts/varve-process.ts'
import { FORMS } from '../../src/transfer/form.ts'
import { rowLine } from '../../src/transfer/ndjson.ts'
import { randomRows } from '../transfer/rows.ts'
import { connect, runHere, runVarve, serve, temporary, write } from './daemon.ts'

const hasDuckdb = spawnSync('python3', ['-c', 'import duckdb']).status === 0

t.test('a daemon is exported and imported into another: every sample of every kind is there', async t => {
  const dir = temporary(t)
  const from = await serve(t, join(dir, 'from'))
  const client = await connect(t, from)
  const published = Array.from({ length: 50 }, (_, i) => {
    const payload = `{"t":${i / 10},"n":{"big":9007199254740992},"s":"x\\n,\\"${i}"}`
    return client.publishAsync(`site${i % 3}/dev/telemetry`, payload, { qos: 1 })
  })
  await Promise.all(published)
  const lines = Array.from(
    { length: 3000 },
    (_, i) => `weather,site=my\\ roof,h=h${i % 5} t=${i / 7},up=${i % 2 > 0} ${1_700_000_000 + i}`
  )
  t.equal((await write(from, lines.join('\n'), '?precision=s'))[0], 204)
  const odd = randomRows(3, 300).map(row =>
    rowLine({ ...row, timeUs: Math.min(row.timeUs, 1_800_000_000_000_000) })
  )
  const reply = await fetch(`${from.httpUrl}/v1/import`, { method: 'POST', body: odd.join('') })
  t.match(await reply.json(), { refused: 0, refusals: [] })
  const first = join(dir, 'first.ndjson')
  t.match(await runVarve('export', '--url', from.httpUrl, first), {
    code: 0,
    err: /^Exported 3,[34]\d\d rows/
  })
  const expected = readFileSync(first, 'utf8')
  t.equal(expected.split('\n').length > 3300, true)

  const offline = join(dir, 'offline.ndjson')
  t.match(await runHere('export', '--data', join(dir, 'from'), offline), { code: 0 })
  t.ok(readFileSync(offline, 'utf8') === expected, 'a directory says the same')

  for (const form of FORMS) {
    const file = join(dir, `all.${form}`)
    t.match(await runHere('export', '--url', from.httpUrl, file), { code: 0 }, form)
    const to = await serve(t, join(dir, form))
    const importer = form === FORMS[0] ? runVarve : runHere
    t.match(await importer('import', '--url', to.httpUrl, file), { code: 0, err: /^Imported/ }, form)
    await to.stop('SIGKILL')
    // Acknowledged is on the medium: read without the daemon.
    const back = join(dir, `back-${form}.ndjson`)
    t.match(await runHere('export', '--data', join(dir, form), back), { code: 0 }, form)
    t.same(
      readFileSync(back, 'utf8').split('\n').map(sorted).sort(),
      expected.split('\n').map(sorted).sort(),
      form
    )
    t.notOk(existsSync(`${file}.import.json`) || existsSync(`${file}.part`), 'nothing is left beside it')
  }

  await t.test('what was asked for is exported, and what is wrong in a file is told by its line', async t => {
    const some = join(dir, 'some.csv')
    const since = '2023-11-14T22:13:20Z'
    const ran = await runHere(
      'export',
      '--url',
      from.httpUrl,
      '--since',
      since,
      '--until',
      '2023-11-14T22:14:19Z',
      some,
      'weather_t{h="h1"}'
    )
    t.match(ran, { code: 0, err: /^Exported 12 rows, 12 samples/ })
    const bad = join(dir, 'bad.csv')
    t.match(await runHere('import', '--url', from.httpUrl, bad), { code: 2, err: /bad\.csv/ })
    const text = readFileSync(some, 'utf8').replace('number', 'numbr')
    writeFileSync(bad, text)
    t.match(await runHere('import', '--url', from.httpUrl, bad), { code: 2, err: /line 2: .*numbr/ })
  })

  await t.test(
    'DuckDB reads the Parquet',
    { skip: !hasDuckdb && 'python3 has no module duckdb' },
    async t => {
      const sql = `select count(*), count(number), count(boolean), count(string), count(bytes), max(number) filter (isfinite(number)),
      min(time)::varchar, count(distinct "label.topic") from '${join(dir, 'all.parquet')}' where name = 'weather' or name = ''`
      const python = `import duckdb, json; print(json.dumps(duckdb.sql("""set timezone='UTC'; ${sql}""").fetchone()))`
      const ran = spawnSync('python3', ['-c', python], { encoding: 'utf8' })
      t.equal(ran.status, 0, ran.stderr)
      const [all, numbers, booleans] = JSON.parse(ran.stdout)
      const rows = expected
        .split('\n')
        .filter(line => line !== '')
        .map(line => JSON.parse(line))
        .filter(({ name }) => name === 'weather' || name === '')
      const values = rows.flatMap(({ fields }) => Object.values(fields))
      const isNumber = (value: unknown) =>
        typeof value === 'number' || (typeof value === 'object' && 'number' in value!)
      t.same(
        [all, numbers, booleans],
        [values.length, values.filter(isNumber).length, values.filter(one => typeof one === 'boolean').length]
      )
    }
  )
})

/** A row whose fields stand in the order of their names: the order of fields is not kept. */
function sorted(line: string): string {
  if (line === '') return ''
  const row = JSON.parse(line)
  const text = line.replace(/"fields":.*/, '')
  const fields = Object.keys(row.fields).sort()
  return (
    text +
    fields
      .map(field => `${field}=${Object.is(row.fields[field], -0) ? '-0' : JSON.stringify(row.fields[field])}`)
      .join()
  )
}

t.test('an export that is killed goes on with --resume, and gives the same file', async t => {
  const dir = temporary(t)
  const varve = await serve(t, join(dir, 'data'))
  // More than the 100,000 rows of one answer: the first is noted, and the kill comes before the second is written.
  for (let batch = 0; batch < 3; batch++) {
    const lines = Array.from(
      { length: 40_000 },
      (_, i) => `m,h=h${batch} a=${i},b=${i / 3} ${1_700_000_000 + i}`
    )
    t.equal((await write(varve, lines.join('\n'), '?precision=s'))[0], 204)
  }
  const [whole, cut] = [join(dir, 'whole.csv'), join(dir, 'cut.csv')]
  t.match(await runHere('export', '--url', varve.httpUrl, whole), { code: 0 })
  const [command, ...before] = programs.source
  const child = spawn(command, [...before, 'export', '--url', varve.httpUrl, cut], { stdio: 'ignore' })
  const ended = new Promise(resolve => child.once('close', resolve))
  while (!existsSync(`${cut}.part.json`)) await sleep(5)
  child.kill('SIGKILL')
  await ended
  t.notOk(existsSync(cut), 'not whole yet')
  t.match(await runHere('export', '--url', varve.httpUrl, cut), { code: 1, err: /--resume/ })
  t.match(await runHere('export', '--url', varve.httpUrl, '--resume', cut), {
    code: 0,
    err: /Exported 120,000 rows/
  })
  t.ok(readFileSync(cut).equals(readFileSync(whole)), 'byte for byte')
})
