// The RESP server on a store in memory whose syncs are made by hand, or at once.
import type { Test } from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { Random } from '../../src/base/random.ts'
import type { ForeignNamespaces } from '../../src/kv/foreign.ts'
import { KvStore } from '../../src/kv/store.ts'
import type { Gatekeeper } from '../../src/resp/hub.ts'
import { RESP_LIMITS, type RespLimits } from '../../src/resp/limits.ts'
import type { Topics } from '../../src/resp/pub-sub.ts'
import { RespServer } from '../../src/resp/server.ts'
import { Medium, openOn } from '../kv/sim-host.ts'
import { RespClient } from './resp-client.ts'

export interface FaceOptions {
  /** False: the test syncs. */
  readonly syncs?: boolean
  readonly limits?: Partial<RespLimits>
  readonly gatekeeper?: Gatekeeper
  readonly topics?: Topics
  readonly foreign?: ForeignNamespaces
  readonly medium?: Medium
}

export async function openFace(t: Test, options: FaceOptions = {}) {
  const medium = options.medium ?? new Medium(new Random(1))
  const errors: unknown[] = []
  const store = new KvStore({ clock: systemClock, onError: error => errors.push(error) })
  const wal = await openOn(medium, store)
  const failed: ((error: Error) => void)[] = []
  const server = await RespServer.open({
    host: '127.0.0.1',
    port: 0,
    store,
    gate: {
      get syncedGroup() {
        return wal.syncedGroup
      },
      onSynced: listener => wal.onSynced(listener),
      onFailed: listener => failed.push(listener),
      note: () => {
        if (options.syncs !== false) wal.sync().catch(error => errors.push(error))
      }
    },
    clock: systemClock,
    limits: { ...RESP_LIMITS, ...options.limits },
    gatekeeper: options.gatekeeper ?? { isNeeded: false, roles: () => null },
    topics: options.topics ?? null,
    series: null,
    foreign: options.foreign ?? new Map(),
    version: '0',
    notify: '',
    onError: error => errors.push(error)
  })
  t.teardown(() => server.close(0))
  const fail = (error: Error) => {
    for (const tell of failed) tell(error)
  }
  return { server, store, wal, medium, errors, fail, client: () => RespClient.open(t, server.port) }
}

/** Plays a script on a face of its own, with as many clients as it names. */
export async function play(t: Test, script: string, options: FaceOptions = {}): Promise<void> {
  const face = await openFace(t, options)
  const clients = new Map<string, Promise<RespClient>>()
  const client = (n: string) => {
    if (!clients.has(n)) clients.set(n, face.client())
    return clients.get(n)!
  }
  await runScript(t, client, script)
  t.same(face.errors, [])
}

/** Runs a script: lines of "> command" and under each the reply it must get. "n>" sends on client n. */
async function runScript(t: Test, client: (n: string) => Promise<RespClient>, script: string): Promise<void> {
  let command = ''
  for (const line of script.split('\n').map(one => one.trim())) {
    if (line === '' || line.startsWith('#')) continue
    const sent = /^(\d?)> (.*)$/.exec(line)
    if (sent !== null) {
      command = line
      const [, n, words] = sent
      const to = await client(n!)
      to.socket.write(encodeWords(words!))
      continue
    }
    const from = await client(/^(\d?)>/.exec(command)![1]!)
    t.equal((await from.next()).trimEnd(), line, command)
  }
}

function encodeWords(words: string): Buffer {
  const all = words.split(' ').map(word => (word === '""' ? '' : word))
  return Buffer.from(
    `*${all.length}\r\n${all.map(word => `$${word.length}\r\n${word}\r\n`).join('')}`,
    'latin1'
  )
}
