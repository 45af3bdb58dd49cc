// "Did you mean": the known word nearest to one that was mistyped or put into the wrong section.

/** Edits (insert, delete, replace, swap of neighbours) from a to b, as in Damerau and Levenshtein. */
function edits(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, before[j - 2]! + 1)
      }
      next.push(cost)
    }
    before = row
    row = next
  }
  return row[b.length]!
}

/**
 * The known word that was probably meant, or null. A word whose last part after a dot is right but stands in
 * the wrong section is found as well.
 */
export function nearest(word: string, known: Iterable<string>): string | null {
  if (word.length > 100) return null
  let best: string | null = null
  let bestCost = Math.max(2, Math.floor(word.length / 4)) + 1
  const last = (text: string) => text.slice(text.lastIndexOf('.') + 1)
  for (const candidate of known) {
    const cost = Math.min(edits(word, candidate), last(word) === last(candidate) ? 2.5 : Infinity)
    if (cost < bestCost) [best, bestCost] = [candidate, cost]
  }
  return best
}
