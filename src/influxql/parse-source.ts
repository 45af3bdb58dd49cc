// Reads what SELECT and SHOW share: where from, and how much of it.
import type { Page, Source } from './ast.ts'
import type { TokenReader } from './token-reader.ts'

/** Measurements, each with a database and a retention policy before it or not. */
export function readSources(reader: TokenReader): Source[] {
  const sources: Source[] = []
  do {
    if (reader.seesSign('(')) throw reader.error('found (, subqueries are not there; expected identifier')
    if (reader.peek().is === 'regex') {
      sources.push({ regex: reader.take().text })
      continue
    }
    let name = reader.name()
    let regex: string | null = null
    for (let parts = 1; reader.takesSign('.'); parts++) {
      if (parts === 3) throw reader.error('found more than database, retention policy and measurement')
      if (reader.peek().is === 'regex') {
        regex = reader.take().text
        break
      }
      name = reader.seesSign('.') ? '' : reader.name()
    }
    sources.push(regex === null ? { name } : { regex })
  } while (reader.takesSign(','))
  return sources
}

/** LIMIT and OFFSET, or the same of series. */
export function readPage(reader: TokenReader, limitWord: string, offsetWord: string): Page {
  const limit = reader.takes(limitWord) ? reader.count() : 0
  const offset = reader.takes(offsetWord) ? reader.count() : 0
  return { limit, offset }
}
