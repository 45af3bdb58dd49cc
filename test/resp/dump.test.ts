// DUMP and RESTORE: payloads of a real Redis 7.2, of our own, and of nobody.
import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { crc64, sealed, unsealed } from '../../src/resp/rdb-check.ts'
import { readListpack, readZiplist, unshortened } from '../../src/resp/rdb-packed.ts'
import { decodeValue, encodeValue, type RdbValue } from '../../src/resp/rdb-value.ts'
import { seeds } from '../kit/seeds.ts'
import { openFace } from './face.ts'
import { encode, type RespClient } from './resp-client.ts'

const bytes = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex')
const words = (all: readonly Uint8Array[]) => all.map(one => Buffer.from(one).toString())

/** What `DUMP` of Redis 7.2.6 gave, with a command that shows what it holds. */
const DUMPS: readonly [what: string, dump: string, show: string, shown: string][] = [
  [
    'a shortened string',
    '00c30b40780361626361e069020162630b00ad4b1c03d77dd78f',
    'GET k',
    `"${'abcabc'.repeat(20)}"`
  ],
  ['a number', '00c1d2040b006958b5d2b91db564', 'GET k', '"1234"'],
  [
    'a list in a listpack',
    '120102c3204060186000000006008161020101dffb02c3e802f2a0860104e04678e03c000148ff0b002305a238afe9a5e3',
    'LRANGE k 0 -1',
    `["a" "1" "-5" "1000" "100000" "${'x'.repeat(70)}"]`
  ],
  ['an intset', '0b0e0200000003000000010002002c010b008ccf0ffd860ac023', 'SMEMBERS k', '["1" "2" "300"]'],
  ['a set in a listpack', '140d0d0000000200816102816202ff0b000aec0ab449a3d654', 'SMEMBERS k', '["a" "b"]'],
  [
    'a hash in a listpack',
    '10121200000004008166028176028167020701ff0b000ed0cec999381b2b',
    'HGETALL k',
    '["f" "v" "g" "7"]'
  ],
  [
    'a sorted set in a listpack',
    '1115150000000400816202dffe0281610283312e3504ff0b0005ea2085ce4f62d4',
    'ZRANGE k 0 -1 WITHSCORES',
    '["b" "-2" "a" "1.5"]'
  ]
]

/** Sends words that hold any bytes. */
function send(client: RespClient, ...all: (string | Buffer)[]): Promise<string> {
  client.socket.write(encode(all.map(one => (typeof one === 'string' ? one : one.toString('latin1')))))
  return client.next()
}

t.test('RESTORE takes what Redis gives', async t => {
  const client = await (await openFace(t)).client()
  for (const [what, dump, show, shown] of DUMPS) {
    t.equal(await send(client, 'RESTORE', 'k', '0', bytes(dump), 'REPLACE'), '+OK', what)
    t.equal(await client.run(show), shown, what)
  }
})

t.test('what DUMP gives RESTORE takes, with the time to live that is asked for', async t => {
  const client = await (await openFace(t)).client()
  for (const make of ['SET k v', 'RPUSH k a b', 'SADD k a b', 'HSET k f v', 'ZADD k 1.5 a -inf b']) {
    await client.run('DEL k other')
    await client.run(make)
    const dump = Buffer.from(JSON.parse(await client.run('DUMP k')), 'latin1')
    t.equal(await send(client, 'RESTORE', 'other', '100000', dump), '+OK', make)
    t.equal(await client.run('TTL other'), ':100')
    t.equal(await client.run('DUMP other'), await client.run('DUMP k'), make)
    t.equal(await send(client, 'RESTORE', 'k', '0', dump), '-BUSYKEY Target key name already exists.')
    t.equal(await send(client, 'RESTORE', 'k', '1', dump, 'REPLACE', 'ABSTTL'), '+OK')
    t.equal(await client.run('EXISTS k'), ':0', 'a moment that is over leaves nothing')
    t.equal(await send(client, 'RESTORE', 'k', '-1', dump), '-ERR Invalid TTL value, must be >= 0')
  }
  t.equal(await client.run('DUMP nothing'), 'nil')
  const wrong = '-ERR DUMP payload version or checksum are wrong'
  t.equal(await client.run('RESTORE k 0 short'), wrong)
  const broken = bytes(DUMPS[1]![1])
  broken[1]! ^= 1
  t.equal(await send(client, 'RESTORE', 'k', '0', broken), wrong)
  const later = Buffer.from(sealed(bytes('00 01 61')))
  later.writeUInt16LE(99, 3)
  t.equal(await send(client, 'RESTORE', 'k', '0', later), wrong)
  t.equal(await send(client, 'RESTORE', 'k', '0', sealed(bytes('02 02 01 61 01 61'))), '-ERR Bad data format')
})

