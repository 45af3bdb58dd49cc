// The main script of the executable: a few lines that start the bundle with what V8 made of it when it was
// packed (code-cache.ts). Reading 4 MB of source takes V8 longer than everything else until a socket listens;
// with its own notes it compiles next to nothing. The same for the bundle of the threads: the first query
// does not wait until V8 has read a megabyte.
//
//   executable := what pkg made | piece main | piece worker | lengths | "VRVX"
//   piece      := source | notes
//   lengths    := (u32 source bytes | u32 notes bytes) of each piece                   little-endian
//
// Invariants: notes that do not fit this V8 are ignored by it: the start is slower then, and nothing else; V8 takes
// notes only under the flags they were made with, so the daemon's are set before it reads them.
// Not here: who puts the pieces together (package.ts). This file is bundled by itself, with next to nothing.
import fs from 'node:fs'
import vm from 'node:vm'
import { boundHeaps } from '../src/daemon/heap.ts'

declare const require: NodeJS.Require
declare const module: NodeJS.Module

/** A bundle and V8's notes of it; without any they are empty. */
export interface Piece {
  readonly source: string
  readonly notes: Buffer
}

/** In the order in which they lie in an executable. */
export const PIECES = ['main', 'worker'] as const
export type PieceName = (typeof PIECES)[number]

const TAIL_MAGIC = 'VRVX'
const LENGTHS_BYTES = PIECES.length * 8
const TAIL_BYTES = LENGTHS_BYTES + TAIL_MAGIC.length
const SELF = '/proc/self/exe'

/** Names in stack traces; part of what notes are checked against. */
const NAMES: Readonly<Record<PieceName, string>> = { main: 'varve.cjs', worker: 'varve-worker.cjs' }

/**
 * A bundle as a classic script. Its top-level names are globals, which V8 compiles into code as the constants that
 * they are; as variables of a function, the usual form of a CommonJS module, they are loaded and checked at each
 * use: questions to 20 M samples took 1.3 to 1.5 times as long.
 */
export function scriptOf(name: PieceName, { source, notes }: Piece): vm.Script {
  boundHeaps()
  return new vm.Script(source, {
    filename: NAMES[name],
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(notes.length === 0 ? {} : { cachedData: notes })
  })
}

/** Runs a bundle as the main module of this process or thread. */
export function runScript(name: PieceName, script: vm.Script, required: NodeJS.Require = require): void {
  const { exports } = module
  Object.assign(globalThis, { exports, require: required, module, __filename: NAMES[name], __dirname: '/' })
  script.runInThisContext()
}

/** What follows a bare executable. */
export function tailOf(pieces: Readonly<Record<PieceName, Piece>>): Buffer {
  const lengths = Buffer.alloc(LENGTHS_BYTES)
  const parts = PIECES.flatMap((name, i) => {
    const source = Buffer.from(pieces[name].source, 'latin1')
    lengths.writeUInt32LE(source.length, i * 8)
    lengths.writeUInt32LE(pieces[name].notes.length, i * 8 + 4)
    return [source, pieces[name].notes]
  })
  return Buffer.concat([...parts, lengths, Buffer.from(TAIL_MAGIC)])
}

/** A piece at the end of an executable. @throws when it is not there */
export function pieceOf(path: string, name: PieceName): Piece {
  const fd = fs.openSync(path, 'r')
  try {
    const end = fs.fstatSync(fd).size - TAIL_BYTES
    const tail = readAt(fd, end, TAIL_BYTES)
    if (tail.toString('latin1', LENGTHS_BYTES) !== TAIL_MAGIC)
      throw new Error(`Cannot start: ${path} has lost its end`)
    const lengths = Array.from({ length: PIECES.length * 2 }, (_, i) => tail.readUInt32LE(i * 4))
    const first = PIECES.indexOf(name) * 2
    const at = end - lengths.slice(first).reduce((sum, length) => sum + length, 0)
    const [sourceBytes, notesBytes] = [lengths[first]!, lengths[first + 1]!]
    const source = readAt(fd, at, sourceBytes).toString('latin1')
    return { source, notes: readAt(fd, at + sourceBytes, notesBytes) }
  } finally {
    fs.closeSync(fd)
  }
}

function readAt(fd: number, at: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(length)
  for (let done = 0; done < length; ) {
    const n = fs.readSync(fd, bytes, done, length - done, at + done)
    if (n === 0) throw new Error('Cannot start: the executable was cut short')
    done += n
  }
  return bytes
}

/** Starts what lies at the end of this executable. */
export function launch(): void {
  runScript('main', scriptOf('main', pieceOf(SELF, 'main')))
}

/** The same in a thread, by a text that the bundle has as a constant (build.ts). */
export function launchWorker(): void {
  runScript('worker', scriptOf('worker', pieceOf(SELF, 'worker')))
}
