// What OBJECT ENCODING says. Nothing here lies as in Redis: the words tell what Redis would have chosen for a
// collection of this size, since clients and tests ask for them.
// Not here: how things really lie (database.ts, elements.ts).
import type { Database } from './database.ts'
import type { Head } from './head.ts'
import { parseInt64 } from './numbers.ts'
import type { Settings } from './settings.ts'

const EMBEDDED_MAX = 44

/** The key is there. */
export function encodingOf(db: Database, key: string, settings: Settings): string {
  const head = db.head(key)
  if (head === undefined) return stringEncoding(db.string(key)!.value)
  switch (head.type) {
    case 'list':
      return listEncoding(db, head, settings)
    case 'set':
      return setEncoding(db, head, settings)
    case 'hash':
      return isSmall(
        db,
        head,
        settings.number('hash-max-listpack-entries'),
        settings.number('hash-max-listpack-value')
      )
        ? 'listpack'
        : 'hashtable'
    case 'zset':
      return isSmall(
        db,
        head,
        settings.number('zset-max-listpack-entries'),
        settings.number('zset-max-listpack-value')
      )
        ? 'listpack'
        : 'skiplist'
  }
}

function stringEncoding(value: Uint8Array): string {
  if (value.length <= 20 && parseInt64(Buffer.from(value).toString('latin1')) !== null) return 'int'
  return value.length <= EMBEDDED_MAX ? 'embstr' : 'raw'
}

function listEncoding(db: Database, head: Head, settings: Settings): string {
  const max = settings.number('list-max-listpack-size')
  if (max > 0 && head.count > max) return 'quicklist'
  let bytes = 0
  const bytesMax = max < 0 ? 2048 * 2 ** Math.min(5, -max) : 8192
  for (const value of db.elements.values(head, 0, head.count - 1)) {
    bytes += value.length + 2
    if (bytes > bytesMax) return 'quicklist'
  }
  return 'listpack'
}

function setEncoding(db: Database, head: Head, settings: Settings): string {
  const intMax = settings.number('set-max-intset-entries')
  const packMax = settings.number('set-max-listpack-entries')
  const valueMax = settings.number('set-max-listpack-value')
  if (head.count > Math.max(intMax, packMax)) return 'hashtable'
  let areIntegers = true
  let areShort = true
  for (const { member } of db.elements.all(head)) {
    areIntegers &&= parseInt64(member) !== null
    areShort &&= member.length <= valueMax
  }
  if (areIntegers && head.count <= intMax) return 'intset'
  return areShort && head.count <= packMax ? 'listpack' : 'hashtable'
}

function isSmall(db: Database, head: Head, countMax: number, bytesMax: number): boolean {
  if (head.count > countMax) return false
  for (const { member, value } of db.elements.all(head)) {
    if (member.length > bytesMax || (head.type === 'hash' && value.length > bytesMax)) return false
  }
  return true
}
