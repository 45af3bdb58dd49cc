// Which folder of src may import which, and which file owns which package. The tables are the design:
// whoever changes one argues it in src/README.md.

import { codeOf, importsOf, resolveImport, type Source } from './source.ts'

const everything =
  'base disk engine backup kv series offload transfer query ingest broker http resp rollup schedule config promql influxql bridge console'

/** Folder → folders that it may import, beside itself. `disk:types` allows `import type` only. */
export const layers: Readonly<Record<string, string>> = {
  base: '',
  console: '',
  disk: 'base',
  engine: 'base disk',
  backup: 'base disk engine',
  kv: 'base engine disk:types',
  series: 'base engine disk:types',
  offload: 'base engine series disk:types',
  query: 'base promql influxql series transfer',
  ingest: 'base series',
  transfer: 'base series ingest',
  broker: 'base kv',
  http: 'base kv series ingest query transfer console',
  resp: 'base kv series ingest query console',
  rollup: 'base engine kv series disk:types',
  bridge: 'base kv series',
  schedule: 'base',
  config: 'base schedule',
  promql: 'base',
  influxql: 'base',
  embedded: 'base disk engine kv offload',
  daemon: everything,
  cli: 'base disk engine series transfer config daemon',
  'main.ts': 'cli',
  'index.ts': 'base kv embedded'
}

/** Package, built-in module or global → paths below src, or their beginnings, that may use it. */
export const owners: Readonly<Record<string, readonly string[]>> = {
  aedes: ['broker/handshakes.ts'],
  'mqtt-packet': ['broker/handshakes.ts'],
  re2js: ['series/regex.ts'],
  ws: ['broker/'],
  hyparquet: ['transfer/parquet-read.ts', 'transfer/parquet-pages.ts'],
  'hyparquet-writer': ['transfer/parquet-write.ts'],
  mqtt: ['bridge/upstream.ts'],
  'node-cron': ['schedule/cron.ts'],
  'cbor-x': ['base/cbor'],
  '@prometheus-io/lezer-promql': ['promql/parse.ts'],
  '@lezer/common': ['promql/'],
  '@lezer/lr': ['promql/'],
  '@lezer/highlight': ['promql/'],
  pbf: ['ingest/remote-write.ts', 'ingest/protobuf.ts', 'query/promql/remote-read.ts'],
  pino: ['base/log.ts'],
  'prom-client': ['base/metrics.ts'],
  fastify: ['http/server.ts'],
  zod: ['config/'],
  'smol-toml': ['config/'],
  commander: ['cli/args.ts'],
  'simple-ascii-chart': ['cli/chart.ts'],
  'node:fs': ['disk/', 'cli/', 'daemon/'],
  'node:fs/promises': ['disk/', 'cli/', 'daemon/'],
  'node:worker_threads': ['offload/', 'daemon/worker.ts', 'embedded/job-worker.ts'],
  'node:v8': ['daemon/heap.ts'],
  'node:child_process': ['daemon/notify.ts', 'daemon/clock-source.ts'],
  'Date.now': ['base/clock.ts'],
  'performance.now': ['base/clock.ts'],
  'Math.random': ['base/random.ts']
}

const globals = ['Date.now', 'performance.now', 'Math.random'] as const

function folderOf(path: string): string {
  return path.split('/')[1]!
}

/** Violations of the layer table. Anything but src (test, scripts) may import what it likes; src never it. */
export function layerFaults(sources: readonly Source[]): string[] {
  const faults: string[] = []
  for (const source of sources.filter(({ path }) => path.startsWith('src/'))) {
    const folder = folderOf(source.path)
    const allowed = layers[folder]?.split(' ')
    if (allowed === undefined) faults.push(`${source.path}: src/${folder} is in no layer`)
    for (const { target, typeOnly } of importsOf(source)) {
      if (!target.startsWith('.')) continue
      const path = resolveImport(source.path, target)
      const to = folderOf(path)
      // The version has one home.
      if (path === 'package.json') continue
      if (!path.startsWith('src/')) faults.push(`${source.path} imports ${path}, which is not in src`)
      else if (to === folder || allowed?.includes(to)) continue
      else if (typeOnly && allowed?.includes(`${to}:types`)) continue
      // The worker entry is named by a URL, not imported: offload starts what daemon wires.
      else if (path === 'src/daemon/worker.ts' && folder === 'offload') continue
      else faults.push(`${source.path} imports ${path}: ${folder} may import ${layers[folder] || 'nothing'}`)
    }
  }
  return faults
}

function mayUse(path: string, name: string): boolean {
  return owners[name]!.some(owner => path.startsWith(`src/${owner}`))
}

/** Packages used by others than their owner, and npm packages that have none. */
export function ownerFaults(sources: readonly Source[]): string[] {
  const faults: string[] = []
  for (const source of sources.filter(({ path }) => path.startsWith('src/'))) {
    for (const { target } of importsOf(source)) {
      if (target.startsWith('.')) continue
      const name = target.startsWith('node:') ? target : /^(?:@[^/]+\/)?[^/]+/.exec(target)![0]
      if (owners[name] === undefined) {
        if (!target.startsWith('node:')) faults.push(`${source.path} imports ${name}, which has no owner`)
      } else if (!mayUse(source.path, name)) {
        faults.push(`${source.path} imports ${name}, owned by ${owners[name].join(', ') || 'nobody'}`)
      }
    }
    const code = codeOf(source.text)
    for (const name of globals) {
      if (code.includes(`${name}(`) && !mayUse(source.path, name)) {
        faults.push(`${source.path} calls ${name}, owned by ${owners[name]!.join(', ')}`)
      }
    }
  }
  return faults
}
