// Channels: who hears which, and the bridge to MQTT, where a channel is a topic of the same name.
//
// A message that a client publishes goes to RESP subscribers at once, and to the broker, which stores and delivers
// it as any other; a message from MQTT comes back through deliver(). A channel that is no topic (empty, with + or #,
// not UTF-8) is heard by RESP clients only.
// Invariants: a message is heard once a subscription, whichever way it came.
// Not here: the broker (the daemon joins them), the commands (pub-sub-commands.ts).
import type { Client } from './client.ts'
import { globMatches } from './glob.ts'
import type { Reply } from './reply.ts'

/** The broker's side of channels. */
export interface Topics {
  /**
   * Publishes to MQTT, unless the name is no topic. What it publishes is not handed to onMessage.
   * @returns the WAL group that the reply waits for; 0: none
   */
  publish(topic: string, payload: Uint8Array): number
  /** Told of every message that others publish, while `wanted()`. */
  onMessage(wanted: () => boolean, listener: (topic: string, payload: Uint8Array) => void): void
}

export class PubSub {
  private readonly topics: Topics | null
  private readonly channels = new Map<string, Set<Client>>()
  private readonly patterns = new Map<string, Set<Client>>()

  constructor(topics: Topics | null) {
    this.topics = topics
    topics?.onMessage(
      () => this.channels.size > 0 || this.patterns.size > 0,
      (topic, payload) => {
        this.deliver(Buffer.from(topic).toString('latin1'), payload)
      }
    )
  }

  /** To everybody. @returns RESP subscriptions that heard it, and the group to wait for */
  publish(channel: string, payload: Uint8Array): { heard: number; group: number } {
    const heard = this.deliver(channel, payload)
    const group = this.topics?.publish(Buffer.from(channel, 'latin1').toString(), payload) ?? 0
    return { heard, group }
  }

  /** To RESP subscribers. @returns how many subscriptions heard it */
  deliver(channel: string, payload: Uint8Array): number {
    let heard = 0
    for (const client of this.channels.get(channel) ?? []) {
      client.wire.aside(out => write(out, ['message', channel], payload))
      heard++
    }
    for (const [pattern, clients] of this.patterns) {
      if (!globMatches(pattern, channel)) continue
      for (const client of clients) {
        client.wire.aside(out => write(out, ['pmessage', pattern, channel], payload))
        heard++
      }
    }
    return heard
  }

  subscribe(client: Client, kind: 'channels' | 'patterns', name: string): void {
    const own = (client[kind] ??= new Set())
    own.add(name)
    const all = this[kind]
    const clients = all.get(name)
    if (clients === undefined) all.set(name, new Set([client]))
    else clients.add(client)
  }

  unsubscribe(client: Client, kind: 'channels' | 'patterns', name: string): void {
    client[kind]?.delete(name)
    const clients = this[kind].get(name)
    clients?.delete(client)
    if (clients?.size === 0) this[kind].delete(name)
  }

  forget(client: Client): void {
    for (const kind of ['channels', 'patterns'] as const) {
      for (const name of [...(client[kind] ?? [])]) this.unsubscribe(client, kind, name)
    }
  }

  /** Channels that somebody hears. */
  names(pattern: string): string[] {
    return [...this.channels.keys()].filter(name => globMatches(pattern, name))
  }

  count(channel: string): number {
    return this.channels.get(channel)?.size ?? 0
  }

  get patternCount(): number {
    return this.patterns.size
  }
}

function write(out: Reply, words: readonly string[], payload: Uint8Array): void {
  out.push(words.length + 1)
  for (const word of words) out.text(word)
  out.text(payload)
}
