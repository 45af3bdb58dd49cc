// Reads the parameters of the routes of the key-value plane, each with its bounds; what is wrong is named.
// Not here: the parameters of queries (query/parameters.ts).
import { reason } from '../base/errors.ts'
import { parseDuration } from '../base/units.ts'
import { HttpError } from './problem.ts'

function refuse(name: string, why: string): HttpError {
  return new HttpError('VARVE_PARAMETER', `Cannot read parameter ${name}: ${why}`, name)
}

/** @throws {HttpError} VARVE_PARAMETER for a name that is not known here */
export function onlyKnown(query: URLSearchParams, names: readonly string[]): void {
  for (const name of query.keys()) {
    // Tokens may come as parameters (auth.ts).
    if (names.includes(name) || name === 'u' || name === 'p') continue
    throw refuse(name.slice(0, 40), `it is not known here, these are: ${names.join(', ')}`)
  }
}

/** A whole number from 0 on; the bound is the owner's. @throws {HttpError} VARVE_PARAMETER */
export function wholeOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(Number(text)))
    throw refuse(name, 'it is a whole number')
  return Number(text)
}

/** A duration such as 30s, in ms. @throws {HttpError} VARVE_PARAMETER */
export function durationOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  try {
    return parseDuration(text)
  } catch (error) {
    throw refuse(name, reason(error))
  }
}

/** A parameter that must be given. @throws {HttpError} VARVE_PARAMETER */
export function given<T>(name: string, value: T | null | undefined): T {
  if (value === null || value === undefined) throw refuse(name, 'it is needed')
  return value
}

/** The part of the path behind a prefix, decoded. @throws {HttpError} VARVE_PARAMETER */
export function pathAfter(path: string, prefix: string): string[] {
  try {
    return path.slice(prefix.length).split('/').map(decodeURIComponent)
  } catch {
    throw refuse('path', 'its percent encoding is wrong')
  }
}
