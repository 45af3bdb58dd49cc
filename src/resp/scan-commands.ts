// Going through the keys of a database: SCAN, KEYS, RANDOMKEY, DBSIZE, FLUSHDB.
//
// A cursor of Redis is a number, a place in the order of keys is a text: SCAN keeps the places that it gave out, and
// names them by numbers. So a scan goes through keys in order, gives each that is there all the time exactly
// once, and costs what it gives. Places are kept for the newest CURSORS_MAX scans; an unknown cursor ends the scan,
// as Redis does with one that it did not give.
// Not here: elements of one collection (element-scan.ts).
import type { Args } from './args.ts'
import type { Client } from './client.ts'
import { command, family, type Later } from './command.ts'
import type { Database } from './database.ts'
import { DATABASES } from './databases.ts'
import { globMatches, globPrefix } from './glob.ts'
import { decodeHead } from './head.ts'
import type { Hub } from './hub.ts'
import { integerOf, parseInt64 } from './numbers.ts'
import { fail, SYNTAX } from './reply-error.ts'

const CURSORS_MAX = 1024
/** Keys that one call looks at, at most, however few match. */
const LOOKED_AT = 10

export interface Key {
  readonly key: string
  readonly type: string
  readonly version: number
}

/** The keys of a database: strings in order, then collections in order. @param after  as a cursor keeps it */
export function* keysIn(
  db: Database,
  prefix = '',
  after: string | null = null
): Generator<Key, void, undefined> {
  // SWAPDB may come between two of them.
  const { strings, heads } = db
  const isInHeads = after?.startsWith('h') === true
  const from = after === null ? {} : { from: `${after.slice(1)}\0` }
  if (!isInHeads) {
    const start = strings.length + 1
    for (const entry of db.space.scan(strings, { prefix, ...from })) {
      yield { key: entry.stored.slice(start), type: 'string', version: entry.version }
    }
  }
  const start = heads.length + 1
  const nowUs = db.space.clock.nowUs()
  for (const entry of db.space.scan(heads, { prefix, ...(isInHeads ? from : {}) })) {
    const head = decodeHead(entry.value)
    const key = entry.stored.slice(start)
    if (head.expiresUs === 0 || nowUs < head.expiresUs) yield { key, type: head.type, version: entry.version }
    else db.expire(key, head)
  }
}

/** Places of scans that were not at their end, by the numbers that clients hold. */
export class Cursors {
  private readonly places = new Map<string, string>()
  private last = 0

  get(number: string): string | undefined {
    return this.places.get(number)
  }

  add(place: string): string {
    const number = String(++this.last)
    this.places.set(number, place)
    if (this.places.size > CURSORS_MAX) this.places.delete(this.places.keys().next().value!)
    return number
  }
}

const cursors = new Cursors()

export interface ScanWords {
  readonly match: string
  readonly count: number
  readonly type: string | null
  readonly hasValues: boolean
}

/** MATCH, COUNT, and TYPE or NOVALUES. @throws {ReplyError} */
export function readScanWords(args: Args, from: number, extra: 'TYPE' | 'NOVALUES' | null): ScanWords {
  let match = '*'
  let count = 10
  let type: string | null = null
  let hasValues = true
  for (let i = from; i < args.count; i++) {
    const word = args.upper(i)
    if (word === 'NOVALUES' && extra === word) hasValues = false
    else if (i + 1 >= args.count) fail(SYNTAX)
    else if (word === 'MATCH') match = args.text(++i)
    else if (word === 'TYPE' && extra === word) type = args.text(++i).toLowerCase()
    else if (word === 'COUNT') {
      count = integerOf(args.text(++i))
      if (count < 1) fail(SYNTAX)
    } else fail(SYNTAX)
  }
  return { match, count, type, hasValues }
}

/** No word is 0. @throws {ReplyError} when the word cannot be a cursor */
export function readCursor(text: string): string {
  if (text === '') return '0'
  if (parseInt64(text) === null && !/^\d{1,20}$/.test(text)) fail('ERR invalid cursor')
  return text
}

const TYPES = ['string', 'hash', 'list', 'set', 'zset', 'stream']

function scan(client: Client, args: Args) {
  const { db, out } = client
  const number = readCursor(args.text(1))
  const { match, count, type } = readScanWords(args, 2, 'TYPE')
  if (type !== null && !TYPES.includes(type)) fail(`ERR unknown type name '${type}'`)
  const place = number === '0' ? null : cursors.get(number)
  const found: string[] = []
  let next = '0'
  if (place !== undefined) {
    let looked = 0
    let last = ''
    for (const { key, type: is } of keysIn(db, globPrefix(match), place)) {
      if (looked++ >= Math.max(count, LOOKED_AT)) {
        next = cursors.add(last)
        break
      }
      last = `${is === 'string' ? 's' : 'h'}${key}`
      if ((type === null || type === is) && globMatches(match, key)) found.push(key)
    }
  }
  out.array(2)
  out.text(next)
  out.texts(found)
}

