// Times to live as commands state them: relative or absolute, in seconds or milliseconds; kept in microseconds
// since the epoch. Pure, but for the clock that is handed in.
import type { Args } from './args.ts'
import { integerOf, parseInt64 } from './numbers.ts'
import { fail, SYNTAX } from './reply-error.ts'

/** The greatest time that can be kept: in the year 2255. */
const EXPIRES_MS_MAX = Math.floor(Number.MAX_SAFE_INTEGER / 1000)

export type ExpiryUnit = 'EX' | 'PX' | 'EXAT' | 'PXAT'

/**
 * The moment that a word states, in us; at least 1, so that it is never taken for "never".
 * @throws {ReplyError} when it is no integer, or beyond what can be kept
 */
export function momentOf(text: string, unit: ExpiryUnit, nowUs: number, name: string): number {
  const value = parseInt64(text)
  if (value === null) return fail('ERR value is not an integer or out of range')
  let ms = Number(value)
  if (unit === 'EX' || unit === 'EXAT') ms *= 1000
  if (unit === 'EX' || unit === 'PX') ms += Math.floor(nowUs / 1000)
  const isRelative = unit === 'EX' || unit === 'PX'
  if (Math.abs(ms) >= 2 ** 63 || (isRelative && Math.abs(ms) > EXPIRES_MS_MAX)) {
    return fail(`ERR invalid expire time in '${name}' command`)
  }
  // What lies beyond is as good as the end of what can be kept.
  return Math.max(Math.min(ms, EXPIRES_MS_MAX) * 1000, 1)
}

/** The same for commands that take no time that is not after now or before: zero and below are refused. */
export function laterMomentOf(text: string, unit: ExpiryUnit, nowUs: number, name: string): number {
  if (integerOf(text) <= 0) fail(`ERR invalid expire time in '${name}' command`)
  return momentOf(text, unit, nowUs, name)
}

/** What SET and GETEX say behind key and value. */
export interface SetOptions {
  expiry: { readonly word: string; readonly unit: ExpiryUnit } | null
  keepTtl: boolean
  endsTtl: boolean
  onlyIf: 'absent' | 'present' | null
  gives: boolean
}

/**
 * Reads the options of SET (NX XX GET EX PX EXAT PXAT KEEPTTL) or GETEX (EX PX EXAT PXAT PERSIST).
 * @param from  the first of them
 * @throws {ReplyError}
 */
export function readSetOptions(args: Args, from: number, name: 'set' | 'getex'): SetOptions {
  const options: SetOptions = { expiry: null, keepTtl: false, endsTtl: false, onlyIf: null, gives: false }
  let isTimed = false
  const once = (): void => {
    if (isTimed) fail(SYNTAX)
    isTimed = true
  }
  const isSet = name === 'set'
  for (let i = from; i < args.count; i++) {
    const word = args.upper(i)
    if (isSet && (word === 'NX' || word === 'XX')) {
      const wanted = word === 'NX' ? 'absent' : 'present'
      if (options.onlyIf !== null && options.onlyIf !== wanted) fail(SYNTAX)
      options.onlyIf = wanted
    } else if (isSet && word === 'GET') options.gives = true
    else if (isSet && word === 'KEEPTTL') {
      once()
      options.keepTtl = true
    } else if (!isSet && word === 'PERSIST') {
      once()
      options.endsTtl = true
    } else if (isUnit(word) && i + 1 < args.count) {
      once()
      options.expiry = { word: args.text(++i), unit: word }
    } else fail(SYNTAX)
  }
  return options
}

/** The moment that the options state; null: none. @throws {ReplyError} */
export function expiryOf({ expiry }: SetOptions, nowUs: number, name: 'set' | 'getex'): number | null {
  return expiry === null ? null : laterMomentOf(expiry.word, expiry.unit, nowUs, name)
}

function isUnit(word: string): word is ExpiryUnit {
  return word === 'EX' || word === 'PX' || word === 'EXAT' || word === 'PXAT'
}
