// The configuration: every key of varve.toml, by section, and the type of what they are parsed to. The
// name of a property is the last part of its key in camel case; a number is in the unit its entry states
// (ms or bytes).
//
// Invariants: a section holds exactly the keys that begin with its name; no key is in two sections.
// Not here: what an entry is (entry.ts), reading (load.ts), rules across keys (check.ts).
import type { Entry, Parsed } from './entry.ts'
import { ingest, series } from './schema-ingest.ts'
import { http, mqtt } from './schema-network.ts'
import { clock, log } from './schema-process.ts'
import { query } from './schema-query.ts'
import { resp } from './schema-resp.ts'
import { ack, data, flash, memory, retention, rollup, schedule, wal } from './schema-store.ts'

/** Every section, in the order in which the documentation prints them. */
export const SECTIONS = {
  data,
  mqtt,
  http,
  resp,
  ack,
  memory,
  wal,
  flash,
  retention,
  rollup,
  schedule,
  ingest,
  series,
  query,
  clock,
  log
} as const

/** The whole configuration, checked and complete. Durations are in ms, sizes in bytes; null is the word for none. */
export type Config = { readonly [S in keyof typeof SECTIONS]: Parsed<(typeof SECTIONS)[S]> }

/** A row of [[mqtt.users]], [[http.tokens]], [[retention.rules]], [[rollup.tiers]], [[ingest.topics]]. */
export type UserRow = Config['mqtt']['users'][number]
export type TokenRow = Config['http']['tokens'][number]
export type RetentionRow = Config['retention']['rules'][number]
export type TierRow = Config['rollup']['tiers'][number]
export type TopicRow = Config['ingest']['topics'][number]

export interface Place {
  readonly section: string
  readonly property: string
  readonly entry: Entry<unknown>
}

/** Every key with where it goes in Config, in the order of the documentation. */
export const PLACES: ReadonlyMap<string, Place> = new Map(
  Object.entries(SECTIONS).flatMap(([section, entries]) =>
    Object.entries(entries as Readonly<Record<string, Entry<unknown>>>).map(
      ([property, entry]) => [entry.key, { section, property, entry }] as const
    )
  )
)
