import t from 'tap'
import { randomStatement, systematic } from '../../scripts/influxql-queries.ts'
import { VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import type { SelectStatement } from '../../src/influxql/ast.ts'
import { parseInfluxql } from '../../src/influxql/parse.ts'
import { seeds } from '../kit/seeds.ts'

t.test('parseInfluxql() reads what Grafana sends', async t => {
  const text =
    'SELECT mean("value") AS "v", count(*) FROM "db"."autogen"."m x" WHERE ("host" =~ /^a\\/b$/) AND time >= 1700000000000ms ' +
    'GROUP BY time(1m30s, -10s), "host", * fill(previous) ORDER BY time DESC LIMIT 5 OFFSET 2 SLIMIT 3 SOFFSET 1 tz(\'Europe/Berlin\')'
  const [statement] = parseInfluxql(text)
  t.match(statement, {
    is: 'select',
    columns: [
      { alias: 'v', expr: { is: 'call', name: 'mean', args: [{ is: 'field', name: 'value' }] } },
      { alias: null, expr: { is: 'call', name: 'count', args: [{ is: 'wildcard' }] } }
    ],
    sources: [{ name: 'm x' }],
    where: { op: 'AND', left: { of: { op: '=~', right: { source: '^a/b$' } } }, right: { op: '>=' } },
    fill: 'previous',
    isDescending: true,
    rows: { limit: 5, offset: 2 },
    series: { limit: 3, offset: 1 },
    zone: 'Europe/Berlin'
  })
  const { groupBy } = statement as SelectStatement
  t.equal(groupBy.stepNs, 90_000_000_000n)
  t.equal(groupBy.offsetNs, -10_000_000_000n)
  t.strictSame(groupBy.tags, [{ name: 'host' }, { all: true }])
  t.match(parseInfluxql('SELECT max(v) FROM m GROUP BY time(1m) fill(-1.5)'), [{ fill: { value: -1.5 } }])
})

t.test('parseInfluxql() ranks operators and keeps integers of nanoseconds exact', async t => {
  const [statement] = parseInfluxql(
    'SELECT a + b * -2 FROM m WHERE x = 1 OR y = 2 AND time > 1700000000123456789'
  )
  const { columns, where } = statement as SelectStatement
  t.match(columns[0]!.expr, { op: '+', left: { name: 'a' }, right: { op: '*', right: { value: -2 } } })
  t.match(where, { op: 'OR', right: { op: 'AND', right: { right: { text: '1700000000123456789' } } } })
})

t.test('parseInfluxql() takes $names from what a client sends beside the text', async t => {
  const [statement] = parseInfluxql('SELECT v FROM m WHERE host = $h AND v > $n', { h: "a'b", n: 2.5 })
  t.match((statement as SelectStatement).where, {
    left: { right: { is: 'string', value: "a'b" } },
    right: { right: { is: 'number', value: 2.5 } }
  })
  t.throws(() => parseInfluxql('SELECT v FROM m WHERE host = $h'), {
    message: /missing parameter: h at line 1, char 30/
  })
})

t.test('parseInfluxql() says what is wrong and where', async t => {
  const bad: readonly [text: string, why: RegExp][] = [
    ['SELEC v FROM m', /found SELEC, expected SELECT, .* at line 1, char 1$/],
    ['SELECT v\nFROM', /found EOF, expected identifier at line 2, char 5$/],
    ['SELECT v FROM m WHERE', /found EOF, expected .* at line 1, char 22$/],
    ['SELECT v FROM m LIMIT -1', /found -, expected integer at line 1, char 23$/],
    ['SELECT v FROM "m', /quote that is not closed at line 1, char 15$/],
    ['SELECT v FROM /m', /regular expression that is not closed/],
    ['SELECT v INTO x FROM m', /found INTO, which is not there/],
    ['SELECT v FROM (SELECT v FROM m)', /subqueries are not there/],
    ['SELECT v FROM m GROUP BY time(x)', /expected duration/],
    ['SELECT v FROM m GROUP BY time(1m), time(1h)', /multiple time dimensions/],
    ['SELECT v FROM m fill(x)', /expected number argument in fill/],
    ["SELECT v FROM m tz('No/Where')", /unable to find time zone No\/Where/],
    ['SELECT v FROM m ORDER BY v', /only ORDER BY time supported/],
    ['SELECT v FROM m WHERE h =~ "x"', /expected regex/],
    ['SELECT v > 2 FROM m', /found >, expected FROM/],
    ['SHOW TAG VALUES', /expected WITH/],
    ['SELECT \u0000 FROM m', /expected/],
    [`SELECT ${'('.repeat(5000)}v`, /more than 100 expressions/],
    [`SELECT ${'v,'.repeat(300)}v FROM m`, /more than 200 columns/]
  ]
  for (const [text, why] of bad) {
    t.throws(() => parseInfluxql(text), { code: 'VARVE_INFLUXQL', message: why }, text.slice(0, 60))
  }
})

t.test('parseInfluxql() reads or refuses changed statements, and breaks on none', async t => {
  const whole = systematic()
  for (const seed of seeds(3000)) {
    const random = new Random(seed)
    let text = random.chance(0.5) ? random.pick(whole) : randomStatement(random)
    for (let n = 1 + random.below(4); n > 0; n--) {
      const at = random.below(text.length)
      const piece = random.pick([
        '',
        '(',
        ')',
        '"',
        "'",
        '/',
        ',',
        ' FROM ',
        '*',
        '::',
        '\\',
        '-',
        '1m',
        '$x',
        '\n'
      ])
      text = text.slice(0, at) + piece + text.slice(at + random.below(3))
    }
    try {
      parseInfluxql(text)
    } catch (error) {
      if (!(error instanceof VarveError)) return t.fail(`${error}: VARVE_SEED=${seed} ${text}`)
    }
  }
})
