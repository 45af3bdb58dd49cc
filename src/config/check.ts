// Rules across keys: what no single entry can know. Each rule names the key that an owner would change and
// says what it is at odds with.
// Not here: bounds of single keys (schema-*.ts), where a key was stated (load.ts).
import { printDuration, printSize } from '../base/units.ts'
import type { Config } from './schema.ts'

/** A rule that does not hold. */
export interface Conflict {
  readonly key: string
  readonly why: string
}

/** Every rule that a configuration of sound single keys breaks. */
export function checkConfig(config: Config): Conflict[] {
  return [
    ...checkPace(config),
    ...checkPorts(config),
    ...checkOpenness(config),
    ...checkLimits(config),
    ...checkRetention(config),
    ...checkTiers(config),
    ...checkNames(config)
  ]
}

/** True for addresses that only this machine can reach. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

/**
 * The address to listen on: what mqtt.host and http.host say, with "auto" resolved.
 * @param open  a user (token) or allow_anonymous is configured
 * @returns     null for every address
 */
export function listenHost(host: string, open: boolean): string | null {
  if (host !== 'auto') return host
  return open ? null : '127.0.0.1'
}

/** Where MQTT listens: an address, or null for every one. */
export function mqttHost({ mqtt }: Config): string | null {
  return listenHost(mqtt.host, mqtt.allowAnonymous || mqtt.users.length > 0)
}

/** Where HTTP listens: an address, or null for every one. */
export function httpHost({ http }: Config): string | null {
  return listenHost(http.host, http.allowAnonymous || http.tokens.length > 0)
}

/** Where RESP listens: an address, or null for every one. */
export function respHost({ resp, http }: Config): string | null {
  return listenHost(resp.host, http.tokens.length > 0)
}

function* checkPace({ ack, wal }: Config): Iterable<Conflict> {
  if (ack.delayMaxQos0 < ack.delayMax) {
    const least = printDuration(ack.delayMax)
    yield {
      key: 'ack.delay_max_qos0',
      why: `it must be at least ack.delay_max (${least}): QoS 0 messages never wait less than acknowledged ones`
    }
  }
  if (wal.fileSize % (4 * 1024 ** 2) !== 0) {
    yield { key: 'wal.file_size', why: 'it must be a multiple of 4MiB: files are whole erase blocks' }
  }
  if (wal.sizeMax < 2 * wal.fileSize) {
    yield {
      key: 'wal.size_max',
      why: `it must be at least two files of wal.file_size (${printSize(2 * wal.fileSize)}): one is written while the other is flushed`
    }
  }
  if (wal.groupMax > wal.fileSize) {
    yield { key: 'wal.group_max', why: `it must be at most wal.file_size (${printSize(wal.fileSize)})` }
  }
}

function* checkPorts({ mqtt, http }: Config): Iterable<Conflict> {
  const taken = new Map<number, string>()
  const ports: [string, number | null][] = [
    ['mqtt.port', mqtt.port],
    ['mqtt.ws_port', mqtt.wsPort],
    ['mqtt.tls_port', mqtt.tlsCert === '' ? null : mqtt.tlsPort],
    ['http.port', http.port]
  ]
  for (const [key, port] of ports) {
    if (port === null || port === 0) continue
    const by = taken.get(port)
    if (by !== undefined) yield { key, why: `port ${port} is taken by ${by}` }
    taken.set(port, key)
  }
  if ((mqtt.tlsCert === '') !== (mqtt.tlsKey === '')) {
    const key = mqtt.tlsCert === '' ? 'mqtt.tls_cert' : 'mqtt.tls_key'
    yield { key, why: 'mqtt.tls_cert and mqtt.tls_key must be set both or neither' }
  }
}

function* checkOpenness({ mqtt, http }: Config): Iterable<Conflict> {
  if (mqtt.host !== 'auto' && !isLoopback(mqtt.host) && !mqtt.allowAnonymous && mqtt.users.length === 0) {
    yield {
      key: 'mqtt.host',
      why: `${mqtt.host} is open to a network, which needs a user ([[mqtt.users]]) or mqtt.allow_anonymous = true`
    }
  }
  if (http.host !== 'auto' && !isLoopback(http.host) && !http.allowAnonymous && http.tokens.length === 0) {
    yield {
      key: 'http.host',
      why: `${http.host} is open to a network, which needs a token ([[http.tokens]]) or http.allow_anonymous = true`
    }
  }
}

