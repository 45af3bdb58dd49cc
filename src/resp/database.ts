// One of the numbered databases: which key holds what.
//
//   namespace redis.N         a string: key and value as they are, its TTL the entry's own; so HTTP and MQTT read
//                             and write the same strings. N is the database's place: its number, until SWAPDB
//   namespace redis.N.heads   hash, list, set, sorted set: its head (head.ts); its elements lie elsewhere
// A key is one or the other: a string that another face puts beside a head hides it, and DEL removes both.
//
// Invariants: whoever changes a key tells it (changed), which is what WATCH, blocked clients and keyspace
// notifications live on; a head that is expired is removed by whoever meets it.
// Not here: what commands do, durability (space.ts).
import type { Entry } from '../kv/entry.ts'
import type { Look } from '../kv/hot-entries.ts'
import type { Args } from './args.ts'
import type { Elements } from './elements.ts'
import type { Graveyard } from './graveyard.ts'
import { type CollectionType, decodeHead, encodeHead, Head } from './head.ts'
import { fail, WRONG_TYPE } from './reply-error.ts'
import type { Space } from './space.ts'

/** Told of every change of a key. */
export interface ChangeListener {
  /** Somebody wants to hear of changes now. */
  readonly listens: boolean
  /** Keys that were not there before are told as well. */
  readonly wantsNew: boolean
  /** @param kind  the class of a keyspace notification; @param what  its name */
  changed(db: Database, key: string, kind: string, what: string): void
}

/** What all databases share. */
export interface DatabaseParts {
  readonly space: Space
  readonly elements: Elements
  readonly graveyard: Graveyard
  readonly listener: ChangeListener
}

export type KeyType = 'string' | CollectionType

export class Database {
  readonly index: number
  readonly space: Space
  readonly elements: Elements
  /** The number in the names of its namespaces. */
  place: number
  strings: string
  heads: string
  private readonly graveyard: Graveyard
  private readonly listener: ChangeListener
  /** False while no head was ever stored: then strings need not look for one. */
  private mayHaveHeads: boolean

  constructor(index: number, place: number, { space, elements, graveyard, listener }: DatabaseParts) {
    this.index = index
    this.place = place
    this.space = space
    this.elements = elements
    this.strings = `redis.${place}`
    this.heads = `redis.${place}.heads`
    this.graveyard = graveyard
    this.listener = listener
    this.mayHaveHeads = [...space.scan(this.heads, { limit: 1 })].length > 0
    space.takeWait()
  }

  /** Exchanges the places of two databases, and so all that they hold. */
  exchange(other: Database): void {
    const { place, strings, heads, mayHaveHeads } = other
    other.place = this.place
    other.strings = this.strings
    other.heads = this.heads
    other.mayHaveHeads = this.mayHaveHeads
    this.place = place
    this.strings = strings
    this.heads = heads
    this.mayHaveHeads = mayHaveHeads
  }

  changed(key: string, kind: string, what: string): void {
    this.listener.changed(this, key, kind, what)
  }

  // --- strings ---

  /** The string of a key. @throws {ReplyError} WRONGTYPE */
  string(key: string): Entry | undefined {
    const entry = this.space.get(this.strings, key)
    if (entry === undefined && this.head(key) !== undefined) fail(WRONG_TYPE)
    return entry
  }

  /** The string of the key that is word i of a command, where it lies: see Space.look. @throws as string() */
  look({ bytes, starts, ends }: Args, i: number): Look | null {
    const found = this.space.look(this.strings, bytes, starts[i]!, ends[i]!)
    if (
      found === null &&
      this.mayHaveHeads &&
      this.head(bytes.toString('latin1', starts[i], ends[i])) !== undefined
    )
      fail(WRONG_TYPE)
    return found
  }

  /** Sets a string whatever was there. @param expiresUs  0: never */
  setString(key: string, value: Uint8Array, expiresUs = 0): void {
    if (this.listener.wantsNew && !this.has(key)) this.changed(key, 'n', 'new')
    if (this.mayHaveHeads) this.removeHead(key)
    this.space.put(this.strings, key, value, expiresUs)
  }

  /**
   * Sets the string of word i of a command to word j without making anything for it.
   * @returns false, and nothing is done, where somebody has to be told or something else may be there
   */
  setWord({ bytes, starts, ends }: Args, i: number, j: number): boolean {
    if (this.mayHaveHeads || this.listener.listens) return false
    this.space.putPart(this.strings, bytes, starts[i]!, ends[i]!, starts[j]!, ends[j]!)
    return true
  }

