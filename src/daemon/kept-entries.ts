// What the faces keep as entries of the store: retained messages, and messages that could not be stored.
//
//   retained entry    := namespace `mqtt.retained`, key topic; value := u8 version 1 | u8 qos
//                      | varint n | n bytes of MQTT 5 properties | payload
//   dead letter entry := namespace `ingest.dead`, key slot in decimal; value := CBOR map (DeadLetter)
// Example: qos 1, no properties, payload 2a = 01 01 00 2a
//
// Not here: what is retained when (broker/retained.ts), what is a dead letter (ingest/dead-letter.ts).
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import { decodeCbor, encodeCbor } from '../base/cbor.ts'
import { reason, VarveError } from '../base/errors.ts'
import type { RetainedMessage, RetainedStore } from '../broker/retained.ts'
import type { DeadLetter, DeadLetterStore } from '../ingest/dead-letter.ts'
import type { KvStore } from '../kv/store.ts'

const RETAINED = 'mqtt.retained'
const DEAD = 'ingest.dead'
const VERSION = 1
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Retained messages as entries: bit for bit, durable with their group. */
export class RetainedEntries implements RetainedStore {
  private readonly kv: KvStore
  private readonly onDamage: (error: VarveError) => void

  constructor(kv: KvStore, onDamage: (error: VarveError) => void) {
    this.kv = kv
    this.onDamage = onDamage
  }

  *load(): Iterable<RetainedMessage> {
    for (const { key, value } of this.kv.scan(RETAINED)) {
      try {
        yield { topic: utf8.decode(key), ...decodeRetained(value) }
      } catch (error) {
        this.onDamage(new VarveError('VARVE_RETAINED', `Cannot read retained message: ${reason(error)}`))
      }
    }
  }

  put(message: RetainedMessage): number {
    return this.kv.put(RETAINED, message.topic, encodeRetained(message))
  }

  delete(topic: string): number {
    return this.kv.delete(RETAINED, topic)
  }
}

export function encodeRetained({ qos, properties, payload }: Omit<RetainedMessage, 'topic'>): Uint8Array {
  const out = new ByteWriter(payload.length + 16)
  out.u8(VERSION)
  out.u8(qos)
  out.varint(properties?.length ?? 0)
  if (properties !== null) out.raw(properties)
  out.raw(payload)
  return out.copy()
}

/** @throws {VarveError} VARVE_TRUNCATED, VARVE_RETAINED when the bytes are no retained entry */
export function decodeRetained(value: Uint8Array): Omit<RetainedMessage, 'topic'> {
  const from = new ByteReader(value)
  const version = from.u8()
  const qos = from.u8()
  if (version !== VERSION || qos > 2) {
    throw new VarveError('VARVE_RETAINED', `Cannot read retained entry: version ${version}, qos ${qos}`)
  }
  const length = from.varint()
  const properties = length === 0 ? null : from.raw(length).slice()
  return { qos: qos as 0 | 1 | 2, properties, payload: from.raw(from.left).slice() }
}

/** Dead letters as entries of a ring; nobody waits for their sync. */
export class DeadLetterEntries implements DeadLetterStore {
  private readonly kv: KvStore
  private readonly onError: (error: unknown) => void

  constructor(kv: KvStore, onError: (error: unknown) => void) {
    this.kv = kv
    this.onError = onError
  }

  put(slot: number, letter: DeadLetter): void {
    try {
      this.kv.put(DEAD, String(slot), encodeCbor(letter), { urgency: 0 })
    } catch (error) {
      // A store that refuses rows refuses letters too; the letter stays in memory and in the counts.
      this.onError(error)
    }
  }

  /** The letters of earlier runs. */
  *stored(): Iterable<DeadLetter> {
    for (const { value } of this.kv.scan(DEAD)) {
      try {
        yield decodeCbor(value) as DeadLetter
      } catch (error) {
        this.onError(error)
      }
    }
  }
}
