// Namespaces whose entries somebody else keeps, shown through the faces of the store as if they were its own: read
// only, such as `last`, the newest sample of each series. Every face (HTTP, RESP) is given them by the daemon, which
// alone knows who keeps them: a Map of names to this interface. A face asks it before the store:
//
//   const foreign = namespaces.get(ns)        undefined: the namespace is the store's
//   await foreign.get(key)                    one entry, or undefined
//   for await (const entry of foreign.scan({ prefix, limit })) ...     in the order of the keys' bytes
//   a write to it is refused with refuseForeign(ns)
//
// Invariants: an entry's version grows whenever its value changes; entries never expire; `stored` begins with the
// namespace, so that Entry.key and cursorOf() work as for any other.
// Not here: who keeps them (daemon/last-values.ts).
import { VarveError } from '../base/errors.ts'
import type { Entry } from './entry.ts'
import type { ScanOptions } from './view.ts'

export interface ForeignNamespace {
  /** @param signal  aborted when nobody waits for it any more */
  get(key: string, signal?: AbortSignal): Promise<Entry | undefined>
  /** The entries of a range, as of the call. */
  scan(options: ScanOptions, signal?: AbortSignal): AsyncIterable<Entry>
}

/** By name. */
export type ForeignNamespaces = ReadonlyMap<string, ForeignNamespace>

export function refuseForeign(ns: string): VarveError {
  return new VarveError('VARVE_KV_RESERVED', `Cannot write to namespace ${ns}: it is read only`)
}
