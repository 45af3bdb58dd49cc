// Runs the arm64 executable on this machine under qemu-user and talks to it as devices do: publishes QoS 1
// from the host, waits for the acknowledgement, queries it back, restarts it, queries again.
//
//   npm run package && node scripts/arm64-smoke.ts
//
// Needs Debian's qemu-user-static libc6-arm64-cross libstdc++6-arm64-cross libatomic1-arm64-cross
// libgcc-s1-arm64-cross. Times are of the emulation and say nothing about a Pi.

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectAsync } from 'mqtt'
import { ask, type LastAnswer, programs, startVarve, type Varve } from './varve-process.ts'

const libraries = '/usr/aarch64-linux-gnu'
const topic = 'site1/dev7/telemetry'
const sent = { temperature: 21.4, rssi: -70, state: 'on' }

for (const needed of [programs.arm64.at(-1)!, libraries, '/usr/bin/qemu-aarch64-static']) {
  if (!existsSync(needed)) throw new Error(`Cannot try the arm64 executable: ${needed} is not there`)
}

async function queryBack(varve: Varve): Promise<void> {
  const { series } = await ask<LastAnswer>(varve, `/v1/last?topic=${encodeURIComponent(topic)}`)
  const found = Object.fromEntries(series.map(({ name, value }) => [name, value]))
  for (const [name, value] of Object.entries(sent)) {
    if (found[name] !== value)
      throw new Error(`Cannot find ${name}=${value}: /v1/last says ${JSON.stringify(series)}`)
  }
  console.log(`queried back: ${JSON.stringify(found)}`)
}

const dataDir = mkdtempSync(join(tmpdir(), 'varve-arm64-'))
const options = {
  program: 'arm64',
  dataDir,
  env: { QEMU_LD_PREFIX: libraries },
  readyMsMax: 120_000
} as const
try {
  const first = await startVarve(options)
  console.log(`ready after ${(first.readyMs / 1000).toFixed(1)} s under qemu`)
  const client = await connectAsync(`mqtt://127.0.0.1:${first.mqttPort}`)
  const started = performance.now()
  await client.publishAsync(topic, JSON.stringify(sent), { qos: 1 })
  console.log(`PUBACK after ${(performance.now() - started).toFixed(0)} ms`)
  await client.endAsync()
  await queryBack(first)
  console.log(`SIGTERM: exit code ${await first.stop('SIGTERM')}`)
  const second = await startVarve(options)
  await queryBack(second)
  console.log(`SIGTERM after a restart: exit code ${await second.stop('SIGTERM')}`)
  console.log('pass  the arm64 executable keeps what it acknowledged')
} finally {
  rmSync(dataDir, { recursive: true, force: true })
}
