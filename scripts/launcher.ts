// The main script of the executable: a few lines that start the bundle with what V8 made of it when it was
// packed (code-cache.ts). Reading 5 MB of source takes V8 longer than everything else until a socket listens;
// with its own notes it compiles next to nothing.
//
//   executable := what pkg made | source | notes | u32 source bytes | u32 notes bytes | "VRVX"    little-endian
//
// Invariants: notes that do not fit this V8 are ignored by it: the start is slower then, and nothing else; V8 takes
// notes only under the flags they were made with, so the daemon's are set before it reads them.
// Not here: who puts the pieces together (package.ts). This file is bundled by itself, with next to nothing.
import fs from 'node:fs'
import vm from 'node:vm'
import { boundHeaps } from '../src/daemon/heap.ts'

declare const require: NodeJS.Require
declare const module: NodeJS.Module

export const TAIL_MAGIC = 'VRVX'
export const TAIL_BYTES = 12

/** The name of the bundle in stack traces; part of what the notes are checked against. */
const NAME = 'varve.cjs'

/** The bundle as a script that gives the usual function of a CommonJS module. */
export function scriptOf(source: string, notes: Buffer | undefined): vm.Script {
  boundHeaps()
  return new vm.Script(`(function (exports, require, module, __filename, __dirname) {${source}\n})`, {
    filename: NAME,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(notes === undefined ? {} : { cachedData: notes })
  })
}

/** Runs the bundle as this process' main module. */
export function runScript(script: vm.Script): void {
  script.runInThisContext()(module.exports, require, module, NAME, '/')
}

/** The two pieces at the end of an executable. @throws when they are not there */
export function tailOf(path: string): { source: string; notes: Buffer } {
  const fd = fs.openSync(path, 'r')
  try {
    const end = fs.fstatSync(fd).size - TAIL_BYTES
    const tail = readAt(fd, end, TAIL_BYTES)
    if (tail.toString('latin1', 8) !== TAIL_MAGIC) throw new Error(`Cannot start: ${path} has lost its end`)
    const [sourceBytes, notesBytes] = [tail.readUInt32LE(0), tail.readUInt32LE(4)]
    const source = readAt(fd, end - notesBytes - sourceBytes, sourceBytes).toString('latin1')
    return { source, notes: readAt(fd, end - notesBytes, notesBytes) }
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
  const { source, notes } = tailOf('/proc/self/exe')
  runScript(scriptOf(source, notes.length === 0 ? undefined : notes))
}
