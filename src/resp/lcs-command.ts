// LCS: the longest common subsequence of two strings, its length, or where it lies in both.
//
// Costs a cell of four bytes for each pair of bytes, and so time: LCS_CELLS_MAX bounds both.
// Not here: other commands of strings (string-commands.ts).
import type { Args } from './args.ts'
import type { Client } from './client.ts'
import { command, family } from './command.ts'
import { integerOf } from './numbers.ts'
import type { Reply } from './reply.ts'
import { fail, SYNTAX } from './reply-error.ts'

const LCS_CELLS_MAX = 16 * 2 ** 20

/** Bytes that follow each other in both strings: the last of each, and how many. */
interface Match {
  readonly endA: number
  readonly endB: number
  length: number
}

interface Common {
  readonly bytes: Uint8Array
  /** From the end to the start. */
  readonly matches: readonly Match[]
}

/** Row i, column j: the length for the first i bytes of a and the first j of b. */
function lengthsOf(a: Uint8Array, b: Uint8Array): Uint32Array {
  const width = b.length + 1
  const lengths = new Uint32Array((a.length + 1) * width)
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      lengths[i * width + j] =
        a[i - 1] === b[j - 1]
          ? lengths[(i - 1) * width + j - 1]! + 1
          : Math.max(lengths[(i - 1) * width + j]!, lengths[i * width + j - 1]!)
    }
  }
  return lengths
}

/** Walks back from the end; where two ways are as long, it goes the way that Redis goes. */
export function longestCommon(a: Uint8Array, b: Uint8Array): Common {
  const width = b.length + 1
  const lengths = lengthsOf(a, b)
  const bytes = new Uint8Array(lengths[a.length * width + b.length]!)
  const matches: Match[] = []
  let open: Match | null = null
  for (let i = a.length, j = b.length, n = bytes.length; n > 0; ) {
    if (a[i - 1] === b[j - 1]) {
      bytes[--n] = a[--i]!
      j--
      if (open === null) matches.push((open = { endA: i, endB: j, length: 1 }))
      else open.length++
      continue
    }
    open = null
    if (lengths[(i - 1) * width + j]! > lengths[i * width + j - 1]!) i--
    else j--
  }
  return { bytes, matches }
}

function writeMatches(out: Reply, { bytes, matches }: Common, lengthMin: number, hasLength: boolean) {
  const shown = matches.filter(({ length }) => length >= lengthMin)
  out.map(2)
  out.text('matches')
  out.array(shown.length)
  for (const { endA, endB, length } of shown) {
    out.array(hasLength ? 3 : 2)
    for (const end of [endA, endB]) {
      out.array(2)
      out.int(end - length + 1)
      out.int(end)
    }
    if (hasLength) out.int(length)
  }
  out.text('len')
  out.int(bytes.length)
}

function lcs(client: Client, args: Args) {
  const { db, out } = client
  const keys = [args.text(1), args.text(2)] as const
  if (keys.some(key => (db.type(key) ?? 'string') !== 'string'))
    fail('ERR The specified keys must contain string values')
  let wants: { length?: boolean; places?: boolean } = {}
  let lengthMin = 0
  let hasLength = false
  for (let i = 3; i < args.count; i++) {
    const word = args.upper(i)
    if (word === 'IDX') wants = { ...wants, places: true }
    else if (word === 'LEN') wants = { ...wants, length: true }
    else if (word === 'WITHMATCHLEN') hasLength = true
    else if (word === 'MINMATCHLEN' && i + 1 < args.count) lengthMin = integerOf(args.text(++i))
    else fail(SYNTAX)
  }
  if (wants.places && wants.length) fail('ERR If you want both the length and indexes, please just use IDX.')
  const [a, b] = keys.map(key => db.string(key)?.value ?? new Uint8Array(0)) as [Uint8Array, Uint8Array]
  if ((a.length + 1) * (b.length + 1) > LCS_CELLS_MAX)
    fail('ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len')
  const common = longestCommon(a, b)
  if (wants.places) writeMatches(out, common, lengthMin, hasLength)
  else if (wants.length) out.int(common.bytes.length)
  else out.text(common.bytes)
}

export const lcsCommands = family('string', [
  command('lcs', -3, 'r', [1, 2, 1], 'Returns the longest common subsequence of two strings.', lcs)
])
