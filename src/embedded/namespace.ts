// The entries of one namespace with typed values. Reads are answered at once from memory or one block; every write
// resolves when it is on the medium.
// Not here: how entries are stored (kv/store.ts), values as bytes (codec.ts).
import { VarveError } from '../base/errors.ts'
import { cursorOf, type ScanOptions } from '../kv/view.ts'
import { type Condition, ConflictError, type Write } from '../kv/write.ts'
import type { Codec } from './codec.ts'
import type { Ground } from './database.ts'

/** What is under a key. */
export interface Stored<T> {
  readonly key: string
  readonly value: T
  /** Greater than that of every write before, of any key. */
  readonly version: number
  /** When it expires; null: never. */
  readonly expires: Date | null
  /** Where a later iteration goes on after it. */
  readonly cursor: string
}

/** A change that a watch tells of; without a value the key was deleted. */
export type Change<T> = Pick<Stored<T>, 'key' | 'version'> & { readonly value: T | undefined }

export interface PutChoices extends Condition {
  /** How long it lives, ms; default: for ever. */
  readonly ttlMs?: number
}

export interface IterationChoices extends ScanOptions {
  /** As of a moment: a snapshot of the database; default: the moment of the first entry. */
  readonly prefix?: string
}

const NO_CHOICES = {}

export class Namespace<T> {
  readonly name: string
  readonly codec: Codec<T>
  private readonly ground: Ground

  constructor(ground: Ground, name: string, codec: Codec<T>) {
    this.ground = ground
    this.name = name
    this.codec = codec
  }

  /** The value of a key, or undefined. @throws {VarveError} VARVE_KEY, VARVE_CLOSED, VARVE_CORRUPTION */
  async get(key: string): Promise<T | undefined> {
    const entry = this.ground.store.get(this.name, key)
    return entry && this.codec.decode(entry.value)
  }

  /** The same with its version and expiry. */
  async entry(key: string): Promise<Stored<T> | undefined> {
    const entry = this.ground.store.get(this.name, key)
    return entry && this.stored(entry)
  }

  async getOrDefault(key: string, otherwise: T): Promise<T> {
    return (await this.get(key)) ?? otherwise
  }

  async has(key: string): Promise<boolean> {
    return this.ground.store.has(this.name, key)
  }

  /**
   * Sets a key. @returns the version of the write
   * @throws {ConflictError} when ifVersion or ifAbsent does not hold
   * @throws {VarveError} VARVE_KEY, VARVE_VALUE; VARVE_BUSY, VARVE_MEMORY, VARVE_WAL_FULL: try again later
   */
  async put(key: string, value: T, choices: PutChoices = NO_CHOICES): Promise<number> {
    const { store, synced } = this.ground
    try {
      const group = store.put(this.name, key, this.codec.encode(value), this.options(choices))
      const { lastVersion } = store
      await synced(group)
      return lastVersion
    } catch (error) {
      throw await refused(this.ground, error)
    }
  }

  /** Removes a key. @throws as put() */
  async delete(key: string, condition: Condition = {}): Promise<void> {
    await this.landed(() => this.ground.store.delete(this.name, key, condition))
  }

  /**
   * Reads, changes and writes a key as one step. @returns the value after it
   * @param change  must answer at once; undefined deletes
   * @throws as put()
   */
  async update(
    key: string,
    change: (now: T | undefined) => T | undefined,
    choices: PutChoices = {}
  ): Promise<T | undefined> {
    let after: T | undefined
    await this.landed(() =>
      this.ground.store.update(
        this.name,
        key,
        now => {
          after = change(now && this.codec.decode(now.value))
          return after === undefined ? null : this.codec.encode(after)
        },
        this.options(choices)
      )
    )
    return after
  }

  /**
   * Changes a structured value in part: members replace, null removes, objects are merged (RFC 7396).
   * @returns the value after it
   * @throws {VarveError} VARVE_PATCH for a codec without structured values; else as put()
   */
  async patch(key: string, patch: unknown, choices: PutChoices = {}): Promise<T> {
    const { notation } = this.codec
    if (notation === undefined) {
      throw new VarveError('VARVE_PATCH', `Cannot patch ${this.name}/${key}: its values have no members`)
    }
    let after: Uint8Array = new Uint8Array(0)
    await this.landed(() => {
      const change = this.codec.encode(patch as T)
      const { value, group } = this.ground.store.patch(
        this.name,
        key,
        change,
        notation,
        this.options(choices)
      )
      after = value
      return group
    })
    return this.codec.decode(after)
  }

  /** Adds to a counter: a whole number in decimal text, which json() and text read. @returns the sum */
  async add(key: string, by = 1): Promise<number> {
    let sum = 0
    await this.landed(() => {
      const { value, group } = this.ground.store.add(this.name, key, by)
      sum = value
      return group
    })
    return sum
  }

  /** A put for Database.batch(). */
  putting(key: string, value: T, choices: PutChoices = {}): Write {
    return { op: 'put', ns: this.name, key, value: this.codec.encode(value), ...this.options(choices) }
  }

  /** A delete for Database.batch(). */
  deleting(key: string, condition: Condition = {}): Write {
    return { op: 'delete', ns: this.name, key, ...condition }
  }

  /** The entries of a range in the order of keys, as of the first one asked for. */
  async *entries(choices: IterationChoices = {}): AsyncGenerator<Stored<T>, void, undefined> {
    for (const entry of this.ground.store.scan(this.name, choices)) yield this.stored(entry)
  }

  /** Their keys. */
  async *keys(choices: IterationChoices = {}): AsyncGenerator<string, void, undefined> {
    for (const entry of this.ground.store.scan(this.name, choices)) yield entry.keyText
  }

  /**
   * Every change after a version, once and in order, when it is on the medium; for ever, until the loop is left.
   * @param after  of an entry, a snapshot or the database; default: now
   * @throws {VarveError} VARVE_WATCH_OLD when changes after it are not kept any more: take a snapshot
   */
  async *watch(
    choices: { prefix?: string; after?: number } = {}
  ): AsyncGenerator<Change<T>, void, undefined> {
    const watch = this.ground.store.watch(this.name, choices)
    for await (const { keyText: key, version, value, deleted } of watch) {
      yield { key, version, value: deleted ? undefined : this.codec.decode(value) }
    }
  }

  private options(choices: PutChoices): Condition & { expiresUs?: number } {
    const { ttlMs } = choices
    if (ttlMs === undefined) return choices
    return { ...choices, expiresUs: this.ground.clock.nowUs() + Math.round(ttlMs * 1000) }
  }

  private landed(write: () => number): Promise<number> {
    return landed(this.ground, write)
  }

  private stored(entry: NonNullable<ReturnType<Ground['store']['get']>>): Stored<T> {
    return {
      key: entry.keyText,
      value: this.codec.decode(entry.value),
      version: entry.version,
      expires: entry.expiresUs === 0 ? null : new Date(entry.expiresUs / 1000),
      cursor: cursorOf(entry)
    }
  }
}

/**
 * Makes a write and waits for its sync; so does a condition that does not hold, since what made it fail may not be on
 * the medium yet, and who is told of it may act on it. @returns the version of the write
 */
export async function landed(ground: Ground, write: () => number): Promise<number> {
  const { store, synced } = ground
  try {
    const group = write()
    const { lastVersion } = store
    await synced(group)
    return lastVersion
  } catch (error) {
    throw await refused(ground, error)
  }
}

/** The error of a write, when it may be told. */
async function refused({ store, synced }: Ground, error: unknown): Promise<unknown> {
  if (error instanceof ConflictError) await synced(store.lastGroup)
  return error
}
