// The kinds of configuration entry. An entry is one key of varve.toml with all that is to say about it:
// kind, default, bounds, what it does and why it is so. From entries come the parser (load.ts), the
// documentation (reference.ts) and the types of Config (schema.ts), so that none of them can disagree.
//
// Invariants: a default is written as an owner would write it, and is parsed like any other value; `unit`
// says what the parsed number is measured in; `bounds` is a phrase that completes "must be ...".
// Not here: the entries themselves (schema-*.ts), rules across keys (check.ts).
import { z } from 'zod'
import { assert } from '../base/assert.ts'
import { parseDuration, parseSize, printDuration, printSize } from '../base/units.ts'
import { cronFault } from '../schedule/cron.ts'

/** A value as TOML knows it. */
export type Written = string | number | boolean | readonly Written[] | { readonly [key: string]: Written }

/** One key of varve.toml; V is the type of its parsed value. */
export interface Entry<V> {
  /** The full key, "section.name"; within a table the bare name of the column. */
  readonly key: string
  /** How a default or an override in plain text (environment, flag) is read. */
  readonly form: 'text' | 'number' | 'boolean' | 'toml'
  /** What a parsed number is measured in; '' for what has no unit. */
  readonly unit: '' | 'ms' | 'bytes'
  /** As written in TOML; undefined: a column that every table must state. */
  readonly written: Written | undefined
  readonly bounds: string
  /** A changed value is taken over by a reload; others want a restart. */
  readonly live: boolean
  /** Never printed. */
  readonly secret: boolean
  readonly what: string
  readonly why: string
  readonly parser: z.ZodType<V>
  /** The columns, when the value is a list of tables. */
  readonly columns: Columns | null
}

export type Columns = { readonly [name: string]: Entry<unknown> }

/** What a parsed table looks like. */
export type Parsed<C extends Columns> = {
  readonly [N in keyof C]: C[N] extends Entry<infer V> ? V : never
}

interface About<W> {
  readonly key: string
  readonly default?: W
  readonly live?: boolean
  readonly secret?: boolean
  readonly what: string
  readonly why: string
}

function entry<V>(
  about: About<Written>,
  rest: Pick<Entry<V>, 'form' | 'bounds' | 'parser'> & Partial<Pick<Entry<V>, 'unit' | 'columns'>>
): Entry<V> {
  const made: Entry<V> = {
    key: about.key,
    written: about.default,
    live: about.live ?? false,
    secret: about.secret ?? false,
    what: about.what,
    why: about.why,
    unit: '',
    columns: null,
    ...rest
  }
  const known = about.default === undefined || made.parser.safeParse(about.default).success
  assert(known, `the default of ${about.key} is within its bounds`)
  return made
}

/** A zod parser from a function that throws; a RangeError's message says more than the bounds do. */
function parsed<I, V>(from: z.ZodType<I>, parse: (value: I) => V): z.ZodType<V> {
  return from.transform((value, context) => {
    try {
      return parse(value)
    } catch (error) {
      const why = error instanceof RangeError ? error.message : ''
      context.addIssue({ code: 'custom', params: { why } })
      return z.NEVER
    }
  })
}

function within(value: number, min: number, max: number): number {
  if (value < min || value > max) throw new RangeError('')
  return value
}

interface Span extends About<string> {
  readonly min: string
  readonly max: string
}

/** A span of time, in ms: "0s", "15m", "1d12h". */
export function duration(about: Span): Entry<number> {
  const [min, max] = [parseDuration(about.min), parseDuration(about.max)]
  const bounds = `a duration from ${printDuration(min)} to ${printDuration(max)}`
  const parser = parsed(z.string(), text => within(parseDuration(text), min, max))
  return entry(about, { form: 'text', unit: 'ms', bounds, parser })
}

/** A span of time or one word that stands for none, such as "forever"; the word is parsed to null. */
export function durationOr(word: string, about: Span): Entry<number | null> {
  const [min, max] = [parseDuration(about.min), parseDuration(about.max)]
  const bounds = `a duration from ${printDuration(min)} to ${printDuration(max)}, or "${word}"`
  const parser = parsed(z.string(), text => (text === word ? null : within(parseDuration(text), min, max)))
  return entry(about, { form: 'text', unit: 'ms', bounds, parser })
}

const sizeWritten = z.union([z.string(), z.int().min(0).transform(String)])

/** A number of bytes: "64MiB", "32GB", or a bare whole number. */
export function size(about: Span): Entry<number> {
  const [min, max] = [parseSize(about.min), parseSize(about.max)]
  const bounds = `a size from ${printSize(min)} to ${printSize(max)}`
  const parser = parsed(sizeWritten, text => within(parseSize(text), min, max))
  return entry(about, { form: 'text', unit: 'bytes', bounds, parser })
}

/** A number of bytes or one word that stands for none, such as "none"; the word is parsed to null. */
export function sizeOr(word: string, about: Span): Entry<number | null> {
  const [min, max] = [parseSize(about.min), parseSize(about.max)]
  const bounds = `a size from ${printSize(min)} to ${printSize(max)}, or "${word}"`
  const parser = parsed(sizeWritten, text => (text === word ? null : within(parseSize(text), min, max)))
  return entry(about, { form: 'text', unit: 'bytes', bounds, parser })
}

