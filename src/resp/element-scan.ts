// HSCAN, SSCAN and ZSCAN: the elements of one collection. A small one comes whole, as in Redis; of a large one
// each call gives COUNT elements behind the place that its cursor names.
import type { Args } from './args.ts'
import type { Client } from './client.ts'
import { command, family } from './command.ts'
import { placeOf, readScore } from './elements.ts'
import { globMatches } from './glob.ts'
import type { CollectionType } from './head.ts'
import { printDouble } from './reply.ts'
import { Cursors, readCursor, readScanWords } from './scan-commands.ts'

const WHOLE_MAX = 128
const cursors = new Cursors()

function scan(type: CollectionType) {
  return (client: Client, args: Args) => {
    const { db, out } = client
    const number = readCursor(args.text(2))
    const { match, count, hasValues } = readScanWords(args, 3, type === 'hash' ? 'NOVALUES' : null)
    const head = db.collection(args.text(1), type)
    const place = number === '0' ? undefined : cursors.get(number)
    const found: (string | Uint8Array)[] = []
    let next = '0'
    if (head !== undefined && (number === '0' || place !== undefined)) {
      const max = head.count <= WHOLE_MAX ? Number.POSITIVE_INFINITY : count
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
