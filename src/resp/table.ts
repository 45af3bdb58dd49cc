// All commands by name: found by the bytes of a word as they came, in upper or lower case, without a text made of them.
// Not here: running them (execute.ts).
import { assert } from '../base/assert.ts'
import { bitCommands } from './bit-commands.ts'
import { bitFieldCommands } from './bitfield-commands.ts'
import { blockingCommands } from './blocking-commands.ts'
import { clientCommands } from './client-commands.ts'
import type { Command } from './command.ts'
import { connectionCommands } from './connection-commands.ts'
import { counterCommands } from './counter-commands.ts'
import { dumpCommands } from './dump-commands.ts'
import { elementScans } from './element-scan.ts'
import { hashCommands } from './hash-commands.ts'
import { keyCommands } from './key-commands.ts'
import { lcsCommands } from './lcs-command.ts'
import { listCommands } from './list-commands.ts'
import { multiCommands } from './multi-commands.ts'
import { pubSubCommands } from './pub-sub-commands.ts'
import { scanCommands } from './scan-commands.ts'
import { seriesCommands } from './series-commands.ts'
import { serverCommands } from './server-commands.ts'
import { setCommands } from './set-commands.ts'
import { sortCommands } from './sort-commands.ts'
import { stringCommands } from './string-commands.ts'
import { zsetAlgebra } from './zset-algebra.ts'
import { zsetCommands } from './zset-commands.ts'
import { zsetRangeCommands } from './zset-range-commands.ts'

const BUCKETS = 1024

export class CommandTable {
  readonly all: readonly Command[]
  private readonly buckets: Command[][] = Array.from({ length: BUCKETS }, () => [])

  /** @param hasSeries  whether there are TS commands */
  constructor(hasSeries: boolean) {
    this.all = [
      ...[connectionCommands, clientCommands, serverCommands, multiCommands, pubSubCommands],
      ...[
        stringCommands,
        lcsCommands,
        bitCommands,
        bitFieldCommands,
        counterCommands,
        keyCommands,
        scanCommands,
        sortCommands,
        dumpCommands,
        hashCommands,
        listCommands
      ],
      ...[setCommands, zsetCommands, zsetRangeCommands, zsetAlgebra, elementScans, blockingCommands],
      ...(hasSeries ? [seriesCommands] : [])
    ].flat()
    for (const command of this.all) {
      const name = Buffer.from(command.name)
      assert(this.find(name, 0, name.length) === undefined, 'a command is in the table once')
      this.buckets[bucketOf(name, 0, name.length)]!.push(command)
    }
  }

  /** The command that is named by bytes[start, end), in any case. */
  find(bytes: Uint8Array, start: number, end: number): Command | undefined {
    const bucket = this.buckets[bucketOf(bytes, start, end)]!
    for (let i = 0; i < bucket.length; i++) if (isName(bucket[i]!.name, bytes, start, end)) return bucket[i]
    return undefined
  }

  named(name: string): Command | undefined {
    const bytes = Buffer.from(name, 'latin1')
    return this.find(bytes, 0, bytes.length)
  }
}

function lower(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte + 32 : byte
}

function bucketOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start
  for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + lower(bytes[i]!)) | 0
  return hash & (BUCKETS - 1)
}

function isName(name: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) !== lower(bytes[start + i]!)) return false
  return true
}
