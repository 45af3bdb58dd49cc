// The second checksum is xxHash32, wherever its bytes lie.
import t from 'tap'
import { wordSum } from '../../src/base/word-sum.ts'

t.test('wordSum() is xxHash32 with seed 0', t => {
  const known = {
    '': 0x02cc5d05,
    a: 0x550d7456,
    abc: 0x32d153ff,
    '123456789': 0x937bad67,
    'Nobody inspects the spammish repetition': 0xe2293b2f
  }
  for (const [text, sum] of Object.entries(known)) {
    const bytes = new TextEncoder().encode(text)
    t.equal(wordSum(bytes), sum, text)
    for (let at = 0; at < 5; at++) {
      const room = new Uint8Array(at + bytes.length + 3).fill(0xaa)
      room.set(bytes, at)
      t.equal(wordSum(room, at, at + bytes.length), sum, `${text} at ${at}`)
    }
  }
  t.end()
})
