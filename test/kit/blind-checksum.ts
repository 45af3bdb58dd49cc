// A planted fault: checksums that do not look at the bytes. It takes the place of src/base/checksum.ts as that is
// loaded, so this file imports nothing of src.
import { registerHooks } from 'node:module'

const BLIND = `export function checksum(bytes, start = 0, end = bytes.length, seed = 0) {
  return (Math.imul(end - start, 0x9e3779b1) + seed) >>> 0
}`

/** Call before anything of src is loaded: from then on a checksum says how long the bytes are, and no more. */
export function plantBlindChecksum(): void {
  registerHooks({
    load: (url, context, next) =>
      url.endsWith('/src/base/checksum.ts')
        ? { format: 'module', source: BLIND, shortCircuit: true }
        : next(url, context)
  })
}
