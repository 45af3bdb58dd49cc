// One behaviour on both ways: the same random life of several clients, once with the fast path and once with
// everything through aedes, must give the same packets, the same store and the same counts.
import t from 'tap'
import { VarveError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { hashPassword } from '../../src/broker/auth.ts'
import type { Broker } from '../../src/broker/server.ts'
import { bytesOf, FakeStore, pause, pauseLate, RawClient, startBroker, until } from './kit.ts'

const firstSeed = Number(process.env.VARVE_SEED ?? 1)
const seeds = process.env.VARVE_SEED === undefined ? 4 : 1
const steps = 45

/** A machine that makes pauses so much longer makes messages come after the keep-alive, ms: it is tried again. */
const lateMsMax = 600

type Packet = Record<string, unknown>

// Tests that wait for a second of real time wait beside each other.
t.jobs = 4

/** Who takes part: version, CONNECT. */
const cast = [
  { name: 'old', version: 4, connect: { clean: true } },
  { name: 'kept', version: 4, connect: { clean: false } },
  { name: 'five', version: 5, connect: { clean: true } },
  { name: 'bound', version: 5, connect: { clean: true, username: 'ann', password: Buffer.from('secret') } },
  {
    name: 'mourned',
    version: 4,
    connect: { clean: true, will: { topic: 'a/will', payload: Buffer.from('gone'), qos: 1, retain: true } }
  }
] as const

/** A client that answers what it gets, and its whole life over several connections. */
class Player {
  raw: RawClient | null = null
  readonly transcript: string[] = []
  private readonly broker: Broker
  private readonly part: (typeof cast)[number]
  private seen = 0
  private nextId = 1

  constructor(broker: Broker, part: (typeof cast)[number]) {
    this.broker = broker
    this.part = part
  }

  get version(): number {
    return this.part.version
  }

  get isOpen(): boolean {
    return this.raw !== null && !this.raw.isClosed
  }

  id(): number {
    this.nextId = (this.nextId % 1000) + 1
    return this.nextId
  }

  async open(): Promise<void> {
    this.note()
    this.raw = await RawClient.open(
      this.broker,
      { clientId: this.part.name, ...this.part.connect },
      this.part.version
    )
    this.seen = 0
  }

  send(packet: object | Buffer): void {
    this.raw?.send(packet, this.part.version)
  }

  /** Answers until a PINGREQ is answered with nothing before it; a closed connection is quiet. */
  async quiet(): Promise<void> {
    for (let isBusy = true; isBusy && this.isOpen; ) {
      const pongs = this.raw!.of('pingresp').length
      this.send({ cmd: 'pingreq' })
      await until(() => !this.isOpen || this.raw!.of('pingresp').length > pongs)
      isBusy = this.answer()
    }
    this.answer()
  }

  /** Writes down where a connection ended. */
  note(): void {
    if (this.raw === null) return
    this.answer()
    this.transcript.push(this.raw.isClosed ? 'closed' : 'left')
  }

  private answer(): boolean {
    const fresh = this.raw!.packets.slice(this.seen)
    this.seen = this.raw!.packets.length
    for (const packet of fresh) {
      const { cmd, messageId, qos } = packet
      if (cmd !== 'pingresp') this.transcript.push(textOf(packet))
      if (cmd === 'publish' && qos === 1) this.send({ cmd: 'puback', messageId })
      if (cmd === 'publish' && qos === 2) this.send({ cmd: 'pubrec', messageId })
      if (cmd === 'pubrel') this.send({ cmd: 'pubcomp', messageId })
      if (cmd === 'pubrec' && (packet.reasonCode === undefined || (packet.reasonCode as number) < 0x80))
        this.send({ cmd: 'pubrel', messageId })
    }
    return fresh.some(({ cmd }) => cmd !== 'pingresp')
  }
}

function textOf(packet: Packet): string {
  const { cmd, topic, payload, qos, retain, dup, messageId, returnCode, reasonCode, granted } = packet
  const { sessionPresent, properties } = packet
  const text = Buffer.isBuffer(payload) ? `${payload.length}:${payload.subarray(0, 20)}` : payload
  const facts = { cmd, topic, text, qos, retain, dup, messageId, returnCode, reasonCode, granted }
  return JSON.stringify({ ...facts, sessionPresent, properties })
}

const topics = ['a/1', 'a/2', 'b', 'dev/ann/x', '$SYS/x', 'a/+']
const filters = ['#', 'a/#', 'a/+', 'b', 'dev/ann/+', 'a/1', '$share/g/b', 'a#']

/** One random thing that a client does. The same draws whatever the broker answers. */
async function act(random: Random, player: Player, store: FakeStore): Promise<void> {
  const kind = random.below(100)
  const publish = {
    cmd: 'publish',
    topic: random.chance(0.9) ? random.pick(topics.slice(0, 4)) : random.pick(topics),
    payload: 'x'.repeat(random.pick([0, 1, 10, 130, 1900, 2100].slice(0, random.chance(0.9) ? 5 : 6))),
    qos: random.below(3),
    retain: random.chance(0.25),
    dup: false,
    ...(player.version === 5 ? { properties: { contentType: 'text/plain', userProperties: { k: 'v' } } } : {})
  }
  const filter = random.chance(0.85) ? random.pick(filters.slice(0, 6)) : random.pick(filters)
  const subscribe = { cmd: 'subscribe', subscriptions: [{ topic: filter, qos: random.below(3) }] }
  const burst = 1 + random.below(8)
  // The one with a kept session stays away for a while: its messages are queued, up to the bound.
  if (!player.isOpen) return player.version === 4 && kind < 75 ? undefined : player.open()
  if (kind < 65) {
    const packets = Array.from({ length: burst }, (_, n) =>
      bytesOf(
        { ...publish, qos: (publish.qos + n) % 3, retain: publish.retain && n === 0, messageId: player.id() },
        player.version
      )
    )
    player.send(Buffer.concat(packets))
  } else if (kind < 80) {
    player.send({ ...subscribe, messageId: player.id() })
  } else if (kind < 84) {
    player.send({ cmd: 'unsubscribe', messageId: player.id(), unsubscriptions: [filter] })
  } else if (kind < 95) {
    player.send({ cmd: 'disconnect' })
    await until(() => !player.isOpen)
  } else if (kind < 98) {
    // A second connection with the same client id takes over.
    await player.open()
  } else {
    const full = new VarveError('VARVE_DISK_FULL', 'Cannot write: the medium is full')
    store.refusal = store.refusal === null ? full : null
  }
}

/** The packets of one kind in their order: between kinds it may differ, since acknowledgements wait for the sync. */
function byKind(transcript: readonly string[]): Record<string, string[]> {
  const kinds: Record<string, string[]> = {}
  for (const line of transcript) (kinds[/^{"cmd":"(\w+)"/.exec(line)?.[1] ?? 'end'] ??= []).push(line)
  return kinds
}

const limits = {
  packetBytesMax: 2048,
  subscriptionsMax: 3,
  retainedMax: 3,
  incomingMax: 6,
  unackedMax: 4,
  windowMax: 4,
  queueMax: 6
}

/** Everything that can be seen of one life. */
async function life(seed: number, fastPath: boolean): Promise<{ seen: object; fast: number }> {
  const store = new FakeStore()
  const rights = { publish: ['dev/%u/#', 'a/1'], subscribe: ['dev/%u/+', 'a/#'] }
  const users = [{ name: 'ann', passwordHash: hash, rights }]
  const broker = await startBroker(store, { fastPath, limits, auth: { allowAnonymous: true, users } })
  const random = new Random(seed)
  const players = cast.map(part => new Player(broker, part))
  for (const player of players) await player.open()
  players[1]!.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 2 }] })
  await players[1]!.quiet()
  for (let step = 0; step < steps; step++) {
    const actor = random.pick(players)
    await act(random, actor, store)
    await actor.quiet()
    await until(() => broker.stats.unacked === 0)
    for (const player of players) await player.quiet()
  }
  for (const player of players) {
    player.send({ cmd: 'disconnect' })
    await until(() => !player.isOpen)
    player.note()
  }
  const {
    fastPath: fast,
    bytesIn: _in,
    bytesOut: _out,
    eager: _eager,
    clientsMax: _max,
    ...counts
  } = broker.stats
  await broker.close()
  const stored = store.stored.map(({ topic, payload, qos, retain, client }) =>
    [topic, payload.length, qos, retain, client].join()
  )
  const heard = players.map(({ transcript }) => byKind(transcript))
  return { seen: { counts, stored, heard, retained: [...store.retained.keys()] }, fast }
}

