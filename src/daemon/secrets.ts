// Passwords and tokens of the configuration, as the faces take them: as hashes. A plain one is hashed here
// and forgotten; nothing of either is ever logged.
import { createHash } from 'node:crypto'
import { type AuthOptions, type BrokerUser, hashPassword } from '../broker/auth.ts'
import type { Config } from '../config/schema.ts'
import type { Role, Token } from '../http/auth.ts'

const HASHED_PASSWORD = /^scrypt\$\d+\$\d+\$\d+\$/
const HASHED_TOKEN = /^sha256:([0-9a-fA-F]{64})$/
/** What a role of the configuration may do. */
const ROLES: Readonly<Record<'read' | 'write' | 'admin', readonly Role[]>> = {
  read: ['read'],
  write: ['read', 'write'],
  admin: ['admin']
}

/** Who may use MQTT; without any user, everybody that reaches the port (loopback, unless told otherwise). */
export async function mqttAuth({ mqtt }: Config): Promise<AuthOptions> {
  const users: BrokerUser[] = []
  for (const { name, password, publish, subscribe } of mqtt.users) {
    const passwordHash = HASHED_PASSWORD.test(password) ? password : await hashPassword(password)
    users.push({ name, passwordHash, rights: { publish, subscribe } })
  }
  return { allowAnonymous: mqtt.allowAnonymous || users.length === 0, users }
}

export function httpTokens({ http }: Config): Token[] {
  return http.tokens.map(({ name, token, role }) => {
    const hashed = HASHED_TOKEN.exec(token)
    const sha256 = hashed?.[1] ?? createHash('sha256').update(token).digest('hex')
    return { name, sha256, roles: ROLES[role] }
  })
}