function keys(client: Client, args: Args) {
  const pattern = args.text(1)
  const found: string[] = []
  for (const { key } of keysIn(client.db, globPrefix(pattern))) if (globMatches(pattern, key)) found.push(key)
  client.out.texts(found)
}

/** How many keys there are, counted up to a bound: about a microsecond for each. */
export function countKeys(db: Database, max = Number.POSITIVE_INFINITY): number {
  let n = 0
  for (const _ of keysIn(db)) if (++n >= max) break
  return n
}

const COUNTED_MS = 5
const COUNTED_AT_ONCE = 256

/**
 * Counts the keys, a few milliseconds at a time, so that a million of them stop nobody else; one that comes or goes
 * meanwhile is counted or not. A count that is kept would have every SET look whether its key is there.
 */
async function countInPieces({ space }: Hub, db: Database): Later {
  const keys = keysIn(db)
  let [n, wait] = [0, 0]
  try {
    for (let isEnd = false; !isEnd; ) {
      const endMs = space.clock.monotonicMs() + COUNTED_MS
      do {
        isEnd = keys.next().done === true
        if (!isEnd) n++
      } while (!isEnd && (n % COUNTED_AT_ONCE !== 0 || space.clock.monotonicMs() < endMs))
      wait = Math.max(wait, space.takeWait())
      if (!isEnd) await new Promise<void>(resolve => setImmediate(resolve))
    }
  } finally {
    keys.return()
  }
  return out => {
    space.wait = Math.max(space.wait, wait)
    out.int(n)
  }
}

function dbSize(client: Client) {
  const { db, hub, isInExec, out } = client
  if (!isInExec) return countInPieces(hub, db)
  return out.int(countKeys(db))
}

const RANDOM_KEYS = 256

/** One of the keys behind a place by chance: even enough for sampling, and it does not go through all. */
function randomKey(client: Client) {
  const { db, out } = client
  const some: string[] = []
  const chance = crypto.getRandomValues(new Uint8Array(2))
  for (const after of [`s${String.fromCharCode(chance[0]!)}`, null]) {
    for (const { key } of keysIn(db, '', after)) {
      some.push(key)
      if (some.length >= RANDOM_KEYS) break
    }
    if (some.length > 0) break
  }
  if (some.length === 0) out.nil()
  else out.text(some[chance[1]! % some.length]!)
}

const FLUSHED_AT_ONCE = 500

/**
 * Removes what a database held when it began, at most so many keys: what is written since stays.
 * @param after  as keysIn() takes it
 * @returns the place to go on behind; null: the end was reached
 */
function flushSome(db: Database, upTo: number, after: string | null, limit: number): string | null {
  let place = after
  let looked = 0
  for (const { key, type, version } of keysIn(db, '', after)) {
    place = `${type === 'string' ? 's' : 'h'}${key}`
    if (version <= upTo) {
      db.remove(key)
      db.changed(key, '', '')
    }
    if (++looked === limit) return place
  }
  return null
}

/** In pieces, so that a million keys stop nobody; one piece where EXEC has to be one. */
async function flushInPieces({ space, databases }: Hub, some: readonly Database[]): Later {
  const upTo = space.version
  let wait = 0
  // By their places: SWAPDB may come between two pieces.
  for (const place of some.map(db => db.place)) {
    for (let after: string | null = null; ; ) {
      after = space.together(() => flushSome(databases.at(place), upTo, after, FLUSHED_AT_ONCE))
      wait = Math.max(wait, space.takeWait())
      if (after === null) break
      await new Promise<void>(resolve => setImmediate(resolve))
    }
  }
  return out => {
    space.wait = Math.max(space.wait, wait)
    out.ok()
  }
}

function flushDb(all: boolean) {
  return (client: Client, args: Args) => {
    const word = args.count === 2 ? args.upper(1) : 'SYNC'
    if (args.count > 2 || (word !== 'SYNC' && word !== 'ASYNC')) fail(SYNTAX)
    const { db, hub, isInExec, out } = client
    const databases = all ? Array.from({ length: DATABASES }, (_, i) => hub.database(i)) : [db]
    if (!isInExec) return flushInPieces(hub, databases)
    for (const one of databases) flushSome(one, hub.space.version, null, Number.POSITIVE_INFINITY)
    return out.ok()
  }
}

export const scanCommands = family('generic', [
  command('scan', -2, 'r', 'none', 'Goes through the keys.', scan),
  command('keys', 2, 'r', 'none', 'Returns all keys that match a pattern.', keys),
  command('dbsize', 1, 'rf', 'none', 'Returns how many keys there are.', dbSize),
  command('randomkey', 1, 'r', 'none', 'Returns a key by chance.', randomKey),
  command('flushdb', -1, 'w', 'none', 'Deletes all keys of the database.', flushDb(false), ['admin']),
  command('flushall', -1, 'w', 'none', 'Deletes all keys.', flushDb(true), ['admin'])
])
