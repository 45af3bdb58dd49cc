// What was written to the entries of a store, in order, and the judgement on what is found after a cut: the
// state after some prefix of the writes that holds, at least, all that was acknowledged. A batch is one write:
// whole or not there. Every value is found with its version and its expiry, in order of its key.
import { Buffer } from 'node:buffer'
import type { Entry } from '../../src/kv/entry.ts'
import type { KvStore } from '../../src/kv/store.ts'
import type { Found } from './sent-rows.ts'
import { fitPrefix, type Verdict } from './verdict.ts'

export interface EntryWrite {
  readonly ns: string
  readonly key: string
  /** null: a delete. */
  readonly value: Uint8Array | null
  readonly expiresUs: number
}

interface SentEntry {
  readonly place: string
  readonly expiresUs: number
  /** Version, expiry and bytes; null: nothing is there. */
  readonly text: string | null
}

export class SentEntries {
  /** So many batches, from the first, are acknowledged. */
  acknowledged = 0
  /** Counts the lives that were judged. */
  life = 0
  /** No write before had a greater version. */
  versionMax = 0
  private batches: (readonly SentEntry[])[] = []

  get count(): number {
    return this.batches.length
  }

  /** @param version  of the last of them; those before have the versions before */
  add(writes: readonly EntryWrite[], version: number): void {
    this.versionMax = Math.max(this.versionMax, version)
    const first = version - writes.length + 1
    this.batches.push(
      writes.map(({ ns, key, value, expiresUs }, i) => ({
        place: placeOf(ns, key),
        expiresUs,
        text: value === null ? null : textOf(first + i, expiresUs, value)
      }))
    )
  }

  /** @param life  in which it was sent: one that has ended tells nobody any more */
  acknowledge(batches: number, life = this.life): void {
    if (life === this.life) this.acknowledged = Math.max(this.acknowledged, batches)
  }

  copy(): SentEntries {
    const copy = new SentEntries()
    copy.batches = [...this.batches]
    copy.acknowledged = this.acknowledged
    copy.versionMax = this.versionMax
    return copy
  }

  /** Whether this was ever written at this place. */
  wasWritten(place: string, text: string): boolean {
    return this.batches.some(batch => batch.some(entry => entry.place === place && entry.text === text))
  }

  /** Judges what was found at a time, and takes the found prefix for all that was ever written. */
  judge(found: Found, nowUs: number, verdict: Verdict): void {
    const writes = this.batches.map(batch =>
      batch.map(({ place, text, expiresUs }) => {
        const isVisible = expiresUs === 0 || nowUs < expiresUs
        return [place, isVisible ? text : null] as const
      })
    )
    for (let i = 0; i < this.acknowledged; i++) verdict.entries += writes[i]!.length
    const prefix = fitPrefix(writes, this.acknowledged, found, verdict)
    this.life++
    if (prefix < 0) return
    this.batches.length = prefix
    this.acknowledged = prefix
  }
}

/** Everything in some namespaces; says what is out of order, or differs between the ways to read it. */
export function readEntries(kv: KvStore, namespaces: readonly string[], verdict: Verdict): Found {
  const found: Found = new Map()
  for (const ns of namespaces) {
    const up = [...kv.scan(ns)]
    const down = [...kv.scan(ns, { reverse: true })].reverse()
    if (up.length !== down.length) verdict.wrong(`${up.length} entries of ${ns} upwards, ${down.length} down`)
    for (const [i, entry] of up.entries()) {
      if (i > 0 && up[i - 1]!.stored >= entry.stored)
        verdict.wrong(`${entry.keyText} of ${ns} is out of order`)
      const text = textOfEntry(entry)
      const again = kv.get(ns, entry.key)
      for (const other of [again, down[i]]) {
        if (other === undefined || textOfEntry(other) !== text)
          verdict.wrong(`${entry.keyText} of ${ns} reads in two ways`)
      }
      found.set(placeOf(ns, entry.keyText), text)
    }
  }
  return found
}

function textOfEntry({ version, expiresUs, value }: Entry): string {
  return textOf(version, expiresUs, value)
}

function placeOf(ns: string, key: string): string {
  return `${ns}/${key}`
}

function textOf(version: number, expiresUs: number, value: Uint8Array): string {
  return `${version} ${expiresUs} ${Buffer.from(value).toString('latin1')}`
}
