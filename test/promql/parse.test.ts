// What PromQL is, what is refused, with which words and where.
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { PromqlError } from '../../src/promql/error.ts'
import { FUNCTIONS } from '../../src/promql/functions.ts'
import { PROMQL_LIMITS } from '../../src/promql/parse.ts'
import { printPromql } from '../../src/promql/printer.ts'
import { evaluatedFunctions } from '../../src/query/promql/call.ts'
import { readPromql } from '../../src/query/promql/read.ts'
import { seeds } from '../kit/seeds.ts'

/** Text, and how it is printed. */
const GOOD: readonly (readonly [string, string])[] = [
  ['a + b offset 5m * c', 'a + b offset 5m * c'],
  ['sum(a)by(x)', 'sum by (x) (a)'],
  ['SUM WITHOUT (x,) (a) OFFSET 5m', ''],
  ['a{b="c",}', 'a{b="c"}'],
  ['{"odd name", "l b"=~"x"}', '{__name__="odd name","l b"=~"x"}'],
  ['a[5m:1m] @ end() offset -1h', 'a[5m:1m] @ end() offset -1h'],
  ['a[300] offset 90', 'a[5m] offset 1m30s'],
  ['1./6.', '1 / 6'],
  ['holt_winters(a[1m], .5, 5e-1)', 'holt_winters(a[1m], 0.5, 0.5)'],
  ["'a\\x62\\'' ", '"ab\'"'],
  ['a and on() b', 'a and on () b'],
  ['a / ignoring(x) group_left(y) b', 'a / ignoring (x) group_left (y) b'],
  ['quantile(0.9, a) # why', 'quantile(0.9, a)'],
  ['and + or', 'and + or'],
  ['1 >= bool 2', '1 >= bool 2'],
  ['a @ 1.5', 'a @ 1.500']
]

/** Text, place (line:column) and words. */
const BAD: readonly (readonly [string, string])[] = [
  ['', '1:1: parse error: no expression found in input'],
  ['a b', '1:3: parse error: unexpected identifier "b"'],
  ['sum(', '1:5: parse error: unclosed left parenthesis'],
  ['(1))', "1:5: parse error: unexpected right parenthesis ')'"],
  ['a{', '1:3: parse error: unexpected end of input inside braces'],
  ['a{b}', '1:4: parse error: unexpected "}" in label matching, expected label matching operator'],
  ['a{b=c}', '1:5: parse error: unexpected identifier "c" in label matching, expected string'],
  ['a{b="c" d="e"}', '1:9: parse error: unexpected identifier "d" in label matching, expected "," or "}"'],
  ['sum by a (b)', '1:8: parse error: unexpected identifier "a" in grouping opts, expected "("'],
  ['a[5m', '1:5: parse error: unexpected end of input in duration expression'],
  ['a[5m1h]', '1:3: parse error: not a valid duration string: "5m1h"'],
  [
    'a[]',
    '1:3: parse error: unexpected "]" in subquery or range selector, expected number, duration, step(), or range()'
  ],
  [
    'a offset',
    '1:9: parse error: unexpected end of input in offset, expected number, duration, step(), or range()'
  ],
  ['a @ b', '1:5: parse error: unexpected identifier "b" in @, expected timestamp'],
  ['"abc', '1:1: parse error: unterminated quoted string'],
  ['"\\q"', "1:1: parse error: unknown escape sequence U+0071 'q'"],
  ['nope(a)', '1:1: parse error: unknown function with name "nope"'],
  ['1 +\n  nope(a)', '2:3: parse error: unknown function with name "nope"'],
  ['rate(a)', '1:6: parse error: expected type range vector in call to function "rate", got instant vector'],
  ['rate(a[5m], 1)', '1:1: parse error: expected 1 argument(s) in call to "rate", got 2'],
  ['round()', '1:1: parse error: expected at least 1 argument(s) in call to "round", got 0'],
  ['1 == 1', '1:3: parse error: comparisons between scalars must use BOOL modifier'],
  ['a + bool b', '1:3: parse error: bool modifier can only be used on comparison operators'],
  ['a and 1', '1:1: parse error: set operator "and" not allowed in binary scalar expression'],
  ['a and on(x) group_left b', '1:1: parse error: no grouping allowed for "and" operation'],
  ['a * on(x) group_left(x) b', '1:3: parse error: label "x" must not occur in ON and GROUP clause at once'],
  ['1 + on(x) a', '1:1: parse error: vector matching only allowed between instant vectors'],
  ['a[5m] + 1', '1:1: parse error: binary expression must contain only scalar and instant vector types'],
  [
    '-a[5m]',
    '1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got "range vector"'
  ],
  ['sum(1)', '1:5: parse error: expected type instant vector in aggregation expression, got scalar'],
  [
    'topk(a)',
    '1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1'
  ],
  ['sum()', '1:1: parse error: no arguments for aggregate expression provided'],
  ['{}', '1:1: parse error: vector selector must contain at least one non-empty matcher'],
  ['{a=~".*"}', '1:1: parse error: vector selector must contain at least one non-empty matcher'],
  ['a{__name__="b"}', '1:1: parse error: metric name must not be set twice: "a" or "b"'],
  ['a offset 1m offset 2m', '1:1: parse error: offset may not be set multiple times'],
  [
    'sum(a) offset 1m',
    '1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery'
  ],
  ['(a + b)[5m]', '1:8: parse error: ranges only allowed for vector selectors'],
  ['a offset 5m [1m]', '1:13: parse error: no offset modifiers allowed before range'],
  ['a[0s]', '1:3: parse error: duration must be greater than 0'],
  ['a[5m+1m]', '1:3: parse error: experimental duration expression is not enabled'],
  ['sum(a,)', '1:6: parse error: trailing commas not allowed in function call args']
]