function* checkLimits({ mqtt, http }: Config): Iterable<Conflict> {
  const atLeast: [string, number, string, number][] = [
    ['mqtt.inflight_bytes_max', mqtt.inflightBytesMax, 'mqtt.packet_max', mqtt.packetMax],
    ['mqtt.outgoing_bytes_max', mqtt.outgoingBytesMax, 'mqtt.packet_max', mqtt.packetMax],
    ['http.inflated_max', http.inflatedMax, 'http.body_max', http.bodyMax],
    ['http.inflight_bytes_max', http.inflightBytesMax, 'http.body_max', http.bodyMax]
  ]
  for (const [key, value, otherKey, other] of atLeast) {
    if (value < other) yield { key, why: `it must be at least ${otherKey} (${printSize(other)})` }
  }
}

function* checkRetention({ retention }: Config): Iterable<Conflict> {
  if (retention.default !== null && retention.default < retention.bucket) {
    const span = printDuration(retention.bucket)
    yield { key: 'retention.default', why: `it must be at least one bucket (retention.bucket = ${span})` }
  }
  for (const [i, rule] of retention.rules.entries()) {
    const span = rule.bucket ?? retention.bucket
    if (rule.keep !== null && rule.keep < span) {
      const why = `it must be at least one bucket (${printDuration(span)}); state a shorter bucket in the rule`
      yield { key: `retention.rules[${i}].keep`, why }
    }
    if (rule.match === '' && rule.series === '') {
      yield {
        key: `retention.rules[${i}]`,
        why: 'it must have match or series; for all samples set retention.default'
      }
    }
    if (rule.name === 'default' || rule.name.startsWith('rollup')) {
      yield {
        key: `retention.rules[${i}].name`,
        why: '"default" and names that begin with "rollup" are ours'
      }
    }
  }
}

function* checkTiers({ rollup }: Config): Iterable<Conflict> {
  const finerOf = new Map<string, number>()
  for (const [i, tier] of rollup.tiers.entries()) {
    const key = `rollup.tiers[${i}].every`
    const finer = finerOf.get(tier.rule) ?? 0
    if (finer > 0 && (tier.every <= finer || tier.every % finer !== 0)) {
      yield { key, why: `it must be a multiple of the tier before (${printDuration(finer)}), and more` }
    }
    if (tier.keep !== null && tier.keep < tier.every) {
      yield {
        key: `rollup.tiers[${i}].keep`,
        why: `it must be at least one window (${printDuration(tier.every)})`
      }
    }
    if (tier.rule !== '' && !rollup.rules.some(rule => rule.name === tier.rule)) {
      yield { key: `rollup.tiers[${i}].rule`, why: 'there is no such rule in rollup.rules' }
    }
    finerOf.set(tier.rule, tier.every)
  }
}

function* checkNames({ mqtt, http, retention, rollup, ingest }: Config): Iterable<Conflict> {
  const lists: [string, string, readonly string[]][] = [
    ['mqtt.users', 'name', mqtt.users.map(user => user.name)],
    ['http.tokens', 'name', http.tokens.map(token => token.name)],
    ['http.tokens', 'token', http.tokens.map(token => token.token)],
    ['retention.rules', 'name', retention.rules.map(rule => rule.name)],
    ['rollup.rules', 'name', rollup.rules.map(rule => rule.name)]
  ]
  for (const [table, column, values] of lists) {
    const rows = new Map<string, number>()
    for (const [i, value] of values.entries()) {
      const first = rows.get(value)
      if (first !== undefined) {
        yield { key: `${table}[${i}].${column}`, why: `it is the same as that of ${table}[${first}]` }
      } else rows.set(value, i)
    }
  }
  for (const [i, topic] of ingest.topics.entries()) {
    if (Object.hasOwn(topic.labels, 'topic') && topic.topicLabel) {
      yield { key: `ingest.topics[${i}].labels`, why: 'the label topic always holds the whole topic' }
    }
  }
  for (const [i, rule] of ingest.precision.entries()) {
    if (rule.timeStep === null && rule.decimals === null) {
      yield { key: `ingest.precision[${i}]`, why: 'it must have time_step or decimals' }
    }
  }
}
