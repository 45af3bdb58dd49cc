// What a command is, as plain data: dispatch, COMMAND, its documentation and the rights needed all come from it.
// Not here: the commands (one file a family), running them (execute.ts).
import type { Args } from './args.ts'
import type { Client, Role } from './client.ts'
import type { Reply } from './reply.ts'

export type Flag =
  | 'write'
  | 'readonly'
  | 'fast'
  | 'admin'
  | 'blocking'
  | 'pubsub'
  | 'noscript'
  | 'no_auth'
  /** Not inside of MULTI. */
  | 'no_multi'
  /** Runs at once where others are queued by MULTI. */
  | 'at_once'

export type Family =
  | 'string'
  | 'generic'
  | 'hash'
  | 'list'
  | 'set'
  | 'sorted-set'
  | 'pubsub'
  | 'transactions'
  | 'connection'
  | 'server'
  | 'timeseries'

/** Writes the reply when it is known. */
export type Later = Promise<(out: Reply) => void>

/** One row of a family's table. */
export interface Row {
  readonly name: string
  /** Words, the name included; negative: at least so many. */
  readonly arity: number
  readonly flags: readonly Flag[]
  /** First key, last key (negative: from the end), step; all 0: none. */
  readonly keys: readonly [first: number, last: number, step: number]
  readonly summary: string
  /**
   * @returns Later where the reply is not known yet; anything else says nothing
   * @throws {ReplyError} what it wrote of a reply is undone then
   */
  run(client: Client, args: Args): unknown
}

/** A row with what is asked of it at each call. */
export interface Command extends Row {
  readonly family: Family
  readonly role: Role
  readonly isWrite: boolean
  /** Runs at once where others are queued by MULTI. */
  readonly isAtOnce: boolean
  readonly isForStrangers: boolean
  readonly isForMulti: boolean
}

/** Makes a row: `w` write, `r` readonly, `f` fast; keys 'one', 'all', 'none' or as in COMMAND. */
export function command(
  name: string,
  arity: number,
  kinds: string,
  keys: 'one' | 'all' | 'none' | readonly [number, number, number],
  summary: string,
  run: Command['run'],
  flags: readonly Flag[] = []
): Row {
  const all: Flag[] = [...flags]
  if (kinds.includes('w')) all.unshift('write')
  if (kinds.includes('r')) all.unshift('readonly')
  if (kinds.includes('f')) all.push('fast')
  const places = typeof keys === 'string' ? KEYS[keys] : keys
  return { name, arity, flags: all, keys: places, summary, run }
}

const KEYS = { one: [1, 1, 1], all: [1, -1, 1], none: [0, 0, 0] } as const

/** The rows of one family. */
export function family(of: Family, rows: readonly Row[]): Command[] {
  return rows.map(row => {
    const has = (flag: Flag) => row.flags.includes(flag)
    const isWrite = has('write')
    const role = has('admin') ? 'admin' : isWrite ? 'write' : 'read'
    const asked = { isAtOnce: has('at_once'), isForStrangers: has('no_auth'), isForMulti: !has('no_multi') }
    return { ...row, ...asked, family: of, role, isWrite }
  })
}

/** The keys that a call names, as byte strings. */
export function keysOf({ keys: [first, last, step] }: Command, args: Args): string[] {
  const keys: string[] = []
  if (first === 0) return keys
  const end = last < 0 ? args.count + last : last
  for (let i = first; i <= end && i < args.count; i += step) keys.push(args.text(i))
  return keys
}
