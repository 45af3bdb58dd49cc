// Whether anything stalls the gateway: while one query after another reads everything and bulk writes make
// segments be flushed, devices go on publishing. The daemon counts its event loop's delay (/v1/status).
// Beside it, a connection sends PINGREQ every few ms: the main thread answers it, so the round trip cannot be
// shorter than the delay; it also holds the scheduling of all processes on the machine's cores, and is
// printed, not judged. Acknowledgement times come from the load.
//
//   node scripts/bench-stall.ts [--samples 5000000] [--seconds 30] [--rate 1000]
//                               [--program source|binary] [--dir DIR] [--varve "--flag value"]

import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import mqttPacket from 'mqtt-packet'
import { benchArguments } from './bench-arguments.ts'
import { directoryBytes, Poster, startStore } from './bench-peers.ts'
import { judge, printHead, printTable, quantile, round } from './bench-report.ts'
import { runLoad } from './mqtt-load.ts'
import { ask, type StatusAnswer, startVarve, type Varve } from './varve-process.ts'
import { lineBodies, standard } from './workload.ts'

const bound = { delayMsP99: 20, ackMsOverDelayMax: 250 }
const ackDelayMaxMs = 1000
const pingEveryMs = 5

/** Round trips of PINGREQ until `until`, ms. */
async function pings(port: number, until: number): Promise<number[]> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  socket.write(mqttPacket.generate({ cmd: 'connect', clientId: 'pings', clean: true, keepalive: 0 }))
  await once(socket, 'data')
  const took: number[] = []
  while (performance.now() < until) {
    const started = performance.now()
    socket.write(mqttPacket.generate({ cmd: 'pingreq' }))
    await once(socket, 'data')
    took.push(performance.now() - started)
    await sleep(pingEveryMs)
  }
  socket.destroy()
  return took
}

/** Reads every sample again and again; returns the bytes of all answers. */
async function readEverything(varve: Varve, until: number): Promise<{ queries: number; bytes: number }> {
  const read = { queries: 0, bytes: 0 }
  while (performance.now() < until) {
    const reply = await fetch(`${varve.httpUrl}/v1/range?format=ndjson`)
    if (!reply.ok) throw new Error(`Cannot read everything: ${reply.status} ${await reply.text()}`)
    for await (const piece of reply.body!) {
      read.bytes += piece.length
      if (performance.now() > until) break
    }
    read.queries++
  }
  return read
}

/** Bulk writes that keep flushing segments, a body each 200 ms. */
async function keepFlushing(poster: Poster, startMs: number, until: number): Promise<number> {
  let samples = 0
  for (const body of lineBodies({ ...standard, seed: 2, startMs }, 1e9, 5000)) {
    if (performance.now() > until) break
    await poster.post(body.bytes)
    samples += body.samples
    await sleep(200)
  }
  return samples
}

const { program, flags, dir, number } = benchArguments(['varve'], ['samples', 'seconds', 'rate'])
const [samples, seconds, rate] = [number('samples', 5e6), number('seconds', 30), number('rate', 1000)]
printHead('bench-stall: event loop and acknowledgements under queries and flushes', {
  workload: `${round(samples)} samples stored; for ${seconds} s: ${rate} messages/s QoS 1 on 50 connections, a query that reads everything over and over, bulk writes of 125,000 samples/s`,
  bounds: [
    `p99 of the event loop's delay under ${bound.delayMsP99} ms`,
    `acknowledgements within ack.delay_max (${ackDelayMaxMs} ms) + ${bound.ackMsOverDelayMax} ms`
  ]
})
const dataDir = join(dir, 'varve')
const given = ['--ack.delay_max', `${ackDelayMaxMs}ms`, ...flags]
const history = await startStore('varve', dataDir, { program, flags: given })
const filler = new Poster(history, 2)
const startMs = Date.now() - (samples / 5 / standard.devices + 20_000) * standard.roundMs
await filler.postAll(lineBodies({ ...standard, startMs }, samples, 5000), 2)
filler.close()
await history.stop()

// A new process: its count of the loop's delay holds nothing of the filling.
const varve = await startVarve({ program, dataDir, flags: given })
const poster = new Poster({ ...history, pid: varve.pid, httpUrl: varve.httpUrl }, 2)

// What the machine itself adds, without queries and writes.
const calm = await pings(varve.mqttPort, performance.now() + 3000)
const before = directoryBytes('varve', dataDir).data
const until = performance.now() + seconds * 1000
const flushMs = startMs + (samples / 5 / standard.devices + 60) * standard.roundMs
const [busy, load, read, flushed] = await Promise.all([
  pings(varve.mqttPort, until),
  runLoad({ port: varve.mqttPort, rate, seconds }),
  readEverything(varve, until),
  keepFlushing(poster, flushMs, until)
])
const { event_loop: loop } = await ask<StatusAnswer>(varve, '/v1/status')
const segmentBytes = directoryBytes('varve', dataDir).data - before
poster.close()
await varve.stop()

printTable([
  { what: 'PINGREQ round trip, calm', ...spread(calm) },
  { what: 'PINGREQ round trip, under load', ...spread(busy) },
  {
    what: 'PUBACK',
    p50: round(load.ackMs.p50),
    p99: round(load.ackMs.p99),
    max: round(load.ackMs.max),
    count: round(load.acked)
  }
])
console.log(
  `read ${round(read.bytes / 1e6)} MB in ${read.queries} queries, wrote ${round(flushed)} samples in bulk, segments grew by ${round(segmentBytes / 1e6)} MB`
)
function spread(values: readonly number[]) {
  return {
    p50: round(quantile(values, 0.5)),
    p99: round(quantile(values, 0.99)),
    max: round(quantile(values, 1)),
    count: round(values.length)
  }
}
if (load.fault !== null) console.log(`FAIL  the load ended early: ${load.fault}`)
console.log(
  `event loop delay by the daemon's own count: p99 ${round(loop.delay_ms_p99)} ms, max ${round(loop.delay_ms_max)} ms`
)
judge('event loop delay p99', loop.delay_ms_p99, '<=', bound.delayMsP99, ' ms')
judge('slowest acknowledgement', load.ackMs.max, '<=', ackDelayMaxMs + bound.ackMsOverDelayMax, ' ms')
judge('messages unacknowledged', load.sent - load.acked, '<=', 0)
judge('bytes of segments flushed meanwhile', segmentBytes, '>=', 1)
