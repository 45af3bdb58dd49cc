// Whether a history of concurrent operations could have come from a thing that does one at a time: the search of
// Wing and Gong with Lowe's memory of what was tried. An operation takes effect at one moment between its start and
// its end; one without an end (its caller died) takes effect at some moment after its start, or never.
//
// A history of n operations is searched in up to 2^n steps: keep it short (31 at most), one key at a time, since a
// history is linearizable if and only if that of each key is (Herlihy and Wing, "Linearizability", 1990, theorem 1).

export interface Operation<Op> {
  readonly op: Op
  readonly start: number
  /** Infinity: it never answered. */
  readonly end: number
}

/**
 * @param step  the state after an operation that gave what it says it gave; undefined: it cannot have
 * @param name  a text that is equal for equal states
 */
export function isLinearizable<Op, State>(
  history: readonly Operation<Op>[],
  initial: State,
  step: (state: State, op: Op, isPending: boolean) => State | undefined,
  name: (state: State) => string
): boolean {
  if (history.length > 31) throw new Error(`Cannot check history: ${history.length} operations, 31 at most`)
  const tried = new Set<string>()
  const answered = history.reduce((all, { end }, i) => (end === Infinity ? all : all | (1 << i)), 0)
  const search = (done: number, state: State): boolean => {
    if ((done & answered) === answered) return true
    const mark = `${done} ${name(state)}`
    if (tried.has(mark)) return false
    tried.add(mark)
    // Whatever ended before another began took effect before it.
    let endMin = Infinity
    for (let i = 0; i < history.length; i++) {
      if ((done & (1 << i)) === 0) endMin = Math.min(endMin, history[i]!.end)
    }
    for (let i = 0; i < history.length; i++) {
      const { op, start, end } = history[i]!
      if ((done & (1 << i)) !== 0 || start > endMin) continue
      const next = step(state, op, end === Infinity)
      if (next !== undefined && search(done | (1 << i), next)) return true
    }
    return false
  }
  return search(0, initial)
}
