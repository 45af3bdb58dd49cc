// The systemd unit and the files of deploy/: that they are sound, and that the program would accept them.

import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'

const root = join(import.meta.dirname, '../..')
const unit = readFileSync(join(root, 'systemd/varve.service'), 'utf8')
const analyze = existsSync('/usr/bin/systemd-analyze') ? false : 'systemd-analyze is not installed'
const exposureMax = 1.5

/** A copy that can be looked at where varve is not installed: its program must exist. */
function verifiable(t: Test, text: string): string {
  const file = join(t.testdir(), 'varve.service')
  writeFileSync(file, text.replace(/^ExecStart=\S+/m, `ExecStart=${process.execPath}`))
  return file
}

function verify(file: string): string {
  const { stdout, stderr, status } = spawnSync('systemd-analyze', ['verify', '--man=no', file], {
    encoding: 'utf8'
  })
  return `${stdout}${stderr}${status === 0 ? '' : `exit code ${status}`}`
}

t.test('systemd-analyze verify has nothing to say about the unit', { skip: analyze }, async t => {
  t.equal(verify(verifiable(t, unit)), '')
  t.not(verify(verifiable(t, unit.replace('WatchdogSec=', 'WatchdogSecs='))), '', 'a planted fault is found')
})

t.test(`systemd-analyze security scores the unit at most ${exposureMax}`, { skip: analyze }, async t => {
  const exposure = (text: string) => {
    const file = verifiable(t, text)
    const report = execFileSync('systemd-analyze', ['security', '--offline=true', '--no-pager', file], {
      encoding: 'utf8'
    })
    return Number(/Overall exposure level[^:]*: ([\d.]+)/.exec(report)?.[1])
  }
  t.ok(exposure(unit) <= exposureMax, `is ${exposure(unit)}`)
  t.ok(exposure(unit.replace(/^Protect.*\n/gm, '')) > exposureMax, 'without its protection it scores more')
})

t.test('the unit says when it is ready, is watched, and owns its state directory', async t => {
  for (const line of [
    'Type=notify',
    'WatchdogSec=30s',
    'StateDirectory=varve',
    'MemoryDenyWriteExecute=no'
  ]) {
    t.ok(unit.split('\n').includes(line), line)
  }
})

t.test('shell scripts are sound for sh and bash', async t => {
  for (const script of [
    'deploy/install.sh',
    ...['postinst', 'prerm', 'postrm'].map(name => `deploy/debian/${name}`)
  ]) {
    t.equal(spawnSync('sh', ['-n', join(root, script)]).status, 0, script)
  }
  t.equal(spawnSync('bash', ['-n', join(root, '.ci/run')]).status, 0, '.ci/run')
})
