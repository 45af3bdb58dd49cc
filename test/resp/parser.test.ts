// Commands are found in bytes however these are cut, and nothing that is no command does harm.
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { splitInline } from '../../src/resp/inline.ts'
import { RESP_LIMITS } from '../../src/resp/limits.ts'
import { Parser } from '../../src/resp/parser.ts'
import { ReplyError } from '../../src/resp/reply-error.ts'
import { seeds } from '../kit/seeds.ts'
import { encode } from './resp-client.ts'

const LIMITS = {
  ...RESP_LIMITS,
  inlineBytesMax: 256,
  wordBytesMax: 1 << 16,
  wordsMax: 1000,
  commandBytesMax: 1 << 18
}

/** Feeds bytes in pieces; the commands, or those before a fault and its text. */
function parse(bytes: Buffer, random: Random, pieceMax: number): string[] {
  const parser = new Parser(LIMITS)
  const found: string[] = []
  try {
    for (let at = 0; at < bytes.length; ) {
      const piece = Buffer.from(bytes.subarray(at, (at += 1 + random.below(pieceMax))))
      parser.feed(piece)
      while (parser.next()) found.push(JSON.stringify(parser.args.texts(0)))
      parser.keep()
      // What a socket does with its memory.
      piece.fill(0x2a)
    }
  } catch (error) {
    if (!(error instanceof ReplyError)) throw error
    found.push(error.message)
  }
  return found
}

function anyWords(random: Random): string[] {
  return Array.from({ length: 1 + random.below(6) }, () => {
    const length = random.pick([0, 1, 3, 20, 3000])
    return Array.from({ length }, () => String.fromCharCode(random.below(256))).join('')
  })
}

t.test('next() finds the same commands however the bytes are cut', async t => {
  for (const seed of seeds(60)) {
    const random = new Random(seed)
    const commands = Array.from({ length: 8 }, () => anyWords(random))
    const bytes = Buffer.concat(commands.map(encode))
    const expected = commands.map(words => JSON.stringify(words))
    for (const pieceMax of [1, 7, 100, 100_000]) {
      t.same(parse(bytes, random, pieceMax), expected, `VARVE_SEED=${seed} pieces of ${pieceMax}`)
    }
  }
})

t.test('next() refuses what is no command, in the words of Redis', async t => {
  const random = new Random(1)
  const faults: [string, string][] = [
    ['*x\r\n', 'ERR Protocol error: invalid multibulk length'],
    ['*1001\r\n', 'ERR Protocol error: invalid multibulk length'],
    ['*1\r\n:5\r\n', "ERR Protocol error: expected '$', got ':'"],
    ['*1\r\n$-5\r\n', 'ERR Protocol error: invalid bulk length'],
    ['*1\r\n$65537\r\n', 'ERR Protocol error: invalid bulk length'],
    ['*1\r\n$99999999999999999999999\r\n', 'ERR Protocol error: invalid bulk length'],
    ['SET "a b\r\n', 'ERR Protocol error: unbalanced quotes in request'],
    ['x'.repeat(300), 'ERR Protocol error: too big inline request']
  ]
  for (const [bytes, text] of faults) {
    for (const pieceMax of [1, 1000])
      t.same(parse(Buffer.from(bytes), random, pieceMax), [text], bytes.slice(0, 30))
  }
  t.same(parse(Buffer.from('*0\r\n*-1\r\n\r\nPING\r\n'), random, 3), ['["PING"]'])
})

t.test('next() survives any bytes', async t => {
  for (const seed of seeds(300)) {
    const random = new Random(seed)
    const sound = Buffer.concat([encode(anyWords(random)), encode(['GET', 'a']), encode(anyWords(random))])
    const bytes = Buffer.from(sound)
    for (let n = random.below(8); n >= 0; n--)
      bytes[random.below(bytes.length)] = random.pick([10, 13, 36, 42, 45, 48, 57, random.below(256)])
    const pieces = parse(bytes, new Random(seed), 50)
    t.same(parse(bytes, new Random(seed), 100_000), pieces, `VARVE_SEED=${seed}`)
  }
})

t.test('a word that is announced takes no memory before it comes', async t => {
  const parser = new Parser({ ...LIMITS, wordBytesMax: 1 << 24, commandBytesMax: 1 << 25 })
  parser.feed(Buffer.from('*2\r\n$3\r\nSET\r\n$16000000\r\nabc'))
  t.notOk(parser.next())
  parser.keep()
  t.ok(parser.kept < 4096, `${parser.kept} bytes are kept`)
})

t.test('splitInline() reads quotes as a shell does', async t => {
  t.same(splitInline("SET \"a \\x41\\n\" 'b\\'c'  d"), ['SET', 'a A\n', "b'c", 'd'])
  t.same(splitInline('  '), [])
  t.equal(splitInline('"a"b'), null)
})
