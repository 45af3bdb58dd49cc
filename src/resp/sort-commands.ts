// SORT: a list, a set or a sorted set in the order of its elements, or of what is stored under keys that they name,
// answered, or kept as a list.
//
// A pattern is a key with * in place of the element; "key->field" is a field of a hash, # the element itself.
// Elements that are equal in what they are sorted by are in the order of their bytes, as in Redis; for ALPHA BY, where
// Redis leaves the order open, too.
// Not here: keys of any type (key-commands.ts).
import type { Args } from './args.ts'
import type { Client } from './client.ts'
import { command, family } from './command.ts'
import type { Database } from './database.ts'
import { integerOf, parseLoosely } from './numbers.ts'
import { fail, SYNTAX, WRONG_TYPE } from './reply-error.ts'

interface SortWords {
  by: string | null
  readonly get: string[]
  isAlpha: boolean
  isDescending: boolean
  offset: number
  count: number
  store: string | null
}

/** @throws {ReplyError} */
function readSortWords(args: Args, mayStore: boolean): SortWords {
  const words: SortWords = {
    ...{ by: null, get: [], isAlpha: false, isDescending: false },
    ...{ offset: 0, count: -1, store: null }
  }
  for (let i = 2; i < args.count; i++) {
    const word = args.upper(i)
    const left = args.count - i - 1
    if (word === 'ASC') words.isDescending = false
    else if (word === 'DESC') words.isDescending = true
    else if (word === 'ALPHA') words.isAlpha = true
    else if (word === 'LIMIT' && left >= 2) {
      words.offset = integerOf(args.text(++i))
      words.count = integerOf(args.text(++i))
    } else if (word === 'STORE' && left >= 1 && mayStore) words.store = args.text(++i)
    else if (word === 'BY' && left >= 1) words.by = args.text(++i)
    else if (word === 'GET' && left >= 1) words.get.push(args.text(++i))
    else fail(SYNTAX)
  }
  return words
}

/** The elements as they lie: a sorted set by its scores. @throws {ReplyError} WRONGTYPE */
function elementsOf(db: Database, key: string): string[] {
  const type = db.type(key)
  if (type === null) return []
  if (type === 'string' || type === 'hash') return fail(WRONG_TYPE)
  const head = db.collection(key, type)!
  const { elements } = db
  if (type === 'zset') return Array.from(elements.byScore(head), ({ member }) => member)
  if (type === 'set') return Array.from(elements.all(head), ({ member }) => member)
  return Array.from(elements.values(head, 0, head.count - 1), textOf)
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

/** What a pattern names for an element; undefined: nothing. */
function lookUp(db: Database, pattern: string, element: string): string | undefined {
  if (pattern === '#') return element
  const star = pattern.indexOf('*')
  if (star < 0) return undefined
  const arrow = pattern.indexOf('->', star + 1)
  const hasField = arrow >= 0 && arrow + 2 < pattern.length
  const key = pattern.slice(0, star) + element + pattern.slice(star + 1, hasField ? arrow : undefined)
  if (db.type(key) !== (hasField ? 'hash' : 'string')) return undefined
  const value = hasField
    ? db.elements.get(db.collection(key, 'hash')!, pattern.slice(arrow + 2))
    : db.string(key)?.value
  return value === undefined ? undefined : textOf(value)
}

function scoreOf(text: string): number {
  return parseLoosely(text) ?? fail("ERR One or more scores can't be converted into double")
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function inOrder(db: Database, elements: readonly string[], words: SortWords, by: string | null): string[] {
  const weigh = (element: string) => (by === null ? element : lookUp(db, by, element))
  const sign = words.isDescending ? -1 : 1
  if (words.isAlpha) {
    const weighed = elements.map(element => ({ element, weight: weigh(element) }))
    weighed.sort((a, b) => {
      if (a.weight === undefined || b.weight === undefined) {
        const present = Number(a.weight !== undefined) - Number(b.weight !== undefined)
        return sign * (present || compareTexts(a.element, b.element))
      }
      return sign * (compareTexts(a.weight, b.weight) || compareTexts(a.element, b.element))
    })
    return weighed.map(({ element }) => element)
  }
  const weighed = elements.map(element => {
    const weight = weigh(element)
    return { element, score: weight === undefined ? 0 : scoreOf(weight) }
  })
  weighed.sort((a, b) => {
    const least = a.score < b.score ? -1 : a.score > b.score ? 1 : 0
    return sign * (least || compareTexts(a.element, b.element))
  })
  return weighed.map(({ element }) => element)
}

function sorted(db: Database, key: string, words: SortWords): string[] {
  const { by, isDescending, store } = words
  const elements = elementsOf(db, key)
  if (by === null || by.includes('*')) return inOrder(db, elements, words, by)
  // BY without a place for the element: as they lie. What is kept of a set is sorted all the same, as in Redis.
  if (db.type(key) === 'set') {
    return store === null ? elements : inOrder(db, elements, { ...words, isAlpha: true }, null)
  }
  return isDescending ? elements.reverse() : elements
}

function keep(db: Database, key: string, values: readonly string[]) {
  const wasThere = db.remove(key)
  if (values.length === 0) {
    if (wasThere) db.changed(key, 'g', 'del')
    return
  }
  const head = db.create('list')
  for (const value of values) db.elements.setAt(head, head.count++, Buffer.from(value, 'latin1'))
  db.save(key, head)
  db.changed(key, 'l', 'sortstore')
}

function sort(mayStore: boolean) {
  return (client: Client, args: Args) => {
    const { db, out } = client
    const words = readSortWords(args, mayStore)
    const from = Math.max(0, words.offset)
    const to = words.count < 0 ? undefined : from + words.count
    const chosen = sorted(db, args.text(1), words).slice(from, to)
    const { get, store } = words
    const values: (string | undefined)[] =
      get.length === 0 ? chosen : chosen.flatMap(element => get.map(one => lookUp(db, one, element)))
    if (store === null) {
      out.array(values.length)
      for (const value of values) out.textOrNil(value)
      return
    }
    const kept = values.map(value => value ?? '')
    keep(db, store, kept)
    out.int(kept.length)
  }
}

export const sortCommands = family('generic', [
  command('sort', -2, 'w', 'one', 'Returns elements in order, or keeps them as a list.', sort(true)),
  command('sort_ro', -2, 'r', 'one', 'Returns elements in order.', sort(false))
])
