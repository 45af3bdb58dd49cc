// What a trickle costs the card: 50 samples a second, ten five-field messages a second, one at a time, each
// store on an ext4 image of its own whose device counts every byte. varve gets them by MQTT QoS 1 with
// ack.delay_max 1 s; InfluxDB once with a request per message and once with a request per second. All run
// side by side; the first seconds, which create files, are not counted.
//
// varve's syncs and WAL bytes are its own counters (/metrics), held against the device's: a store cannot
// have synced oftener than its device was flushed. The floor is one block of 4 KiB a sync. What lies above it
// with default mount options is the file's modification time, which ext4 commits every 5 s (3 blocks, and one
// on its way home). A program without rights cannot leave it out, and lazytime changes nothing (measured: the
// same 2.2 KB a sync at one sync a second); commit=60 does, so varve also runs on a file system mounted so.
//
//   node scripts/bench-flash.ts [--seconds 120] [--settle 10] [--only varve,influxdb-message,...]
//                               [--program source|binary] [--dir DIR] [--varve "--flag value"]

import { benchArguments } from './bench-arguments.ts'
import { judge, printHead, printTable, round } from './bench-report.ts'
import { samplesPerS, startTrickles, trickle, trickleMessages, type Variant, variants } from './trickle.ts'
import { standard } from './workload.ts'

const floorBytes = 4096
const bound = {
  syncsPerS: 1,
  walBytesPerSync: 4096,
  ofFloor: 1.3,
  ofInfluxPerMessage: 1 / 10,
  ofInfluxPerSecond: 1 / 3
}

const { names, program, flags, dir, number } = benchArguments(variants, ['seconds', 'settle'])
const [seconds, settle] = [number('seconds', 120), number('settle', 10)]
printHead('bench-flash: device bytes of a trickle', {
  workload: `${samplesPerS} samples/s for ${seconds} s: ten five-field messages a second, one at a time, ${standard.devices} devices`,
  bounds: [
    'varve: at most one sync a second, 4 KiB of WAL a sync',
    `varve: at most ${bound.ofFloor} times the floor of ${floorBytes} bytes a sync with commit=60`,
    'varve: at most 1/10 of the device bytes of InfluxDB with a request per message, 1/3 with one per second'
  ]
})
const running = await startTrickles(names, program, flags, dir)
const messages = trickleMessages()

/** Everything that counts, of all, at one moment. */
async function counters() {
  const figures = new Map<
    Variant,
    { bytes: number; flushes: number | null; syncs: number; walBytes: number }
  >()
  for (const each of running) {
    const wal = await each.wal()
    const flushes = each.medium.flushes()
    const bytes = each.medium.writtenBytes(each.pid)
    figures.set(each.variant, { bytes, flushes, syncs: wal?.syncs ?? 0, walBytes: wal?.bytes ?? 0 })
  }
  return figures
}

await trickle(running, messages, settle)
const before = await counters()
const took = await trickle(running, messages, seconds)
const after = await counters()
const spent = new Map(
  running.map(({ variant }) => {
    const [from, to] = [before.get(variant)!, after.get(variant)!]
    const flushes = to.flushes === null || from.flushes === null ? null : to.flushes - from.flushes
    const wal = { syncs: to.syncs - from.syncs, walBytes: to.walBytes - from.walBytes }
    return [variant, { bytes: to.bytes - from.bytes, flushes, ...wal }]
  })
)
for (const each of running) {
  await each.stop()
  each.medium.close()
}
console.log(`device bytes: ${running[0]?.medium.how}`)
printTable(
  [...spent].map(([variant, { bytes, flushes, syncs, walBytes }]) => ({
    variant,
    'MB/day': round(((bytes / took) * 86_400) / 1e6),
    'device B/sample': round(bytes / took / samplesPerS),
    'device flushes/s': flushes === null ? '-' : round(flushes / took),
    'syncs/s': variant.startsWith('varve') ? round(syncs / took) : '-',
    'WAL B/sync': variant.startsWith('varve') ? round(walBytes / syncs) : '-',
    'x floor': variant.startsWith('varve') ? round(bytes / (syncs * floorBytes)) : '-'
  }))
)
const rarely = spent.get('varve-commit60')
if (rarely !== undefined)
  judge('varve-commit60 bytes / floor', rarely.bytes / (rarely.syncs * floorBytes), '<=', bound.ofFloor)
const own = spent.get('varve')
if (own !== undefined) {
  // The first and the last second of a run may each hold one sync more than the seconds between.
  judge('varve syncs a second', (own.syncs - 1) / took, '<=', bound.syncsPerS)
  judge('varve WAL bytes a sync', own.walBytes / own.syncs, '<=', bound.walBytesPerSync)
  for (const [peer, share] of [
    ['influxdb-message', bound.ofInfluxPerMessage],
    ['influxdb-second', bound.ofInfluxPerSecond]
  ] as const) {
    const other = spent.get(peer)
    if (other !== undefined) judge(`varve bytes / ${peer} bytes`, own.bytes / other.bytes, '<=', share)
  }
}
