import t from 'tap'
import { VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { compileMatcher } from '../../src/series/matcher.ts'
import { REGEX_COST, Regex } from '../../src/series/regex.ts'
import { seeds } from '../query/fake-source.ts'

t.test('Regex.test() agrees with JavaScript on what both can say', async t => {
  const atoms = [
    'a',
    'b',
    'é',
    '.',
    '[ab]',
    '[^a]',
    '\\d',
    '\\w',
    '\\b',
    '^',
    '$',
    '1',
    '-',
    '\\.',
    '[a-c1-]',
    '\\S'
  ]
  let matches = 0
  for (const seed of seeds(3000)) {
    const random = new Random(seed)
    const pattern = anyPattern(random, atoms, 3)
    const text = Array.from({ length: random.below(7) }, () => random.pick([...'abc1é-. \n'])).join('')
    const expected = new RegExp(`^(?:${pattern})$`, 'su').test(text)
    if (expected) matches++
    if (new Regex(pattern).test(text) !== expected) {
      t.fail(`${pattern} on ${JSON.stringify(text)} VARVE_SEED=${seed}`)
    }
  }
  t.ok(matches > 100, `${matches} matched`)
})

function anyPattern(random: Random, atoms: readonly string[], depth: number): string {
  const parts = Array.from({ length: 1 + random.below(3) }, () => {
    if (depth > 0 && random.chance(0.4)) {
      const inner = anyPattern(random, atoms, depth - 1)
      return `(${random.pick(['', '?:', '?<n1>'])}${inner})${random.pick(['', '*', '+', '?', '{2}', '{0,3}', '{1,}', '*?'])}`.replace(
        '?<n1>',
        ''
      )
    }
    const atom = random.pick(atoms)
    return ['\\b', '^', '$'].includes(atom) ? atom : atom + random.pick(['', '', '*', '+', '?', '{2}'])
  })
  return depth > 0 && random.chance(0.3)
    ? `${parts.join('')}|${anyPattern(random, atoms, depth - 1)}`
    : parts.join('')
}

t.test('Regex.test() follows RE2 where JavaScript differs', async t => {
  const cases: [pattern: string, text: string, matches: boolean][] = [
    ['(?i)STRASSE', 'strasse', true],
    ['(?i:a)b', 'AB', false],
    ['a(?i)b', 'aB', true],
    ['(?i)[k-m]', 'L', true],
    ['(?-s).', '\n', false],
    ['(?m)^a$\\n^b$', 'a\nb', true],
    ['[[:alpha:]]+', 'abc', true],
    ['[[:^digit:]x]+', 'ax', true],
    ['[]a]+', ']a', true],
    ['[^]a]', 'b', true],
    ['\\pL+', 'žluť', true],
    ['\\p{Greek}', 'λ', true],
    ['\\P{Greek}', 'λ', false],
    ['\\p{^Lu}', 'a', true],
    ['\\Qa.b\\E+', 'a.bbb', true],
    ['\\x41\\x{1F600}', 'A😀', true],
    ['\\101', 'A', true],
    ['(?P<name>a)(?<other>b)', 'ab', true],
    ['a{,2}', 'a{,2}', true],
    ['a|', '', true],
    ['dev1|dev2|dev3', 'dev2', true],
    ['dev1|dev2|dev3', 'dev', false],
    ['(dev1|dev2)', 'dev1', true],
    ['(a\\.b|c\\-d)', 'a.b', true],
    ['(a\\.b|c\\-d)', 'axb', false],
    ['(a|b)|(c)', 'c', true],
    ['|a', '', true],
    ['site1/.*', 'site1/x', true],
    ['site1/.*', 'site2/x', false],
    ['site1/.+', 'site1/', false],
    ['.*', 'a\nb', true],
    ['.', '😀', true],
    ['\\z', '', true],
    ['(?U)a+?', 'aa', true]
  ]
  for (const [pattern, text, matches] of cases) {
    t.equal(new Regex(pattern).test(text), matches, `${pattern} on ${JSON.stringify(text)}`)
  }
})

t.test('new Regex() refuses what RE2 refuses, and says why', async t => {
  const bad = [
    '(',
    ')',
    'a)',
    '[',
    '[b-a]',
    '*a',
    'a**',
    '\\1',
    '(a)\\1',
    '(?=a)',
    '(?!a)',
    '(?<=a)',
    '(?<!a)'
  ]
  bad.push('\\q', '\\', 'a{1001}', 'a{2,1}', '[[:foo:]]', '\\p{Nope}', '\\x{110000}', '(?x)a', 'a++')
  for (const pattern of bad) {
    t.throws(
      () => new Regex(pattern),
      { code: 'VARVE_REGEX', message: /^Cannot use regular expression/ },
      pattern
    )
  }
})

t.test('Regex costs a bounded number of steps whatever the pattern', async t => {
  const bombs = [
    '(a+)+b',
    '(a*)*b',
    '(a|a)*b',
    '(a|aa)+b',
    '(.*a){20}b',
    '((a?){100}){10}a{100}b',
    '(\\w+\\s?)*$x'
  ]
  const text = 'a'.repeat(4000)
  for (const pattern of bombs) {
    try {
      t.equal(new Regex(pattern).test(text), false, pattern)
    } catch (error) {
      t.match((error as VarveError).code, /^VARVE_REGEX(_COST)?$/, pattern)
    }
  }
  for (const pattern of [
    '((a{1000}){1000}){1000}',
    '((){1000}){1000}',
    'a{1000}'.repeat(5),
    '('.repeat(300)
  ]) {
    t.throws(() => new Regex(pattern), { code: 'VARVE_REGEX' }, pattern.slice(0, 40))
  }
  t.throws(() => new Regex(`${'a'.repeat(70_000)}.`), { code: 'VARVE_REGEX' })
  const many = Array.from({ length: 5000 }, (_, i) => `device-${i}`)
  t.ok(new Regex(many.join('|')).test('device-4999'), 'a long choice of texts is no bomb')
  const costly = new Regex('(x?){400}y')
  t.throws(
    () => {
      for (let i = 0; i < REGEX_COST.stepsMax / 400 / 400; i++) costly.test('x'.repeat(400))
    },
    { code: 'VARVE_REGEX_COST' }
  )
})

t.test('new Regex() throws nothing but VARVE_REGEX for any text', async t => {
  const bits = [
    '(',
    ')',
    '[',
    ']',
    '^',
    '\\',
    '|',
    '*',
    '{2,3}',
    '?',
    '-',
    ':alpha:',
    '(?i)',
    'a',
    'Q',
    'p{L}',
    '\n',
    '{',
    'é'
  ]
  let compiled = 0
  for (const seed of seeds(5000)) {
    const random = new Random(seed)
    const pattern = Array.from({ length: random.below(10) }, () => random.pick(bits)).join('')
    try {
      new Regex(pattern).test('aé]')
      compiled++
    } catch (error) {
      if (!(error instanceof VarveError) || error.code !== 'VARVE_REGEX') {
        t.fail(`${JSON.stringify(pattern)} VARVE_SEED=${seed} ${error}`)
      }
    }
  }
  t.ok(compiled > 500, `${compiled} compiled`)
})

t.test('compileMatcher() takes an absent label as empty', async t => {
  const test = (op: '=' | '!=' | '=~' | '!~', value: string, given: string) =>
    compileMatcher({ name: 'a', op, value })(given)
  t.equal(test('=', '', ''), true)
  t.equal(test('!=', 'x', ''), true)
  t.equal(test('=~', 'x|', ''), true)
  t.equal(test('=~', 'x', 'xy'), false)
  t.equal(test('!~', '.+', ''), true)
})
