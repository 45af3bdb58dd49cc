// Reads the hex examples out of the header comment of a source file, so that a comment cannot lie.
import { readFileSync } from 'node:fs'

/**
 * The bytes of the examples in a file's header: each run of two-digit hex after an `=`, over line ends.
 * @param path  from the root of the repository
 */
export function examplesOf(path: string): Uint8Array[] {
  const lines = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8').split('\n')
  const header = lines.slice(
    0,
    lines.findIndex(line => !line.startsWith('//'))
  )
  const text = header.map(line => line.slice(2)).join(' ')
  const example = text.slice(text.indexOf('Example: '))
  return [...example.matchAll(/=\s+((?:[0-9a-f]{2}\s+|[0-9a-f]{2}(?=[;.]|$))+)/g)].map(found =>
    Buffer.from(found[1]!.replaceAll(/\s/g, ''), 'hex')
  )
}
