// Bundles the daemon into two CommonJS files, dist/varve.cjs and what its threads run, dist/varve-worker.cjs, which
// package.ts packs into the executable. Run as a program it also makes dist/npm, the package of the embedded store
// (build-embedded.ts).
//
//   node scripts/build.ts
//
// In the executable there are no files beside the bundle. So what starts a thread is a text, which is put in as the
// constant string __VARVE_WORKER__: a few lines that find the threads' bundle in the executable (launcher.ts), and
// not that bundle, which would be held twice. When Node runs the sources directly there is no such name. Whoever
// starts workers writes
//
//   declare const __VARVE_WORKER__: string | undefined
//   typeof __VARVE_WORKER__ === 'string'
//     ? new Worker(__VARVE_WORKER__, { eval: true })
//     : new Worker(new URL('../daemon/worker.ts', import.meta.url))
//
// No entry may have a top-level await (CommonJS has none). The version needs nothing: an import of package.json is
// bundled as it stands.
//
// `debug`, which aedes and others call for each packet, is replaced by a function that does nothing: with
// small writes combined this took aedes from 213 k to 396 k messages/s (the trace costs even when off).
// Not here: packing (package.ts).

import { readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { buildEmbedded } from './build-embedded.ts'

export const root = join(import.meta.dirname, '..')

/** Native add-ons that their owners load if they are there; the executable has none of them. */
const externals = ['cbor-extract', 'bufferutil', 'utf-8-validate']

const silentDebug: Plugin = {
  name: 'silent-debug',
  setup(build) {
    build.onResolve({ filter: /^debug$/ }, () => ({ path: 'debug', namespace: 'silent' }))
    build.onLoad({ filter: /.*/, namespace: 'silent' }, () => ({
      contents: `
        const silent = () => {}
        silent.enabled = false
        silent.extend = () => silent
        const make = () => silent
        module.exports = Object.assign(make, { debug: make, default: make, enabled: () => false, enable() {}, disable: () => '', names: [], skips: [], formatters: {} })`,
      loader: 'js'
    }))
  }
}

/** The files of the bundles. */
export interface Bundle {
  readonly main: string
  /** The bundle of the threads. */
  readonly worker: string
  /** Names of the npm packages whose code is inside, for their licences. */
  readonly packages: readonly string[]
}

export function version(): string {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version
}

/** Makes the text that starts a thread known by name to every module of a bundle. */
function workerStart(text: string): Plugin {
  return {
    name: 'worker-start',
    setup(build) {
      build.onResolve({ filter: /^varve:worker$/ }, () => ({ path: 'worker', namespace: 'varve' }))
      build.onLoad({ filter: /.*/, namespace: 'varve' }, () => ({
        contents: `export const __VARVE_WORKER__ = ${JSON.stringify(text)}`,
        loader: 'js'
      }))
    }
  }
}

/** Bundles one entry into dist; returns its file and the packages in it. @param worker  the text that starts a thread */
async function bundle(name: string, entry: string, worker?: string) {
  const file = join(root, 'dist', `${name}.cjs`)
  const result = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: file,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node26',
    external: externals,
    inject: worker === undefined ? [] : ['varve:worker'],
    define: { 'import.meta.url': '"file:///varve.cjs"', 'import.meta.dirname': '"/"' },
    plugins: worker === undefined ? [silentDebug] : [silentDebug, workerStart(worker)],
    minifySyntax: true,
    // Comments are a third of it, and the only thing in it that is not ASCII: one byte a character in memory.
    minifyWhitespace: true,
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning'
  })
  const packages = Object.keys(result.metafile.inputs).flatMap(
    path => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []
  )
  return { file, packages }
}

/** Writes the bundles. @throws what esbuild says when a file is missing or wrong */
export async function buildBundle(): Promise<Bundle> {
  const start = await buildScript('worker-launcher', calling('launcher', 'launchWorker'))
  const worker = await bundle('varve-worker', 'src/daemon/worker.ts')
  const main = await bundle('varve', 'src/main.ts', readFileSync(start, 'utf8'))
  return {
    main: main.file,
    worker: worker.file,
    packages: [...new Set([...main.packages, ...worker.packages])].sort()
  }
}

/** A script that calls a function of a file that lies here. */
export function calling(file: string, name: string): string {
  return `import { ${name} } from './${file}.ts'\n${name}()`
}

/** Bundles a small script of the packing itself that calls one function; returns its path in dist. */
export async function buildScript(name: string, text: string): Promise<string> {
  const outfile = join(root, 'dist', `${name}.cjs`)
  await build({
    stdin: { contents: text, resolveDir: import.meta.dirname, loader: 'ts' },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node26',
    logLevel: 'warning'
  })
  return outfile
}

if (import.meta.main) {
  const { main, worker, packages } = await buildBundle()
  for (const file of [main, worker])
    console.log(`${relative(root, file)}: ${(statSync(file).size / 1024).toFixed(0)} KiB`)
  console.log(`packages inside: ${packages.join(' ')}`)
  await buildEmbedded(join(root, 'dist', 'npm'))
  console.log('dist/npm: the embedded store; npm pack ./dist/npm')
}
