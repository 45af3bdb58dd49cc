// Who may connect, publish and subscribe. Users carry scrypt hashes; nobody carries a password longer than
// the check lasts, and no error or log line of the broker holds one.
//
// scrypt runs on the thread pool that also syncs files, so at most one check runs at a time, and a password
// that was right before is known again by a keyed digest (the key dies with the process).
//
// Invariants: an unknown user costs the same time as a wrong password; a right with %u or %c does not apply
// to a user name or client id that holds '/', '+' or '#'.
// Not here: the user file and its commands (cli, config).
import { createHmac, randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { VarveError } from '../base/errors.ts'
import { filterCovers, filterMatches } from './topic.ts'

/** Filters of topics that may be published to, and that subscriptions must lie within. %u, %c: user name, client id. */
export interface TopicRights {
  publish: readonly string[]
  subscribe: readonly string[]
}

export interface BrokerUser {
  name: string
  /** As hashPassword() makes it. */
  passwordHash: string
  /** Absent: everything. */
  rights?: TopicRights
}

export interface AuthOptions {
  /** Clients without a user name are let in. */
  allowAnonymous: boolean
  /** What they may do; absent: everything. */
  anonymousRights?: TopicRights
  users: readonly BrokerUser[]
}

const cost = { logN: 14, r: 8, p: 1, keyBytes: 32 }
const passwordBytesMax = 1024

/** A stored form of the password: scrypt$log2N$r$p$salt$key, the last two in base64. */
export async function hashPassword(password: string | Uint8Array): Promise<string> {
  const salt = randomBytes(16)
  const key = await derive(password, salt, cost.logN, cost.r, cost.p, cost.keyBytes)
  return `scrypt$${cost.logN}$${cost.r}$${cost.p}$${salt.toString('base64')}$${key.toString('base64')}`
}

/**
 * True if the password is the one that was hashed.
 * @throws {VarveError} VARVE_PASSWORD_HASH when the hash is not one of ours
 */
export async function verifyPassword(password: string | Uint8Array, hash: string): Promise<boolean> {
  const [scheme, logN, r, p, salt, key, ...more] = hash.split('$')
  const numbers = [logN, r, p].map(Number)
  const bounded = numbers.every(n => Number.isInteger(n) && n > 0) && numbers[0]! <= 20 && numbers[1]! <= 32
  if (scheme !== 'scrypt' || !salt || !key || more.length > 0 || !bounded || numbers[2]! > 16) {
    throw new VarveError('VARVE_PASSWORD_HASH', 'Cannot read password hash: not scrypt$logN$r$p$salt$key')
  }
  const expected = Buffer.from(key, 'base64')
  const found = await derive(
    password,
    Buffer.from(salt, 'base64'),
    numbers[0]!,
    numbers[1]!,
    numbers[2]!,
    expected.length
  )
  return timingSafeEqual(found, expected)
}

function derive(
  password: string | Uint8Array,
  salt: Uint8Array,
  logN: number,
  r: number,
  p: number,
  keyBytes: number
): Promise<Buffer> {
  const N = 2 ** logN
  const options = { N, r, p, maxmem: 256 * N * r }
  return new Promise((resolve, reject) => {
    scrypt(password, salt, keyBytes, options, (error, key) => (error ? reject(error) : resolve(key)))
  })
}

/** What one client may do. Publishing to $SYS is never allowed. */
export class Rights {
  private readonly publishFilters: readonly string[] | null
  private readonly subscribeFilters: readonly string[] | null
  private readonly known = new WeakMap<object, boolean>()
  private lastEntry: object | null = null
  private isLastAllowed = false

  constructor(rights: TopicRights | undefined, user: string, clientId: string) {
    this.publishFilters = rights === undefined ? null : fill(rights.publish, user, clientId)
    this.subscribeFilters = rights === undefined ? null : fill(rights.subscribe, user, clientId)
  }

  /** @param entry  an object that stands for the topic; the answer is kept with it */
  mayPublish(entry: { topic: string }): boolean {
    // Nothing is kept for who may do everything: a WeakMap of many topics is dear to collect.
    if (this.publishFilters === null) return !isSystemTopic(entry.topic)
    // Mostly the topic of the message before: a device has few.
    if (entry === this.lastEntry) return this.isLastAllowed
    let allowed = this.known.get(entry)
    if (allowed === undefined) {
      const { topic } = entry
      allowed = !isSystemTopic(topic) && this.publishFilters.some(filter => filterMatches(filter, topic))
      this.known.set(entry, allowed)
    }
    this.lastEntry = entry
    this.isLastAllowed = allowed
    return allowed
  }

  /** May subscribe to every topic of devices. */
  get seesEverything(): boolean {
    return this.subscribeFilters === null || this.subscribeFilters.includes('#')
  }

  maySubscribe(filter: string): boolean {
    return this.subscribeFilters === null || this.subscribeFilters.some(right => filterCovers(right, filter))
  }
}

function isSystemTopic(topic: string): boolean {
  return topic === '$SYS' || topic.startsWith('$SYS/')
}

function fill(filters: readonly string[], user: string, clientId: string): string[] {
  const unsafe = /[/+#]/
  return filters
    .filter(
      filter =>
        !(filter.includes('%u') && unsafe.test(user)) && !(filter.includes('%c') && unsafe.test(clientId))
    )
    .map(filter => filter.replaceAll('%u', () => user).replaceAll('%c', () => clientId))
}

export class Auth {
  private options: AuthOptions
  private readonly users = new Map<string, BrokerUser>()
  private readonly key = randomBytes(32)
  private readonly proven = new Map<string, Buffer>()
  private turn: Promise<unknown> = Promise.resolve()
  private decoy: Promise<string> | null = null

  constructor(options: AuthOptions) {
    this.options = options
    for (const user of options.users) this.users.set(user.name, user)
  }

  /** Other users from now on; who is connected keeps the rights it was given. */
  replace(options: AuthOptions): void {
    this.options = options
    this.users.clear()
    this.proven.clear()
    for (const user of options.users) this.users.set(user.name, user)
  }

  /**
   * The rights of a client, or null when it may not connect.
   * @param isWanted  asked when its turn comes: a client that left is not worth a hash
   */
  async admit(
    name: string | undefined,
    password: Uint8Array | undefined,
    clientId: string,
    isWanted: () => boolean = () => true
  ): Promise<Rights | null> {
    if (name === undefined) {
      if (!this.options.allowAnonymous) return null
      return new Rights(this.options.anonymousRights, '', clientId)
    }
    if (password === undefined || password.length > passwordBytesMax) return null
    const user = this.users.get(name)
    const digest = createHmac('sha256', this.key).update(`${name}\0`).update(password).digest()
    const proven = this.proven.get(name)
    if (user !== undefined && proven !== undefined && timingSafeEqual(proven, digest)) {
      return new Rights(user.rights, name, clientId)
    }
    const check = this.turn.then(async () => {
      if (!isWanted()) return false
      this.decoy ??= hashPassword(randomBytes(16))
      return verifyPassword(password, user?.passwordHash ?? (await this.decoy))
    })
    this.turn = check.catch(() => false)
    if (!(await check) || user === undefined) return null
    this.proven.set(name, digest)
    return new Rights(user.rights, name, clientId)
  }
}
