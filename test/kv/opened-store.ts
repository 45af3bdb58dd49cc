// A store on a medium of its own, and what the tests of its promises ask it.
import { Random } from '../../src/base/random.ts'
import type { KvLimits } from '../../src/kv/options.ts'
import { KvStore } from '../../src/kv/store.ts'
import { HandClock } from '../kit/hand-clock.ts'
import { Medium, openOn } from './sim-host.ts'

export const bytes = (text: string) => Buffer.from(text)

/** `again` opens a store anew on the same medium. */
export async function opened(
  limits: Partial<KvLimits> = {},
  medium = new Medium(new Random(1)),
  clock = new HandClock()
) {
  const errors: unknown[] = []
  const store = new KvStore({ clock, onError: error => errors.push(error), limits })
  const wal = await openOn(medium, store)
  const again = () => opened(limits, medium, clock)
  const text = (ns: string, key: string) => {
    const found = store.get(ns, key)
    return found && Buffer.from(found.value).toString()
  }
  const keys = (ns: string, options = {}) => [...store.scan(ns, options)].map(entry => entry.keyText)
  return { store, wal, medium, clock, errors, again, text, keys }
}
