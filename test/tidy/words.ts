// One word, one idea: names in src keep to the glossary. Only words that the glossary bans and that have no
// second, rightful sense in this program are checked; where an outside protocol brings its own word (Influx
// has measurements and tags), its files are excused by name.

import { codeOf, type Source } from './source.ts'

/** Banned word → the word to use. */
export const banned: Readonly<Record<string, string>> = {
  timeseries: 'series',
  datapoint: 'sample',
  measurement: 'name of a group',
  dimension: 'label',
  attribute: 'label',
  subject: 'topic',
  document: 'entry',
  transaction: 'batch',
  bulk: 'batch',
  journal: 'WAL',
  commitlog: 'WAL',
  blob: 'chunk',
  sstable: 'segment',
  partition: 'bucket',
  shard: 'bucket',
  superblock: 'manifest',
  registry: 'catalog',
  persist: 'sync',
  spill: 'flush',
  savepoint: 'checkpoint',
  vacuum: 'compaction',
  purge: 'drop',
  evict: 'drop',
  prune: 'drop',
  downsample: 'rollup',
  mutex: 'lease',
  spool: 'outbox',
  heal: 'repair',
  defrag: 'compaction'
}

/** Beginning of a path below src → words that its outside protocol or library brings along. */
export const excused: Readonly<Record<string, readonly string[]>> = {
  'ingest/line-': ['measurement'],
  'http/influx': ['measurement'],
  'influxql/': ['measurement'],
  'query/influxql/': ['measurement', 'dimension'],
  // journald, the log of systemd.
  'base/log': ['journal'],
  'cli/commands/serve': ['journal'],
  // prom-client's own word for its set of metrics.
  'base/metrics': ['registry']
}

/** Words of a name: "walFileBytes" is wal, file, bytes. */
function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .split(/[\s_$]+/)
    .map(word => word.toLowerCase().replace(/s$/, ''))
}

/** Banned words in names that a source makes or uses; what follows a dot is somebody else's name. */
export function wordFaults(sources: readonly Source[]): string[] {
  const faults = new Set<string>()
  for (const { path, text } of sources.filter(({ path }) => path.startsWith('src/'))) {
    const allowed = Object.entries(excused).flatMap(([start, words]) =>
      path.startsWith(`src/${start}`) ? words : []
    )
    const names = [...codeOf(text).matchAll(/(?<![.\w$])[A-Za-z_$][\w$]*/g)].map(match => match[0])
    for (const name of [...names, path.replace(/.*\//, '').replace(/\.ts$/, '').replaceAll('-', '_')]) {
      for (const word of wordsOf(name)) {
        const instead = Object.hasOwn(banned, word) ? banned[word] : undefined
        if (instead !== undefined && !allowed.includes(word)) {
          faults.add(`${path}: ${name} says ${word}; the word is ${instead}`)
        }
      }
    }
  }
  return [...faults]
}
