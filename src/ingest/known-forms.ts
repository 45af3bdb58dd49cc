// The forms that messages of a topic have had, and those of its rule: finds the one that a message has, and
// remembers new ones. What a topic had last is tried first, so that a device that repeats itself costs one trial.
//
// Invariants: find() leaves the values of the message in the draft; both lists of a route are bounded, and the
// form unused for longest goes.
// Not here: what a form is and how a message is held against it (form.ts), who makes one (flatten.ts).
import { CborHead } from '../base/cbor-head.ts'
import type { Draft } from './draft.ts'
import { type Form, matchCbor, matchJson } from './form.ts'
import { KEPT_PER_ROUTE, type Route } from './route.ts'
import type { Wire } from './wire.ts'

export class KnownForms {
  private readonly draft: Draft
  private readonly valueBytesMax: number
  private readonly head = new CborHead()

  /** @param valueBytesMax  a message with a longer value has no form */
  constructor(draft: Draft, valueBytesMax: number) {
    this.draft = draft
    this.valueBytesMax = valueBytesMax
  }

  /** The form that bytes[start, end) have, of those that the topic or its rule has had; null when none fits. */
  find(route: Route, wire: Wire, bytes: Uint8Array, start: number, end: number): Form | null {
    const { forms, shared } = route
    for (let i = 0; i < forms.length; i++) {
      const form = forms[i]!
      if (form.wire !== wire || !this.matches(form, bytes, start, end)) continue
      if (i > 0) {
        forms[i] = forms[i - 1]!
        forms[i - 1] = form
      }
      return form
    }
    for (let i = 0; i < shared.length; i++) {
      const form = shared[i]!
      if (form.wire !== wire || forms.includes(form) || !this.matches(form, bytes, start, end)) continue
      keep(forms, form)
      return form
    }
    return null
  }

  /**
   * Remembers a form, for its topic and for the others of its rule.
   * @returns false when it was known: a message may have a known form and yet not fit, such as one with an escape
   * in a string
   */
  learn(route: Route, form: Form): boolean {
    if (knows(route.forms, form) || knows(route.shared, form)) return false
    keep(route.forms, form)
    if (!form.bare) keep(route.shared, form)
    return true
  }

  private matches(form: Form, bytes: Uint8Array, start: number, end: number): boolean {
    if (form.wire === 'json') return matchJson(form, bytes, start, end, this.draft, this.valueBytesMax)
    this.head.over(bytes, start, end)
    return matchCbor(form, this.head, this.draft, this.valueBytesMax)
  }
}

/** Puts a form first; past the bound the last one goes. */
function keep(forms: Form[], form: Form): void {
  forms.unshift(form)
  if (forms.length > KEPT_PER_ROUTE) forms.pop()
}

function knows(forms: readonly Form[], form: Form): boolean {
  return forms.some(
    known =>
      known.wire === form.wire &&
      Buffer.compare(known.literal, form.literal) === 0 &&
      known.cuts.join() === form.cuts.join()
  )
}
