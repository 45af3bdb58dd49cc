// The thread that joins segments of an embedded store: it has the directory and the numbers of a task, and nothing else
// of the store.
// Not here: when, and what (compaction.ts), how (kv/compaction-run.ts).
import { parentPort, workerData } from 'node:worker_threads'
import { NodeDisk } from '../disk/node-disk.ts'
import { runCompaction } from '../kv/compaction-run.ts'
import { engineFiles } from '../kv/engine-files.ts'
import type { CompactionTask } from '../kv/host.ts'
import { serveCalls } from '../offload/worker.ts'

const files = engineFiles(new NodeDisk(workerData as string))
/** Nobody else waits in this thread. */
const goOn = () => Promise.resolve()

serveCalls(
  parentPort!,
  { compact: (task: CompactionTask) => runCompaction(files, task, goOn) },
  {},
  () => process.memoryUsage().heapTotal
)
