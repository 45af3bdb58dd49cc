// A process of scripts/crash-matrix.ts: takes tasks from its parent, one at a time, and answers with their rows.
// With a planted fault (--plant NAME) a task ends at the first failure.

import { parseArgs } from 'node:util'
import type { Rows, Task } from '../test/kit/matrix-task.ts'

export interface Answer {
  readonly rows: Rows
  /** CPU seconds that the task took. */
  readonly seconds: number
}

const { values } = parseArgs({ options: { plant: { type: 'string' } } })
if (values.plant === 'no-checksum') {
  // Loaded by itself: the hook has to be there before anything else of src is.
  const { plantBlindChecksum } = await import('../test/kit/blind-checksum.ts')
  plantBlindChecksum()
}
const { failuresOf, runTask } = await import('../test/kit/matrix-task.ts')

process.on('message', async message => {
  const task = message as Task
  const isPlanted = values.plant !== undefined && task.only === undefined
  const before = process.cpuUsage()
  const rows = await runTask(task, found => !isPlanted || failuresOf(found).length === 0)
  const { user, system } = process.cpuUsage(before)
  process.send!({ rows, seconds: (user + system) / 1e6 } satisfies Answer)
})
