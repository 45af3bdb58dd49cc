// Numbers, durations and strings as they are written in PromQL.
//
//   number   := Go's: decimal, hexadecimal (0x), octal (017), with _ between digits; Inf, NaN; or a duration in seconds
//   duration := (digits unit)+     units y w d h m s ms, each at most once, largest first
//   string   := '"' ... '"' | "'" ... "'" with Go's escapes | '`' ... '`' as it is
// Example: 0x1F = 31; 1e3 = 1000; 1h30m = 5400 (seconds, where a number is wanted); "\u0061" = a

const UNITS: readonly (readonly [string, number])[] = [
  ['y', 31_536_000_000],
  ['w', 604_800_000],
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1]
]
const DURATION = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/

/** Milliseconds of a duration, or null when the text is none. */
export function readDuration(text: string): number | null {
  if (text === '') return null
  const found = DURATION.exec(text)
  if (found === null) return null
  return UNITS.reduce((sum, [, ms], i) => sum + Number(found[i + 1] ?? 0) * ms, 0)
}

/** The duration that readDuration() reads back as ms, in the units Prometheus prints. */
export function printDuration(ms: number): string {
  if (ms === 0) return '0s'
  let text = ''
  let left = ms
  for (const [unit, size] of UNITS) {
    // Years and weeks only when nothing is left over, as 1y1d reads worse than 366d.
    if ((unit === 'y' || unit === 'w') && left % size !== 0) continue
    const count = Math.floor(left / size)
    if (count > 0) text += `${count}${unit}`
    left -= count * size
  }
  return text
}

/** The value of a number, or null when the text is none. A duration counts its seconds. */
export function readNumber(text: string): number | null {
  const plain = text.replace(/(?<=[0-9a-fA-F])_(?=[0-9a-fA-F])/g, '')
  if (/^[+-]?inf$/i.test(plain)) return plain[0] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  if (/^nan$/i.test(plain)) return Number.NaN
  if (/^0x[0-9a-f]+$/i.test(plain)) return Number.parseInt(plain, 16)
  if (/^0[0-7]+$/.test(plain)) return Number.parseInt(plain, 8)
  if (/^(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(plain)) return Number(plain)
  const ms = readDuration(plain)
  return ms === null ? null : ms / 1000
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\'
}
const CODED: readonly (readonly [RegExp, number])[] = [
  [/x([0-9a-fA-F]{2})/y, 16],
  [/u([0-9a-fA-F]{4})/y, 16],
  [/U([0-9a-fA-F]{8})/y, 16],
  [/([0-7]{3})/y, 8]
]

/** The text that a quoted string stands for. Bytes above 0x7f given as \x or octal are put together as UTF-8. */
export function readString(source: string): string | { readonly at: number; readonly why: string } {
  const quote = source[0]!
  if (source.length < 2 || source.at(-1) !== quote) {
    return { at: 0, why: quote === '`' ? 'unterminated raw string' : 'unterminated quoted string' }
  }
  if (quote === '`') return source.slice(1, -1)
  let bytes: number[] = []
  let text = ''
  const settle = () => {
    if (bytes.length > 0) text += Buffer.from(bytes).toString('utf8')
    bytes = []
  }
  for (let i = 1; i < source.length - 1; ) {
    const char = source[i]!
    if (char !== '\\') {
      if (char === '\n') return { at: 0, why: 'unterminated quoted string' }
      settle()
      text += char
      i++
      continue
    }
    const letter = source[i + 1]!
    if (i + 1 === source.length - 1) return { at: 0, why: 'unterminated quoted string' }
    const simple = letter === quote ? quote : ESCAPES[letter]
    if (simple !== undefined) {
      settle()
      text += simple
      i += 2
      continue
    }
    const coded = codedEscape(source, i + 1)
    if (typeof coded === 'string') return { at: 0, why: coded }
    if (coded.code > 0xff || coded.isPoint) {
      settle()
      text += String.fromCodePoint(coded.code)
    } else bytes.push(coded.code)
    i += 1 + coded.length
  }
  settle()
  return text
}

function codedEscape(
  source: string,
  at: number
): string | { code: number; length: number; isPoint: boolean } {
  for (const [form, base] of CODED) {
    form.lastIndex = at
    const found = form.exec(source)
    if (found === null) continue
    const code = Number.parseInt(found[1]!, base)
    const isPoint = found[0][0] === 'u' || found[0][0] === 'U'
    if (code > (isPoint ? 0x10ffff : 0xff) || (code >= 0xd800 && code < 0xe000)) {
      return 'escape sequence is an invalid Unicode code point'
    }
    return { code, length: found[0].length, isPoint }
  }
  const letter = source[at]!
  if (!/[xuU0-7]/.test(letter)) return `unknown escape sequence ${shownPoint(source, at)}`
  let bad = /[0-7]/.test(letter) ? at : at + 1
  while (/[0-9a-fA-F]/.test(source[bad] ?? '') && bad < source.length - 1) bad++
  return bad >= source.length - 1
    ? 'escape sequence not terminated'
    : `illegal character ${shownPoint(source, bad)} in escape sequence`
}

/** A character as Go's %#U prints it. */
function shownPoint(source: string, at: number): string {
  const point = source.codePointAt(at)!
  return `U+${point.toString(16).toUpperCase().padStart(4, '0')} '${String.fromCodePoint(point)}'`
}
