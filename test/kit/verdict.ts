// What is wrong with what was found, counted by kind and told in a few sentences; and how much was looked at.

const SENTENCES_MAX = 6

export class Verdict {
  /** Acknowledged samples and entries that were compared. */
  samples = 0
  entries = 0
  /** Acknowledged things that are not there, or not as they were. */
  lost = 0
  /** Things that were never written. */
  invented = 0
  /** What else is wrong: order, versions, rollups, damage told where there is none. */
  other = 0
  readonly wrongs: string[] = []

  lose(what: string): void {
    this.lost++
    this.tell(`lost: ${what}`)
  }

  invent(what: string): void {
    this.invented++
    this.tell(`invented: ${what}`)
  }

  wrong(what: string): void {
    this.other++
    this.tell(what)
  }

  private tell(sentence: string): void {
    if (this.wrongs.length < SENTENCES_MAX) this.wrongs.push(sentence)
  }
}

/** A place and a value for people. */
function short(value: string | null | undefined): string {
  if (value === null || value === undefined) return 'nothing'
  const printable = value.replace(/[^ -~]/g, '.')
  return printable.length > 60 ? `${printable.slice(0, 60)}... (${value.length} characters)` : printable
}

/** What one write did: each place with its new value, or null where it removed what was there. */
export type PlaceWrites = readonly (readonly [place: string, value: string | null])[]

/**
 * How many of `writes`, from the first, give the state that was found, when at least `acknowledged` of them
 * have to: the fewest that do. Tells what differs when none does, and gives -1.
 */
export function fitPrefix(
  writes: readonly PlaceWrites[],
  acknowledged: number,
  found: ReadonlyMap<string, string>,
  verdict: Verdict
): number {
  const state = new Map<string, string>()
  let differing = 0
  const put = (place: string, value: string | null): void => {
    const before = state.get(place)
    const there = found.get(place)
    differing += Number(there !== (value ?? undefined)) - Number(there !== before)
    if (value === null) state.delete(place)
    else state.set(place, value)
  }
  differing = found.size
  for (let i = 0; i < acknowledged; i++) for (const [place, value] of writes[i]!) put(place, value)
  if (differing === 0) return acknowledged
  const atLeast = new Map(state)
  for (let i = acknowledged; i < writes.length; i++) {
    for (const [place, value] of writes[i]!) put(place, value)
    if (differing === 0) return i + 1
  }
  tellDifferences(writes, acknowledged, atLeast, found, verdict)
  return -1
}

/** Says of each place that no state explains whether something was lost or invented. */
function tellDifferences(
  writes: readonly PlaceWrites[],
  acknowledged: number,
  state: ReadonlyMap<string, string>,
  found: ReadonlyMap<string, string>,
  verdict: Verdict
): void {
  const before = verdict.wrongs.length
  const ever = new Map<string, Set<string | undefined>>()
  const later = new Map<string, Set<string | undefined>>()
  for (const [i, write] of writes.entries()) {
    for (const [place, value] of write) {
      for (const known of i < acknowledged ? [ever] : [ever, later]) {
        known.set(place, (known.get(place) ?? new Set()).add(value ?? undefined))
      }
    }
  }
  for (const place of new Set([...state.keys(), ...found.keys()])) {
    const [value, wanted] = [found.get(place), state.get(place)]
    if (value === wanted || later.get(place)?.has(value)) continue
    if (value !== undefined && !ever.get(place)?.has(value)) verdict.invent(`${place} holds ${short(value)}`)
    else verdict.lose(`${place} holds ${short(value)}, not ${short(wanted)}`)
  }
  if (verdict.wrongs.length === before) {
    verdict.wrong(`not the state after any of ${acknowledged} (acknowledged) to ${writes.length} writes`)
  }
}
