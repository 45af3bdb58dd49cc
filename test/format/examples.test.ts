// A data directory of every format version, written by the daemon of its time and left by SIGKILL
// (scripts/format-example.ts), is opened by this one: read in place, checked, and gone on with.
import { cpSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openDirectory } from '../../src/daemon/directory.ts'
import { firstMessage, runVarve, serve, temporary, write } from '../e2e/daemon.ts'
import { examples, flags } from './questions.ts'

const versions = readdirSync(import.meta.dirname).filter(name => /^v\d+$/.test(name))

function copyOf(t: Test, version: string): string {
  const dir = join(temporary(t), 'data')
  cpSync(join(import.meta.dirname, version, 'data'), dir, { recursive: true })
  return dir
}

const answerOf = (version: string, file: string) =>
  readFileSync(join(import.meta.dirname, version, file), 'utf8')

t.ok(versions.includes('v1'), 'version 1 is kept')

for (const version of versions) {
  t.test(`a directory of ${version} is read in place, and answers as it did`, async t => {
    const damage: Error[] = []
    const directory = await openDirectory(copyOf(t, version), error => damage.push(error))
    t.teardown(() => directory.close())
    for (const { file, kind, path } of examples) {
      const pieces: Uint8Array[] = []
      const { searchParams } = new URL(path, 'http://varve')
      for await (const piece of directory.ask(kind, searchParams)) pieces.push(piece)
      t.equal(Buffer.concat(pieces).toString(), answerOf(version, file), file)
    }
    t.same(damage, [])
  })

  t.test(`a directory of ${version} is served and written to`, async t => {
    const dir = copyOf(t, version)
    t.match(await runVarve('check', dir), { code: 0, out: /^sound: / })
    const varve = await serve(t, dir, ...flags)
    for (const { file, path } of examples) {
      const reply = await fetch(`${varve.httpUrl}${path}`)
      t.equal(await reply.text(), answerOf(version, file), file)
    }
    const [topic, payload] = await firstMessage(t, varve, 'site1/dev7/raw')
    t.same([topic, payload], ['site1/dev7/raw', Buffer.from([0, 255, 39, 0x80])], 'a retained message')
    const letters = await fetch(`${varve.httpUrl}/v1/dead-letter`)
    t.match(await letters.text(), 'site1/dev8/telemetry')
    t.same(await write(varve, 'climate,site=a,room=kitchen temperature=1 1800000000\n', '?precision=s'), [
      204,
      ''
    ])
    const flushed = await fetch(`${varve.httpUrl}/v1/flush`, { method: 'POST' })
    t.ok(flushed.ok)
    t.equal(await varve.stop(), 0)
    t.match(await runVarve('check', dir), { code: 0, out: /^sound: / })
  })
}