t.test('readPromql() reads what Prometheus reads, and prints it in one form', async t => {
  for (const [text, printed] of GOOD) {
    if (printed === '') {
      t.throws(() => readPromql(text), { message: /offset modifier must be preceded/ })
      continue
    }
    t.equal(printPromql(readPromql(text)), printed)
    t.equal(printPromql(readPromql(printed)), printed)
  }
})

t.test('modifiers bind tightest, then powers, then signs', async t => {
  const shape = (text: string): unknown => {
    const walk = (expr: ReturnType<typeof readPromql>): unknown =>
      expr.is === 'binary'
        ? [walk(expr.left), expr.op, walk(expr.right)]
        : expr.is === 'unary'
          ? [expr.op, walk(expr.of)]
          : printPromql(expr)
    return walk(readPromql(text))
  }
  t.same(shape('-2^2'), ['-', ['2', '^', '2']])
  t.same(shape('2^-2^2'), ['2', '^', ['-', ['2', '^', '2']]])
  t.same(shape('a^b^c'), ['a', '^', ['b', '^', 'c']])
  t.same(shape('a-b-c'), [['a', '-', 'b'], '-', 'c'])
  t.same(shape('a + b offset 5m * c'), ['a', '+', ['b offset 5m', '*', 'c']])
  t.same(shape('-a offset 5m'), ['-', 'a offset 5m'])
  t.same(shape('a or b and c unless d'), ['a', 'or', [['b', 'and', 'c'], 'unless', 'd']])
  t.same(shape('a -1'), ['a', '-', '1'])
})

t.test('readPromql() refuses in the words of Prometheus, with line and column', async t => {
  for (const [text, message] of BAD) {
    t.throws(() => readPromql(text), { code: 'VARVE_PROMQL', message }, text)
  }
})

t.test('readPromql() bounds length and depth', async t => {
  t.throws(() => readPromql(`a${'+a'.repeat(PROMQL_LIMITS.lengthMax)}`), { message: /the limit is/ })
  t.throws(() => readPromql(`${'('.repeat(50_000)}a${')'.repeat(50_000)}`), { message: /nested deeper/ })
  t.equal(readPromql(`a${' or a'.repeat(250)}`).is, 'binary')
})

t.test('every function of the type check has an evaluation, and none has more', async t => {
  t.same(evaluatedFunctions().sort(), [...FUNCTIONS.keys()].sort())
})

const PIECES = [
  ...[
    'a',
    'sum',
    'rate',
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    '5m',
    ':',
    ',',
    '=',
    '=~',
    '"x"',
    "'(",
    '`',
    '"',
    '\\',
    '1'
  ],
  ...[
    '2.',
    'by',
    'on',
    'offset',
    '@',
    'end()',
    '-',
    '^',
    '*',
    'bool',
    'group_left',
    'holt_winters',
    '#',
    '\n',
    '>/'
  ],
  ...[
    'and',
    'or',
    'inf',
    '0x',
    '1e',
    'é',
    '\u0000',
    '🙂',
    'atan2',
    'fill(1)',
    'smoothed',
    'topk',
    '"__name__"',
    '!~'
  ]
]

t.test('readPromql() answers any text with a tree or a PromqlError', async t => {
  for (const seed of seeds(4000)) {
    const random = new Random(seed)
    const good = random.pick(GOOD)[0]
    const text = random.chance(0.5)
      ? Array.from({ length: random.below(14) }, () => random.pick(PIECES)).join(random.pick(['', ' ']))
      : good.slice(0, random.below(good.length)) + random.pick(PIECES) + good.slice(random.below(good.length))
    try {
      const printed = printPromql(readPromql(text))
      if (printPromql(readPromql(printed)) !== printed)
        t.fail(`VARVE_SEED=${seed}: ${text} is not ${printed}`)
    } catch (error) {
      if (!(error instanceof PromqlError)) t.fail(`VARVE_SEED=${seed}: ${JSON.stringify(text)}: ${error}`)
    }
  }
})
