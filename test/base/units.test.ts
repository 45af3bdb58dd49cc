import t from 'tap'
import { VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import {
  parseDuration,
  parseSize,
  printDuration,
  printSize,
  roughDuration,
  roughSize
} from '../../src/base/units.ts'
import { seeds } from '../kit/seeds.ts'

t.test('parseDuration() reads what its header says', async t => {
  const known: [string, number][] = [
    ['0s', 0],
    ['1ms', 1],
    ['15m', 900_000],
    ['1d12h', 129_600_000],
    ['2w', 1_209_600_000],
    ['10y', 315_360_000_000],
    ['1y2d3h4m5s6ms', 31_719_845_006]
  ]
  for (const [text, ms] of known) t.equal(parseDuration(text), ms, text)
})

t.test('parseDuration() refuses all else with a reason', async t => {
  const bad = [
    '',
    '5',
    's',
    '-1s',
    '1.5s',
    '1s1s',
    '1s1m',
    '1 s',
    '5 parsecs',
    '1S',
    '1M',
    '99999999999y',
    '1s ',
    'constructor'
  ]
  for (const text of bad) t.throws(() => parseDuration(text), { code: 'VARVE_UNIT' }, JSON.stringify(text))
  t.throws(() => parseDuration('5x'), {
    message: 'Cannot read duration "5x": unit "x" is not one of y d h m s ms, such as "15m" or "1d12h"'
  })
})

t.test('parseSize() tells powers of 1024 from powers of 1000', async t => {
  const known: [string, number][] = [
    ['0', 0],
    ['512', 512],
    ['512B', 512],
    ['1KiB', 1024],
    ['64MiB', 67_108_864],
    ['32GB', 32_000_000_000],
    ['1kB', 1000],
    ['8191TiB', 8191 * 1024 ** 4]
  ]
  for (const [text, bytes] of known) t.equal(parseSize(text), bytes, text)
  for (const text of [
    '',
    'MiB',
    '1.5GiB',
    '-1',
    '1 MiB',
    '1mib',
    '1K',
    '1e3',
    '9000TiB',
    '99999999999999999'
  ]) {
    t.throws(() => parseSize(text), { code: 'VARVE_UNIT' }, JSON.stringify(text))
  }
})

t.test('print then parse gives back the same number, in the shortest words', async t => {
  t.equal(printDuration(90_000), '1m30s')
  t.equal(printDuration(0), '0s')
  t.equal(printSize(67_108_864), '64MiB')
  t.equal(printSize(32_000_000_000), '32GB')
  t.equal(printSize(0), '0B')
  for (const seed of seeds(500)) {
    const random = new Random(seed)
    const n = Math.floor(2 ** (random.unit() * 53)) - 1
    if (parseDuration(printDuration(n)) !== n || parseSize(printSize(n)) !== n) t.fail(`VARVE_SEED=${seed}`)
  }
})

t.test('parseDuration() and parseSize() answer any text with a number or a coded error', async t => {
  const pieces = [
    '1',
    '00',
    '9007199254740993',
    'y',
    'ms',
    's',
    'MiB',
    'GB',
    '-',
    '.',
    ' ',
    'e',
    '\u0000',
    'é',
    '1d12h'
  ]
  for (const seed of seeds(500)) {
    const random = new Random(seed)
    const text = Array.from({ length: random.below(6) }, () => random.pick(pieces)).join('')
    for (const parse of [parseDuration, parseSize]) {
      try {
        const n = parse(text)
        if (!Number.isSafeInteger(n) || n < 0) t.fail(`VARVE_SEED=${seed} ${JSON.stringify(text)} gave ${n}`)
      } catch (error) {
        if (!(error instanceof VarveError && error.code === 'VARVE_UNIT'))
          t.fail(`VARVE_SEED=${seed} ${error}`)
      }
    }
  }
  t.throws(() => parseDuration('1'.repeat(1_000_000)), { code: 'VARVE_UNIT' })
})

t.test('roughSize() and roughDuration() are for people', async t => {
  t.equal(roughSize(1_288_490_189), '1.20 GiB')
  t.equal(roughSize(0), '0 B')
  t.equal(roughSize(512 * 1024), '512 KiB')
  t.equal(roughSize(17.25), '17.3 B')
  t.equal(roughDuration(100_000_000), '1d 3h')
  t.equal(roughDuration(0), '0s')
  t.equal(roughDuration(Infinity), 'forever')
})
