// Who may do what. Tokens come as SHA-256 of their text, so that a configuration that leaks gives nothing
// away; that is enough for random tokens, which is what they must be: a short password can be guessed from
// its hash. Without any token everything is open (the daemon then listens on loopback only).
//
// A client shows its token as `Authorization: Bearer T`, `Authorization: Token T` (InfluxDB 2), HTTP basic
// authentication with the token's name and the token as password, or u= and p= in the URL (InfluxDB 1).
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { VarveError } from '../base/errors.ts'
import { HttpError } from './problem.ts'

export const ROLES = ['read', 'write', 'admin'] as const
/** admin may do everything. */
export type Role = (typeof ROLES)[number]

export interface Token {
  readonly name: string
  /** SHA-256 of the token's UTF-8 bytes, 64 hexadecimal digits. */
  readonly sha256: string
  readonly roles: readonly Role[]
}

interface Shown {
  /** null when only the token itself was shown. */
  readonly name: string | null
  readonly token: string
}

export class Auth {
  private tokens: readonly { name: string; hash: Buffer; roles: readonly Role[] }[] = []

  /** @throws {VarveError} VARVE_TOKEN when a hash is not one */
  constructor(tokens: readonly Token[]) {
    this.replace(tokens)
  }

  /** Other tokens from now on. @throws {VarveError} VARVE_TOKEN when a hash is not one; nothing changed then */
  replace(tokens: readonly Token[]): void {
    this.tokens = tokens.map(({ name, sha256, roles }) => {
      if (!/^[0-9a-f]{64}$/i.test(sha256)) {
        throw new VarveError(
          'VARVE_TOKEN',
          `Cannot use token ${name}: its sha256 is not 64 hexadecimal digits`
        )
      }
      return { name, hash: Buffer.from(sha256, 'hex'), roles }
    })
  }

  /** Nobody has to show anything. */
  get isOpen(): boolean {
    return this.tokens.length === 0
  }

  /** What a token allows; null when it is not known. @param name  whose it must be; null: anybody's */
  roles(name: string | null, shown: string): ReadonlySet<Role> | null {
    const hash = createHash('sha256').update(shown).digest()
    const held = new Set<Role>()
    let known = false
    for (const token of this.tokens) {
      if (!timingSafeEqual(token.hash, hash) || (name !== null && name !== token.name)) continue
      known = true
      for (const role of token.roles) held.add(role)
    }
    return known ? held : null
  }

  /**
   * Lets a request pass that holds one of the roles.
   * @throws {HttpError} VARVE_HTTP_UNAUTHORIZED without a known token, VARVE_HTTP_FORBIDDEN without the role
   */
  check(wanted: readonly Role[] | null, headers: IncomingHttpHeaders, query: URLSearchParams): void {
    if (wanted === null || this.tokens.length === 0) return
    const shown = shownBy(headers, query)
    if (shown === null) {
      throw new HttpError('VARVE_HTTP_UNAUTHORIZED', 'Cannot allow request: it shows no token')
    }
    const held = this.roles(shown.name, shown.token)
    if (held === null)
      throw new HttpError('VARVE_HTTP_UNAUTHORIZED', 'Cannot allow request: unknown name or token')
    if (!held.has('admin') && !wanted.some(role => held.has(role))) {
      throw new HttpError(
        'VARVE_HTTP_FORBIDDEN',
        `Cannot allow request: it needs the role ${wanted.join(' or ')}`
      )
    }
  }
}

function shownBy(headers: IncomingHttpHeaders, query: URLSearchParams): Shown | null {
  const [scheme, text] = (headers.authorization ?? '').split(/ +(.*)/s, 2)
  switch (scheme?.toLowerCase()) {
    case 'bearer':
      return { name: null, token: text ?? '' }
    case 'token': {
      // InfluxDB 1.8 clients of the v2 face send name:token.
      return { name: null, token: text?.split(':').at(-1) ?? '' }
    }
    case 'basic': {
      const [name, ...token] = Buffer.from(text ?? '', 'base64')
        .toString()
        .split(':')
      return { name: name!, token: token.join(':') }
    }
  }
  const token = query.get('p')
  return token === null ? null : { name: query.get('u') ?? '', token }
}
