// Packs the bundle into one executable per architecture, and each executable into a .deb.
//
//   node scripts/package.ts [--only x64|arm64] [--no-deb]
//
// pkg --sea puts a launcher into Node's own binary (single executable application); the bundle follows behind
// it with V8's notes of it, which make it start fast (launcher.ts, code-cache.ts). Where pkg would
// download that binary it finds ours: the pinned node-linux-* packages of npm, whose sha512 the lock file
// holds, stripped (150 to 116 MB). HOME is .cache for that call, so nothing outside the repository is read
// or written. The architecture of this machine is the one that npm ci installed and verified; the other is
// fetched by `npm pack` and verified here.
//
// Invariants: nothing that does not match the lock file is packed; a half-made executable never has its
// final name. Not here: the bundle (build.ts), the .deb (deb.ts).

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync
} from 'node:fs'
import { basename, join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { type Bundle, buildBundle, buildScript, calling, root } from './build.ts'
import { makeNotes, sourceOf } from './code-cache.ts'
import { buildDeb } from './deb.ts'
import { type PieceName, tailOf } from './launcher.ts'

export const architectures = ['x64', 'arm64'] as const
export type Architecture = (typeof architectures)[number]

const cache = join(root, '.cache')
const strippers: Readonly<Record<Architecture, string>> =
  process.arch === 'arm64'
    ? { x64: 'x86_64-linux-gnu-strip', arm64: 'strip' }
    : { x64: 'strip', arm64: 'aarch64-linux-gnu-strip' }

interface Locked {
  readonly version: string
  readonly integrity: string
}

function locked(architecture: Architecture): Locked {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  const entry: Locked | undefined = lock.packages[`node_modules/node-linux-${architecture}`]
  if (entry === undefined) throw new Error(`Cannot pack for ${architecture}: not in package-lock.json`)
  return entry
}

/** @throws when the bytes are not what the lock file promises */
export function checkIntegrity(name: string, bytes: Uint8Array, integrity: string): void {
  const found = `sha512-${createHash('sha512').update(bytes).digest('base64')}`
  if (found !== integrity)
    throw new Error(`Cannot use ${name}: its hash is ${found}, the lock file says ${integrity}`)
}

/** The directory that holds bin/node for an architecture, from node_modules or from a verified tarball. */
function nodeBinary(architecture: Architecture, { version, integrity }: Locked): string {
  const installed = join(root, 'node_modules', `node-linux-${architecture}`)
  if (existsSync(join(installed, 'bin/node'))) {
    const found: string = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')).version
    if (found !== version)
      throw new Error(
        `Cannot pack for ${architecture}: ${found} is installed, ${version} is locked; run npm ci`
      )
    return join(installed, 'bin/node')
  }
  const into = join(cache, `node-linux-${architecture}-${version}`)
  const tarball = join(cache, `node-linux-${architecture}-${version}.tgz`)
  if (!existsSync(tarball)) {
    execFileSync(
      'npm',
      ['pack', '--silent', '--pack-destination', cache, `node-linux-${architecture}@${version}`],
      {
        stdio: ['ignore', 'ignore', 'inherit']
      }
    )
  }
  checkIntegrity(basename(tarball), readFileSync(tarball), integrity)
  rmSync(into, { recursive: true, force: true })
  mkdirSync(into, { recursive: true })
  execFileSync('tar', ['-xzf', tarball, '-C', into, '--strip-components=1', 'package/bin/node'])
  return join(into, 'bin/node')
}

/** Puts the stripped binary where pkg looks before it downloads; returns its path. */
function placeBase(architecture: Architecture): string {
  const lock = locked(architecture)
  const name = `node-v${lock.version}-linux-${architecture}`
  const home = join(cache, '.pkg-cache', 'sea')
  const file = join(home, name, 'bin', 'node')
  const stamp = join(home, name, 'integrity')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock.integrity) return file
  mkdirSync(join(home, name, 'bin'), { recursive: true })
  rmSync(file, { force: true })
  copyFileSync(nodeBinary(architecture, lock), file)
  execFileSync(strippers[architecture], [file], { stdio: 'inherit' })
  for (const mark of [`${file}.ok`, join(home, `${name}.tar.gz`), join(home, `${name}.tar.gz.ok`)])
    writeFileSync(mark, '')
  writeFileSync(stamp, lock.integrity)
  return file
}