  // --- collections ---

  /** The head of a key, whatever its type. */
  head(key: string): Head | undefined {
    if (!this.mayHaveHeads) return undefined
    const entry = this.space.get(this.heads, key)
    if (entry === undefined) return undefined
    const head = decodeHead(entry.value)
    if (head.expiresUs === 0 || this.space.clock.nowUs() < head.expiresUs) return head
    this.expire(key, head)
    return undefined
  }

  /** The collection of a key. @throws {ReplyError} WRONGTYPE */
  collection(key: string, type: CollectionType): Head | undefined {
    if (this.space.get(this.strings, key) !== undefined) fail(WRONG_TYPE)
    const head = this.head(key)
    if (head !== undefined && head.type !== type) fail(WRONG_TYPE)
    return head
  }

  /** The same, or a new one that is stored by its first save(). */
  collectionOrNew(key: string, type: CollectionType): Head {
    return this.collection(key, type) ?? this.create(type)
  }

  create(type: CollectionType): Head {
    return new Head(type, this.space.nextGeneration())
  }

  /** Stores a head after its collection changed; without elements the key goes. @returns whether it is there */
  save(key: string, head: Head): boolean {
    if (head.count > 0) {
      this.mayHaveHeads = true
      const isNew = this.listener.wantsNew && this.space.get(this.heads, key) === undefined
      if (isNew) this.changed(key, 'n', 'new')
      this.space.put(this.heads, key, encodeHead(head))
      return true
    }
    this.space.delete(this.heads, key)
    return false
  }

  /** The same, and tells that a key without elements is gone. */
  saveOrRemove(key: string, head: Head): void {
    if (!this.save(key, head)) this.changed(key, 'g', 'del')
  }

  /** Removes an expired head; what met it goes on as if nothing had been there. */
  expire(key: string, head: Head): void {
    this.space.together(() => {
      this.space.delete(this.heads, key)
      this.graveyard.bury(head)
    })
    this.changed(key, 'x', 'expired')
  }

  // --- keys of any type ---

  type(key: string): KeyType | null {
    return this.space.get(this.strings, key) !== undefined ? 'string' : (this.head(key)?.type ?? null)
  }

  has(key: string): boolean {
    return this.type(key) !== null
  }

  /** us since the epoch, 0: never, null: no such key. */
  expiry(key: string): number | null {
    return this.space.get(this.strings, key)?.expiresUs ?? this.head(key)?.expiresUs ?? null
  }

  /** Another expiry for a key that is there. */
  setExpiry(key: string, expiresUs: number): void {
    const entry = this.space.get(this.strings, key)
    if (entry !== undefined) {
      this.space.put(this.strings, key, entry.value, expiresUs)
      return
    }
    const head = this.head(key)!
    head.expiresUs = expiresUs
    this.save(key, head)
  }

  /** @returns whether something was there */
  remove(key: string): boolean {
    const isString = this.space.get(this.strings, key) !== undefined
    if (isString) this.space.delete(this.strings, key)
    return this.removeHead(key) || isString
  }

  /** Moves what a key holds, with its expiry, over whatever is there. It is there. */
  rename(from: string, to: string): void {
    const entry = this.space.get(this.strings, from)
    if (entry !== undefined) {
      this.setString(to, entry.value, entry.expiresUs)
      this.space.delete(this.strings, from)
      return
    }
    const head = this.head(from)!
    this.remove(to)
    this.save(to, head)
    this.space.delete(this.heads, from)
  }

  /** Takes in what a key of a database holds; nothing is under the new one. */
  copyFrom(other: Database, from: string, to: string): void {
    const entry = other.space.get(other.strings, from)
    if (entry !== undefined) {
      this.setString(to, entry.value, entry.expiresUs)
      return
    }
    const head = other.head(from)!
    const copy = new Head(head.type, this.space.nextGeneration(), head.count, head.expiresUs)
    const { elements } = this
    if (head.type === 'list') {
      let index = 0
      for (const value of elements.values(head, 0, head.count - 1)) elements.setAt(copy, index++, value)
    } else if (head.type === 'zset') {
      for (const { member, score } of elements.byScore(head))
        elements.setScore(copy, member, score, undefined)
    } else for (const { member, value } of elements.all(head)) elements.put(copy, member, value)
    this.save(to, copy)
  }

  private removeHead(key: string): boolean {
    const head = this.head(key)
    if (head === undefined) return false
    this.space.delete(this.heads, key)
    this.graveyard.bury(head)
    return true
  }
}
