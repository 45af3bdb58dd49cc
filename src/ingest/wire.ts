// Which format a payload is in. A rule may say; else the first bytes do, without trying one format after the
// other: a broken JSON document is a broken JSON document, and not the string that text would make of it.
//
// Invariants: looks at the leading space and three bytes more.
// Not here: reading the formats (payload-*.ts).

/**
 * How a payload is read. `auto` tells by the first byte, after space: `{` or `[` is JSON; 0x80 to 0xbf (a CBOR
 * array or map, and never the start of UTF-8) or the CBOR mark d9 d9 f7 is CBOR; all else is text.
 */
export const PAYLOAD_FORMATS = ['auto', 'json', 'text', 'cbor', 'raw'] as const
export type PayloadFormat = (typeof PAYLOAD_FORMATS)[number]

export type Wire = Exclude<PayloadFormat, 'auto'>

/** The format of bytes[start, end), which are not empty: the rule's, or told by the first bytes. */
export function wireOf(format: PayloadFormat, bytes: Uint8Array, start: number, end: number): Wire {
  if (format !== 'auto') return format
  let p = start
  let c = bytes[p]!
  if (c === 0xef && end - p > 3 && bytes[p + 1] === 0xbb && bytes[p + 2] === 0xbf) c = bytes[(p += 3)]!
  while ((c === 32 || c === 10 || c === 13 || c === 9) && ++p < end) c = bytes[p]!
  if (c === 0x7b || c === 0x5b) return 'json'
  if (p > start) return 'text'
  if (c >= 0x80 && c <= 0xbf) return 'cbor'
  if (c === 0xd9 && end - p > 3 && bytes[p + 1] === 0xd9 && bytes[p + 2] === 0xf7) return 'cbor'
  return 'text'
}