/** How this machine runs a node of an architecture: itself, or Debian's emulator and libraries; null: it cannot. */
function commandOf(architecture: Architecture, node: string): string[] | null {
  if (architecture === process.arch) return [node]
  const machine = { arm64: 'aarch64', x64: 'x86_64' }[architecture]
  const [emulator, libraries] = [`/usr/bin/qemu-${machine}-static`, `/usr/${machine}-linux-gnu`]
  return existsSync(emulator) && existsSync(libraries) ? [emulator, '-L', libraries, node] : null
}

/** Puts the bundles and V8's notes of them behind what pkg made (launcher.ts says how). */
function appendBundles(architecture: Architecture, executable: string, node: string, packed: Packed): void {
  const command = commandOf(architecture, node)
  if (command === null) console.log(`${architecture}: no emulator here, so it starts without notes (slower)`)
  const none = { main: Buffer.alloc(0), worker: Buffer.alloc(0) }
  const notes = command === null ? none : makeNotes(command, packed.warmUp, packed.bundle)
  const piece = (name: PieceName) => ({
    source: ascii(sourceOf(readFileSync(packed.bundle[name], 'utf8'))),
    notes: notes[name]
  })
  appendFileSync(executable, tailOf({ main: piece('main'), worker: piece('worker') }))
}

/** Anything else would take twice the memory, and not be read back as it was. */
function ascii(source: string): string {
  const at = source.search(/[^\0-\x7f]/)
  if (at >= 0) throw new Error(`Cannot pack a bundle that is not ASCII: ${source.slice(at - 40, at + 40)}`)
  return source
}

/** Makes dist/varve-linux-<architecture>; returns its path. */
function buildExecutable(architecture: Architecture, packed: Packed): string {
  const final = join(root, 'dist', `varve-linux-${architecture}`)
  const making = join(root, 'dist', `making-${architecture}`)
  const target = `node${locked(architecture).version}-linux-${architecture}`
  const node = placeBase(architecture)
  const pkg = join(root, 'node_modules/.bin/pkg')
  const output = execFileSync(pkg, ['--sea', '--targets', target, '--output', making, packed.launcher], {
    cwd: root,
    env: { ...process.env, HOME: cache },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit']
  })
  if (!existsSync(making))
    throw new Error(`Cannot pack for ${architecture}: pkg made no file; it said\n${output}`)
  appendBundles(architecture, making, node, packed)
  renameSync(making, final)
  return final
}

/** What is packed: the bundles, and scripts in dist. */
interface Packed {
  readonly bundle: Bundle
  readonly launcher: string
  readonly warmUp: string
}

function printSize(file: string): void {
  console.log(`${relative(root, file)}: ${(statSync(file).size / 1e6).toFixed(1)} MB`)
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { only: { type: 'string' }, 'no-deb': { type: 'boolean' } } })
  const wanted = architectures.filter(name => values.only === undefined || values.only === name)
  if (wanted.length === 0)
    throw new Error(`Cannot pack for ${values.only}: know ${architectures.join(' and ')}`)
  mkdirSync(cache, { recursive: true })
  const bundle = await buildBundle()
  printSize(bundle.main)
  printSize(bundle.worker)
  const launcher = await buildScript('launcher', calling('launcher', 'launch'))
  const warmUp = await buildScript('warm-up', calling('code-cache', 'main'))
  for (const architecture of wanted) {
    const executable = buildExecutable(architecture, { bundle, launcher, warmUp })
    printSize(executable)
    if (!values['no-deb']) printSize(buildDeb(architecture, executable, bundle.packages))
  }
}

if (import.meta.main) await main()