t.test('the examples of the headers are what they say', t => {
  t.same(crc64(Buffer.from('123456789')), { high: 0xe9c6d914, low: 0xc4b8d9ca })
  t.equal(sealed(bytes('00 01 61')).toString('hex'), '00016109006f0cbe57dbb01e05')
  t.same(unsealed(bytes('00016109006f0cbe57dbb01e05')), bytes('000161'))
  t.same(encodeValue({ type: 'set', members: ['a'] }), bytes('02 01 01 61'))
  t.same(words(readListpack(bytes('0c 00 00 00 02 00 81 61 02 01 01 ff'))), ['a', '1'])
  t.end()
})

t.test('packed elements of all widths are read', t => {
  const ziplist =
    '00000000 00000000 0000 00 0161 03 c00004 04 fe80 03 f1 02 f0ffffff 05 d000000080 fe00000000 4001 62 ff'
  t.same(words(readZiplist(bytes(ziplist))), ['a', '1024', '-128', '0', '-1', '-2147483648', 'b'])
  const listpack =
    '00000000 0000 7f 01 df00 02 f1 0080 03 f2 ffff7f 04 f4 0000000000000080 09 e001 63 03 f0 01000000 64 06 ff'
  const read = ['127', '-256', '-32768', '8388607', '-9223372036854775808', 'c', 'd']
  t.same(words(readListpack(bytes(listpack))), read)
  t.equal(Buffer.from(unshortened(bytes('00 61 e0 00 00'), 10)).toString(), 'aaaaaaaaaa')
  t.throws(() => unshortened(bytes('00 61 e0 00 05'), 10), { code: 'VARVE_RESP_VALUE' })
  t.throws(() => unshortened(bytes('00 61'), 10), { code: 'VARVE_RESP_VALUE' })
  const twice = bytes('01 02 c3 05 0a 00 61 e0 00 00 c3 05 0a 00 61 e0 00 00')
  t.match(decodeValue(twice, 20), { type: 'list' })
  t.throws(() => decodeValue(twice, 19), { code: 'VARVE_RESP_VALUE' })
  t.throws(() => decodeValue(bytes('00 c3 02 8100007fffffffffff 00 61'), 1000), { code: 'VARVE_RESP_VALUE' })
  t.end()
})

function anyValue(random: Random): RdbValue {
  const word = () => Buffer.alloc(random.pick([0, 1, 63, 64, 300, 16_384]), random.below(256))
  const members = Array.from({ length: 1 + random.below(80) }, (_, i) => `${i}${word().toString('latin1')}`)
  switch (random.below(5)) {
    case 0:
      return { type: 'string', value: word() }
    case 1:
      return { type: 'list', values: members.map(word) }
    case 2:
      return { type: 'set', members }
    case 3:
      return { type: 'hash', fields: members.map(member => [member, word()] as const) }
    default:
      return { type: 'zset', members: members.map(member => ({ member, score: random.unit() - 0.5 })) }
  }
}

t.test('values come back as they were, and bytes of nobody are refused in words', async t => {
  for (const seed of seeds(60)) {
    const random = new Random(seed)
    const value = anyValue(random)
    const encoded = encodeValue(value)
    const label = `VARVE_SEED=${seed}`
    t.same(Buffer.from(encodeValue(decodeValue(encoded, 1000))), Buffer.from(encoded), label)
    const dumps = [encoded, ...DUMPS.map(([, dump]) => bytes(dump).subarray(0, -10))]
    const faults: unknown[] = []
    for (let i = 0; i < 200; i++) {
      const broken = Buffer.from(random.pick(dumps))
      for (let n = random.below(3); n >= 0; n--) broken[random.below(broken.length)] = random.below(256)
      try {
        decodeValue(random.chance(0.3) ? broken.subarray(0, random.below(broken.length)) : broken, 100_000)
      } catch (error) {
        const { code } = error as { code?: string }
        if (code !== 'VARVE_TRUNCATED' && code !== 'VARVE_RESP_VALUE') faults.push(error)
      }
    }
    t.same(faults, [], label)
  }
})
