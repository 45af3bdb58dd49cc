// The whole daemon against a block device: the ledger within 10 % of the device's own counters, over a start,
// a trickle, a bulk load, maintenance, two kills and a clean stop. scripts/wear-check.ts does it, here with short phases.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

const root = join(import.meta.dirname, '../..')

t.test('the ledger agrees with the device over trickle, bulk, maintenance and SIGKILL', async t => {
  const args = ['scripts/wear-check.ts', '--trickle', '3', '--bulk', '100000']
  const run = promisify(execFile)(process.execPath, args, { cwd: root })
  const { stdout, code } = await run.then(
    ({ stdout }) => ({ stdout, code: 0 }),
    (error: { stdout?: string; code?: number }) => ({
      stdout: error.stdout ?? String(error),
      code: error.code
    })
  )
  if (stdout.includes('skip  there is no loop device')) return t.pass('no loop device can be made here')
  t.equal(code, 0, stdout)
  t.match(stdout, /^pass {2}all: /m, stdout)
})
