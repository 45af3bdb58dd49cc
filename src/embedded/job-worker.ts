// A thread that does the heavy work of an embedded store: it has the directory and what a task says, and nothing else
// of the store.
// Not here: when, and what (upkeep.ts), how (kv/flush-run.ts, kv/compaction-run.ts).
import { parentPort, workerData } from 'node:worker_threads'
import { NodeDisk } from '../disk/node-disk.ts'
import { runCompaction } from '../kv/compaction-run.ts'
import { engineFiles } from '../kv/engine-files.ts'
import { runFlush } from '../kv/flush-run.ts'
import type { CompactionTask, FlushTask } from '../kv/host.ts'
import { serveCalls } from '../offload/worker.ts'

const files = engineFiles(new NodeDisk(workerData as string))
/** Nobody else waits in this thread. */
const goOn = () => Promise.resolve()

serveCalls(
  parentPort!,
  {
    flush: (task: FlushTask) => runFlush(files, task, goOn),
    compact: (task: CompactionTask) => runCompaction(files, task, goOn)
  },
  {},
  () => process.memoryUsage().heapTotal
)
