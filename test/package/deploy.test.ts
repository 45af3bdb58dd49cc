// The sample configuration that a package installs: the program accepts it, and it changes no default but
// where the data lie.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadConfig } from '../../src/config/load.ts'

const text = readFileSync(join(import.meta.dirname, '../../deploy/varve.toml'), 'utf8')
const load = (files: { name: string; text: string }[]) => loadConfig({ files, env: {}, flags: new Map() })

t.test('deploy/varve.toml is accepted and states the defaults', async t => {
  const installed = load([{ name: 'deploy/varve.toml', text }])
  t.equal(installed.data.dir, '/var/lib/varve')
  const defaults = load([])
  t.strictSame({ ...installed, data: null }, { ...defaults, data: null })
})

t.test('deploy/varve.toml: what is commented out is accepted too', async t => {
  const opened = text.replace(/^# (?=[a-z_]+ = |\[\[)/gm, '').replaceAll('"..."', '"a secret of some length"')
  const config = load([{ name: 'deploy/varve.toml', text: opened }])
  t.equal(config.mqtt.users.length, 1)
  t.equal(config.http.tokens.length, 1)
  t.equal(config.retention.rules.length, 1)
  t.equal(config.ingest.topics.length, 1)
})
