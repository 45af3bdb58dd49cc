// A real Prometheus for end-to-end tests, where the machine has one: scrapes itself, with the rest of its
// configuration from the test.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'

/** What tap shows as the reason of a skipped test; false when the program is there. */
export function absent(program: string, flag = '--version'): string | false {
  const isThere = spawnSync(program, [flag], { stdio: 'ignore' }).error === undefined
  return isThere ? false : `${program} is not installed`
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('Cannot find a free port')
  return address.port
}

/** Starts it; returns its URL. It ends with the test. @param more  YAML at the top level */
export async function startPrometheus(t: Test, dir: string, more: string): Promise<string> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const scrape = `{ job_name: self, static_configs: [{ targets: ['127.0.0.1:${port}'] }] }`
  const config = join(dir, 'prometheus.yml')
  const text = `global: { scrape_interval: 200ms, scrape_timeout: 200ms }\nscrape_configs: [${scrape}]\n${more}`
  writeFileSync(config, text)
  const flags = [`--storage.tsdb.path=${join(dir, 'tsdb')}`, `--web.listen-address=127.0.0.1:${port}`]
  const child = spawn('prometheus', [`--config.file=${config}`, ...flags, '--log.level=warn'], {
    stdio: ['ignore', 'ignore', 'pipe']
  })
  let said = ''
  child.stderr.on('data', piece => (said += piece))
  const ended = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  for (let i = 0; i < 1200; i++) {
    if (child.exitCode !== null) break
    const ready = await fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false
    )
    if (ready) return url
    await sleep(50)
  }
  throw new Error(`Cannot start prometheus: ${said}`)
}

/** promtool's answer. @throws with what it said when it fails */
export function promtool(...args: string[]): string {
  return execFileSync('promtool', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}
