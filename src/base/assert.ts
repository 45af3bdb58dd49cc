// The assertion every layer uses. An assertion guards our own logic, never outside input: it is
// always on, and nothing catches it, because a process that broke its own invariant must not go on
// writing to the medium. What the world may do wrong is a VarveError (errors.ts).

/** Our own bug: an invariant that the code promised does not hold. Never caught. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

/**
 * Stops the program when an invariant of ours is broken.
 * @param holds  the invariant
 * @param why    what must hold, said as a sentence without full stop
 */
export function assert(holds: boolean, why: string): asserts holds {
  if (!holds) throw new AssertionError(`Broken invariant: ${why}`)
}
