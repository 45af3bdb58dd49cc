// Makes the package that a program installs to `import { open } from 'varve'`: the embedded store alone, as JavaScript
// with declarations, since Node refuses to strip types below node_modules. It needs no other package: what it uses
// is inside.
//
//   npm run build && npm pack ./dist/npm        varve-VERSION.tgz
//
//   index.js              the store                    job-worker.js         its threads, which index.js starts by its name
//   types/                declarations                 README.md             src/embedded/README.md
//
// A package of its own, not this repository packed: that would bring everything the daemon depends on, and two runtimes.
// Not here: the daemon's bundle (build.ts).

import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'

const root = join(import.meta.dirname, '..')
/** The first with `await using`. */
const NODE_MIN = 24

interface OwnPackage {
  readonly version: string
  readonly description: string
  readonly license: string
}

/** Writes the package into a directory. @throws what esbuild and tsc say when a file is wrong */
export async function buildEmbedded(dir: string): Promise<void> {
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir, { recursive: true })
  await build({
    absWorkingDir: root,
    entryPoints: ['src/index.ts', 'src/embedded/job-worker.ts'],
    entryNames: '[name]',
    outdir: dir,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: `node${NODE_MIN}`,
    // cbor-x loads it if it is there.
    external: ['cbor-extract'],
    legalComments: 'inline',
    logLevel: 'warning'
  })
  declare(dir)
  copyFileSync(join(root, 'src/embedded/README.md'), join(dir, 'README.md'))
  copyFileSync(join(root, 'LICENSE'), join(dir, 'LICENSE'))
  writeFileSync(join(dir, 'package.json'), `${JSON.stringify(manifest(), null, 2)}\n`)
}

/** Declarations of everything that src/index.ts reaches. */
function declare(dir: string): void {
  const types = join(dir, 'types')
  const config = join(dir, 'tsconfig.json')
  const options = {
    extends: join(root, 'tsconfig.json'),
    files: [join(root, 'src/index.ts')],
    include: [],
    compilerOptions: {
      ...{
        noEmit: false,
        emitDeclarationOnly: true,
        declaration: true,
        rewriteRelativeImportExtensions: true
      },
      ...{ rootDir: join(root, 'src'), outDir: types, typeRoots: [join(root, 'node_modules/@types')] }
    }
  }
  writeFileSync(config, JSON.stringify(options))
  // Test runners put loaders into NODE_OPTIONS, which tsc cannot be loaded through.
  const command = ['-u', 'NODE_OPTIONS', join(root, 'node_modules/.bin/tsc'), '-p', config]
  const tsc = spawnSync('env', command, { encoding: 'utf8' })
  if (tsc.status !== 0)
    throw new Error(`Cannot make declarations: ${tsc.error?.message ?? tsc.stdout + tsc.stderr}`)
  rmSync(config)
  for (const name of readdirSync(types, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.d.ts')) continue
    const file = join(types, name)
    writeFileSync(file, readFileSync(file, 'utf8').replace(/(['"]\.{1,2}\/[^'"]+)\.ts(['"])/g, '$1.js$2'))
  }
}

function manifest() {
  const { version, description, license } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8')
  ) as OwnPackage
  return {
    name: 'varve',
    ...{ version, description, license },
    private: true,
    type: 'module',
    engines: { node: `>=${NODE_MIN}` },
    exports: {
      '.': { types: './types/index.d.ts', default: './index.js' },
      './package.json': './package.json'
    }
  }
}
