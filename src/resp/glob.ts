// Patterns of KEYS, SCAN and PSUBSCRIBE: * ? [a-c] [^x] and \ before a character, on bytes.
//
// Matched without recursion: a star goes back to the last one only, so a hostile pattern takes the product of
// both lengths at worst. Pure.

/** Whether the text matches the whole pattern; both are byte strings. */
export function globMatches(pattern: string, text: string, ignoreCase = false): boolean {
  const p = ignoreCase ? pattern.toLowerCase() : pattern
  const t = ignoreCase ? text.toLowerCase() : text
  let pi = 0
  let ti = 0
  let starPattern = -1
  let starText = 0
  while (ti < t.length) {
    if (pi < p.length && p[pi] === '*') {
      starPattern = ++pi
      starText = ti
      continue
    }
    const next = pi < p.length ? matchOne(p, pi, t.charCodeAt(ti)) : -1
    if (next >= 0) {
      pi = next
      ti++
      continue
    }
    if (starPattern < 0) return false
    pi = starPattern
    ti = ++starText
  }
  while (p[pi] === '*') pi++
  return pi === p.length
}

/** The place in the pattern behind what matches the character; -1 when it does not. */
function matchOne(p: string, at: number, c: number): number {
  switch (p[at]) {
    case '?':
      return at + 1
    case '[':
      return matchClass(p, at + 1, c)
    case '\\':
      if (at + 1 < p.length) return p.charCodeAt(at + 1) === c ? at + 2 : -1
  }
  return p.charCodeAt(at) === c ? at + 1 : -1
}

function matchClass(p: string, start: number, c: number): number {
  let at = start
  const isNot = p[at] === '^'
  if (isNot) at++
  let found = false
  for (; at < p.length && p[at] !== ']'; at++) {
    if (p[at] === '\\' && at + 1 < p.length) {
      if (p.charCodeAt(++at) === c) found = true
    } else if (p[at + 1] === '-' && at + 2 < p.length) {
      let low = p.charCodeAt(at)
      let high = p.charCodeAt(at + 2)
      if (low > high) [low, high] = [high, low]
      if (c >= low && c <= high) found = true
      at += 2
    } else if (p.charCodeAt(at) === c) found = true
  }
  return found !== isNot ? Math.min(at + 1, p.length) : -1
}

/** The literal bytes that every match begins with. */
export function globPrefix(pattern: string): string {
  const special = pattern.search(/[*?[\\]/)
  return special < 0 ? pattern : pattern.slice(0, special)
}