/** A whole number. */
export function count(about: About<number> & { min: number; max: number }): Entry<number> {
  const bounds = `a whole number from ${about.min} to ${about.max}`
  return entry(about, { form: 'number', bounds, parser: z.int().min(about.min).max(about.max) })
}

/** A whole number or one word that stands for none; the word is parsed to null. */
export function countOr(
  word: string,
  about: About<number | string> & { min: number; max: number }
): Entry<number | null> {
  const whole = z.int().min(about.min).max(about.max)
  return entry<number | null>(about, {
    form: 'number',
    bounds: `a whole number from ${about.min} to ${about.max}, or "${word}"`,
    parser: z.union([whole, z.literal(word).transform(() => null)])
  })
}

/** A port; 0 takes a free one. */
export function port(about: About<number>): Entry<number> {
  return entry(about, {
    form: 'number',
    bounds: 'a port from 0 to 65535, where 0 takes a free one',
    parser: z.int().min(0).max(65_535)
  })
}

/** A port, or "off" (parsed to null). */
export function portOrOff(about: About<number | string>): Entry<number | null> {
  const parser = z.union([z.int().min(0).max(65_535), z.literal('off').transform(() => null)])
  return entry<number | null>(about, {
    form: 'number',
    bounds: 'a port from 0 to 65535, where 0 takes a free one, or "off"',
    parser
  })
}

/** True or false. */
export function flag(about: About<boolean>): Entry<boolean> {
  return entry(about, { form: 'boolean', bounds: 'true or false', parser: z.boolean() })
}

/** One of some words. */
export function choice<const W extends string>(about: About<W> & { of: readonly W[] }): Entry<W> {
  const bounds = `one of ${about.of.map(word => `"${word}"`).join(', ')}`
  return entry(about, { form: 'text', bounds, parser: z.enum(about.of) as unknown as z.ZodType<W> })
}

/** Free text of at most `max` characters; `valid` returns what is wrong with it, or null. */
export function text(
  about: About<string> & { max: number; min?: number; valid?: (text: string) => string | null }
): Entry<string> {
  const min = about.min ?? 0
  const bounds = `text of ${min} to ${about.max} characters`
  const parser = parsed(z.string().min(min).max(about.max), written => {
    if (written.includes('\0')) throw new RangeError('a NUL character')
    const fault = about.valid?.(written) ?? null
    if (fault !== null) throw new RangeError(fault)
    return written
  })
  return entry(about, { form: 'text', bounds, parser })
}

/** A cron expression of five or six fields. */
export function cron(about: About<string> & { emptyAllowed?: boolean }): Entry<string> {
  const bounds = `a cron expression such as "*/5 * * * *"${about.emptyAllowed ? ', or ""' : ''}`
  const parser = parsed(z.string().max(200), expression => {
    const fault = about.emptyAllowed && expression === '' ? null : cronFault(expression)
    if (fault !== null) throw new RangeError(fault)
    return expression
  })
  return entry(about, { form: 'text', bounds, parser })
}

/** A list of texts. */
export function texts(
  about: About<readonly string[]> & {
    itemsMax: number
    itemMax: number
    valid?: (text: string) => string | null
  }
): Entry<readonly string[]> {
  const bounds = `a list of at most ${about.itemsMax} texts of 1 to ${about.itemMax} characters`
  const item = parsed(z.string().min(1).max(about.itemMax), written => {
    const fault = about.valid?.(written) ?? null
    if (fault !== null) throw new RangeError(fault)
    return written
  })
  return entry<readonly string[]>(about, { form: 'toml', bounds, parser: z.array(item).max(about.itemsMax) })
}

/** A table of texts, such as { site = "home" }. */
export function textMap(
  about: About<Readonly<Record<string, string>>> & { pairsMax: number; valueMax: number }
): Entry<Readonly<Record<string, string>>> {
  const bounds = `a table of at most ${about.pairsMax} texts of 1 to ${about.valueMax} characters`
  const parser = z
    .record(z.string().min(1).max(256), z.string().min(1).max(about.valueMax))
    .refine(map => Object.keys(map).length <= about.pairsMax)
  return entry<Readonly<Record<string, string>>>(about, { form: 'toml', bounds, parser })
}

/** A list of tables: [[key]]. Files add to each other's tables; environment and flags replace them all. */
export function tables<const C extends Columns>(
  about: About<readonly Written[]> & { rowsMax: number; columns: C }
): Entry<readonly Parsed<C>[]> {
  const shape: Record<string, z.ZodType> = {}
  for (const [name, column] of Object.entries(about.columns)) {
    const written = column.written
    shape[column.key] = written === undefined ? column.parser : column.parser.prefault(written as never)
    assert(snakeCase(name) === column.key, `column ${column.key} is named after its key`)
  }
  const names = Object.entries(about.columns).map(([name, column]) => [name, column.key] as const)
  const row = z.strictObject(shape).transform(values => {
    const named: Record<string, unknown> = {}
    for (const [name, key] of names) named[name] = (values as Record<string, unknown>)[key]
    return named as Parsed<C>
  })
  return entry<readonly Parsed<C>[]>(about, {
    form: 'toml',
    bounds: `at most ${about.rowsMax} tables [[${about.key}]] with ${names.map(([, key]) => key).join(', ')}`,
    parser: z.array(row).max(about.rowsMax) as unknown as z.ZodType<readonly Parsed<C>[]>,
    columns: about.columns
  })
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
}
