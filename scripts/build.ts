// Bundles the daemon into one CommonJS file, dist/varve.cjs, which package.ts packs into the executable. Run as a program
// it also makes dist/npm, the package of the embedded store (build-embedded.ts).
//
//   node scripts/build.ts
//
// The bundle has no files beside it, so the worker's source, src/daemon/worker.ts bundled by itself, is put
// in as the constant string __VARVE_WORKER__. When Node runs the sources directly there is no such name.
// Whoever starts workers writes
//
//   declare const __VARVE_WORKER__: string | undefined
//   typeof __VARVE_WORKER__ === 'string'
//     ? new Worker(__VARVE_WORKER__, { eval: true })
//     : new Worker(new URL('../daemon/worker.ts', import.meta.url))
//
// The text is a module of the bundle, so several uses hold it once. No entry may have a top-level await
// (CommonJS has none). The version needs nothing: an import of package.json is bundled as it stands.
//
// `debug`, which aedes and others call for each packet, is replaced by a function that does nothing: with
// small writes combined this took aedes from 213 k to 396 k messages/s (the trace costs even when off).
// Not here: packing (package.ts).

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
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

/** What a bundle came to. */
export interface Bundle {
  readonly file: string
  readonly bytes: number
  /** The text of the threads' bundle, which is in the file too. */
  readonly worker: string
  /** Names of the npm packages whose code is inside, for their licences. */
  readonly packages: readonly string[]
}

export function version(): string {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version
}

/** Makes the worker's source known by name to every module of a bundle. */
function workerSource(text: string): Plugin {
  return {
    name: 'worker-source',
    setup(build) {
      build.onResolve({ filter: /^varve:worker$/ }, () => ({ path: 'worker', namespace: 'varve' }))
      build.onLoad({ filter: /.*/, namespace: 'varve' }, () => ({
        contents: `export const __VARVE_WORKER__ = ${JSON.stringify(text)}`,
        loader: 'js'
      }))
    }
  }
}

/** Bundles one entry; returns its text and the packages in it. */
async function bundle(entry: string, worker?: string) {
  const result = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node26',
    external: externals,
    inject: worker === undefined ? [] : ['varve:worker'],
    define: { 'import.meta.url': '"file:///varve.cjs"', 'import.meta.dirname': '"/"' },
    plugins: worker === undefined ? [silentDebug] : [silentDebug, workerSource(worker)],
    minifySyntax: true,
    // Comments are a third of it, and the only thing in it that is not ASCII: one byte a character in memory.
    minifyWhitespace: true,
    legalComments: 'none',
    metafile: true,
    write: false,
    logLevel: 'warning'
  })
  const packages = Object.keys(result.metafile.inputs).flatMap(
    path => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []
  )
  return { text: result.outputFiles[0]!.text, packages }
}

/** Writes dist/varve.cjs. @throws what esbuild says when a file is missing or wrong */
export async function buildBundle(): Promise<Bundle> {
  const worker = await bundle('src/daemon/worker.ts')
  const main = await bundle('src/main.ts', worker.text)
  const file = join(root, 'dist', 'varve.cjs')
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, main.text)
  return {
    file,
    bytes: Buffer.byteLength(main.text),
    worker: worker.text,
    packages: [...new Set([...main.packages, ...worker.packages])].sort()
  }
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
  const { file, bytes, worker, packages } = await buildBundle()
  const kib = (n: number) => `${(n / 1024).toFixed(0)} KiB`
  console.log(`${relative(root, file)}: ${kib(bytes)}, of it the worker ${kib(Buffer.byteLength(worker))}`)
  console.log(`packages inside: ${packages.join(' ')}`)
  await buildEmbedded(join(root, 'dist', 'npm'))
  console.log('dist/npm: the embedded store; npm pack ./dist/npm')
}
