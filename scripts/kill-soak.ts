// Nothing acknowledged is lost when the daemon is killed: SIGKILL under QoS 1 load, again and again on one
// directory, and every acknowledged message is counted after each restart.
//
//   node scripts/kill-soak.ts [--kills 20] [--connections 20] [--dir DIR] [--varve "--flag value"]
//
// Then the same against a copy of the sources that acknowledges before the sync: the count must find it.
// SIGKILL spares what the kernel holds; power cuts are for test/crash, which simulates the medium.

import { join } from 'node:path'
import { benchArguments } from './bench-arguments.ts'
import { judge, printHead, printTable, round } from './bench-report.ts'
import { type KillFacts, killUnderLoad, plantEarlyAcknowledgement } from './kill-load.ts'

const { names, program, dir, flags, number } = benchArguments(['varve', 'planted'] as const, [
  'kills',
  'connections'
])
const kills = number('kills', 20)
const connections = number('connections', 20)

printHead('SIGKILL under QoS 1 load', {
  workload: `${connections} connections, up to 200 messages under way each, killed after 0.3 to 2 s, ${kills} times on one directory`,
  bounds: ['0 acknowledged samples lost, 0 invented', 'an acknowledgement before the sync is found']
})

const rows: Record<string, string | number>[] = []
function row(name: string, facts: KillFacts): KillFacts {
  const { restartMs, ...counts } = facts
  rows.push({ name, ...counts, 'restart ms max': round(restartMs) })
  return facts
}

const options = { connections, lifeMs: [300, 2000] as const }
const verdicts: (() => void)[] = []
if (names.includes('varve')) {
  const start = { program, dataDir: join(dir, 'sound'), flags }
  const facts = row('varve', await killUnderLoad({ ...options, kills, start }))
  verdicts.push(
    () => judge('acknowledged samples lost', facts.lost, '<=', 0),
    () => judge('samples invented', facts.invented, '<=', 0)
  )
}
if (names.includes('planted')) {
  const { main, remove } = plantEarlyAcknowledgement()
  try {
    const start = { main, dataDir: join(dir, 'planted'), flags }
    const facts = row(
      'planted early ack',
      await killUnderLoad({ ...options, kills: Math.min(3, kills), start })
    )
    verdicts.push(() => judge('samples lost by the planted fault', facts.lost, '>=', 1))
  } finally {
    remove()
  }
}
printTable(rows)
for (const verdict of verdicts) verdict()
