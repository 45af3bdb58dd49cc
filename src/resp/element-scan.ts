// HSCAN, SSCAN and ZSCAN: the elements of one collection. A small one comes whole, as in Redis; of a large one
// each call gives COUNT elements behind the place that its cursor names.
import type { Args } from './args.ts'
import type { Client } from './client.ts'
import { command, family } from './command.ts'
import { placeOf, readScore } from './elements.ts'
import { globMatches } from './glob.ts'
import type { CollectionType } from './head.ts'
import { printDouble } from './reply.ts'
import { Cursors, readCursor, readScanWords, type ScanWords } from './scan-commands.ts'

const WHOLE_MAX = 128
const NO_WORDS: ScanWords = { match: '*', count: 10, type: null, hasValues: true }
const cursors = new Cursors()

function scan(type: CollectionType) {
  return (client: Client, args: Args) => {
    const { db, out } = client
    const number = readCursor(args.text(2))
    const head = db.collection(args.text(1), type)
    // What is said for nothing is not looked at, as in Redis.
    const words = head === undefined ? NO_WORDS : readScanWords(args, 3, type === 'hash' ? 'NOVALUES' : null)
    const { match, count, hasValues } = words
    const isWhole = head !== undefined && head.count <= WHOLE_MAX
    const isStart = number === '0' || isWhole
    const place = isStart ? undefined : cursors.get(number)
    const found: (string | Uint8Array)[] = []
    let next = '0'
    if (head !== undefined && (isStart || place !== undefined)) {
      const max = isWhole ? Number.POSITIVE_INFINITY : count
      let looked = 0
      let last = ''
      for (const { member, value } of db.elements.all(head, place)) {
        if (looked++ >= max) {
          next = cursors.add(last)
          break
        }
        last = placeOf(member)
        if (!globMatches(match, member)) continue
        found.push(member)
        if (type === 'zset') found.push(printDouble(readScore(value)))
        else if (type === 'hash' && hasValues) found.push(value)
      }
    }
    out.array(2)
    out.text(next)
    out.texts(found)
  }
}

export const elementScans = [
  ...family('hash', [command('hscan', -3, 'r', 'one', 'Goes through the fields.', scan('hash'))]),
  ...family('set', [command('sscan', -3, 'r', 'one', 'Goes through the members.', scan('set'))]),
  ...family('sorted-set', [command('zscan', -3, 'r', 'one', 'Goes through the members.', scan('zset'))])
]
