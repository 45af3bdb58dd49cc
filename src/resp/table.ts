// All commands by name. Not here: running them (execute.ts).
import { assert } from '../base/assert.ts'
import { blockingCommands } from './blocking-commands.ts'
import { clientCommands } from './client-commands.ts'
import type { Command } from './command.ts'
import { connectionCommands } from './connection-commands.ts'
import { counterCommands } from './counter-commands.ts'
import { elementScans } from './element-scan.ts'
import { hashCommands } from './hash-commands.ts'
import { keyCommands } from './key-commands.ts'
import { listCommands } from './list-commands.ts'
import { multiCommands } from './multi-commands.ts'
import { pubSubCommands } from './pub-sub-commands.ts'
import { scanCommands } from './scan-commands.ts'
import { seriesCommands } from './series-commands.ts'
import { serverCommands } from './server-commands.ts'
import { setCommands } from './set-commands.ts'
import { stringCommands } from './string-commands.ts'
import { zsetAlgebra } from './zset-algebra.ts'
import { zsetCommands } from './zset-commands.ts'
import { zsetRangeCommands } from './zset-range-commands.ts'

/** @param hasSeries  whether there are TS commands */
export function commandTable(hasSeries: boolean): ReadonlyMap<string, Command> {
  const rows = [
    ...[connectionCommands, clientCommands, serverCommands, multiCommands, pubSubCommands],
    ...[stringCommands, counterCommands, keyCommands, scanCommands, hashCommands, listCommands],
    ...[setCommands, zsetCommands, zsetRangeCommands, zsetAlgebra, elementScans, blockingCommands],
    ...(hasSeries ? [seriesCommands] : [])
  ].flat()
  const table = new Map(rows.map(row => [row.name, row]))
  assert(table.size === rows.length, 'a command is in the table once')
  return table
}
