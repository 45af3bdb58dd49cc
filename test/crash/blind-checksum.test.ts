// Checksums that do not look at the bytes: the flips of the crash matrix must find that nobody checks. In a file of
// its own, since the planted checksum takes the place of the true one for the whole process.
import t from 'tap'
import { plantBlindChecksum } from '../kit/blind-checksum.ts'

t.test('the flip matrix finds checksums that are not looked at', async t => {
  plantBlindChecksum()
  const { failuresOf, runTask } = await import('../kit/matrix-task.ts')
  const rows = await runTask({ part: 'flips', seed: 1, limit: 100 }, found => failuresOf(found).length === 0)
  t.ok(failuresOf(rows).length > 0, `found: ${failuresOf(rows)[0]}`)
})
