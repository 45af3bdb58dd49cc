// The whole daemon against a block device: the ledger within 10 % of the device's own counters, over a start,
// a trickle, a bulk load, SIGKILL and a clean stop. scripts/wear-check.ts does it, here with short phases.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

const root = join(import.meta.dirname, '../..')

t.test('the ledger agrees with the device over trickle, bulk and SIGKILL', async t => {
  const args = ['scripts/wear-check.ts', '--trickle', '12', '--bulk', '400000']
  // Its exit code also judges each phase, which are too short here to be told apart.
  const run = promisify(execFile)(process.execPath, args, { cwd: root })
  const { stdout } = await run.catch((error: { stdout?: string }) => ({
    stdout: error.stdout ?? String(error)
  }))
  if (stdout.includes('skip  there is no loop device')) return t.pass('no loop device can be made here')
  t.match(stdout, /^pass {2}all: /m, stdout)
  t.match(stdout, /^pass {2}all but the making of WAL files: /m)
})