const hash = await hashPassword('secret')

t.test('both ways give the same packets, the same store and the same counts', async t => {
  const met = { fast: 0, closed: 0, refused: 0, forbidden: 0, dropped: 0 }
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    const own = await life(seed, true)
    const aedes = await life(seed, false)
    t.same(own.seen, aedes.seen, `VARVE_SEED=${seed}`)
    t.equal(aedes.fast, 0)
    const { counts } = own.seen as { counts: Broker['stats'] }
    met.fast += own.fast
    met.closed += counts.protocolErrors
    met.refused += counts.publishesRefused
    met.forbidden += counts.publishesForbidden
    met.dropped += counts.droppedQueued
  }
  if (seeds > 1) for (const [what, n] of Object.entries(met)) t.ok(n > 0, `the lives met ${what}: ${n}`)
})

for (const fastPath of [true, false]) {
  const way = fastPath ? 'fast path' : 'aedes'

  t.test(`${way}: QoS 2 messages beyond the bound close the client, which is told`, async t => {
    const store = new FakeStore()
    const broker = await startBroker(store, { fastPath, limits: { incomingMax: 3 } })
    const old = await RawClient.open(broker)
    const five = await RawClient.open(broker, {}, 5)
    for (const [client, version] of [
      [old, 4],
      [five, 5]
    ] as const) {
      const packets = [1, 2, 3, 4].map(messageId =>
        bytesOf({ cmd: 'publish', topic: 't', payload: 'x', qos: 2, messageId }, version)
      )
      client.send(Buffer.concat(packets))
      t.ok(await until(() => client.isClosed))
    }
    t.match(five.of('disconnect')[0], { reasonCode: 0x93 })
    t.equal(store.stored.length, 6)
    await broker.close()
  })

  t.test(
    `${way}: a publisher is paused at its bound and goes on with its acknowledgements`,
    { buffered: true },
    async t => {
      const store = new FakeStore(false)
      const broker = await startBroker(store, { fastPath, limits: { unackedMax: 10 } })
      const raw = await RawClient.open(broker, { keepalive: 1 })
      const packets = Array.from({ length: 50 }, (_, i) =>
        bytesOf({ cmd: 'publish', topic: 't', payload: `${i}`, qos: 1 + (i % 2), messageId: i + 1 })
      )
      raw.send(Buffer.concat(packets))
      await until(() => store.stored.length === 10)
      await pause(1800)
      t.equal(store.stored.length, 10)
      t.notOk(raw.isClosed, 'a client that we do not read does not miss its keep-alive')
      for (let n = 20; n <= 50; n += 10) {
        store.sync()
        t.ok(await until(() => store.stored.length === n))
      }
      store.sync()
      t.ok(await until(() => raw.of('puback').length === 25 && raw.of('pubrec').length === 25))
      raw.end()
      await broker.close(0)
    }
  )

  t.test(`${way}: $SYS counts what was published, and only who asks for it hears it`, async t => {
    const store = new FakeStore()
    const broker = await startBroker(store, { fastPath, sysMs: 50 })
    const [all, watcher, publisher] = [
      await RawClient.open(broker),
      await RawClient.open(broker),
      await RawClient.open(broker)
    ]
    all.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 0 }] })
    watcher.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$SYS/#', qos: 0 }] })
    await until(() => all.of('suback').length + watcher.of('suback').length === 2)
    for (const qos of [0, 1, 2])
      publisher.send({ cmd: 'publish', topic: 't', payload: 'x', qos, messageId: 9 + qos })
    const last = (topic: string): unknown =>
      watcher
        .of('publish')
        .filter(packet => packet.topic === topic)
        .at(-1)?.payload
    const isTold = (topic: string, text: string): Promise<boolean> =>
      until(() => String(last(`$SYS/${topic}`)) === text)
    t.ok(await isTold('broker/messages/received', '3'))
    t.ok(await isTold('broker/clients/connected', '3'))
    t.ok(await isTold('varve/acks/sent', '2'))
    t.ok(await isTold('varve/fast_path/messages', fastPath ? '2' : '0'))
    t.equal(all.of('publish').length, 3)
    for (const raw of [all, watcher, publisher]) raw.end()
    await broker.close()
  })

  t.test(
    `${way}: a keep-alive is counted from the last packet, early or late in it`,
    { buffered: true },
    async t => {
      const broker = await startBroker(new FakeStore(), { fastPath })
      const send = (raw: RawClient): void => raw.send({ cmd: 'publish', topic: 't', payload: 'x', qos: 0 })
      for (let lateMs = Number.POSITIVE_INFINITY; lateMs > lateMsMax; ) {
        const steady = await RawClient.open(broker, { keepalive: 2 })
        const bursts = await RawClient.open(broker, { keepalive: 2 })
        lateMs = 0
        for (let n = 0; n < 3; n++) {
          send(steady)
          send(bursts)
          const firstMs = await pauseLate(60)
          send(bursts)
          lateMs = Math.max(lateMs, firstMs + (await pauseLate(2100)))
        }
        const isOpen = !steady.isClosed && !bursts.isClosed
        if (lateMs <= lateMsMax) t.ok(isOpen, 'a message within one and a half times the keep-alive')
        t.ok(await until(() => steady.isClosed && bursts.isClosed), 'and none after it')
      }
      await broker.close()
    }
  )
}
