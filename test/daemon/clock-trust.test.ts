// When the wall clock is believed, and how the machine is asked.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { MADE_US } from '../../src/base/version.ts'
import { decodeMoment, encodeMoment } from '../../src/daemon/clock-moment.ts'
import { MachineClockSource } from '../../src/daemon/clock-source.ts'
import { type ClockFacts, judgeClock, type SyncState } from '../../src/daemon/clock-trust.ts'
import { HandClock } from '../kit/hand-clock.ts'

const PAST_US = MADE_US + 86_400e6 * 100
const HOUR_US = 3600e6

function facts(
  state: SyncState['state'],
  more: Partial<ClockFacts> & { hasBattery?: boolean } = {}
): ClockFacts {
  const { hasBattery = false, ...rest } = more
  return {
    source: 'auto',
    sync: { state, by: 'a test', hasBattery },
    wallUs: PAST_US + HOUR_US,
    pastUs: PAST_US,
    upMs: 3_600_000,
    steppedAhead: false,
    expectedUs: null,
    ...rest
  }
}

t.test('judgeClock() believes a clock that somebody vouches for, and no impossible one', async t => {
  const table: [boolean, string, ClockFacts][] = [
    [true, 'set by a service', facts('set')],
    [true, 'set to before what was taken for the time', facts('set', { wallUs: PAST_US - HOUR_US })],
    [false, 'set to 1970', facts('set', { wallUs: HOUR_US })],
    [false, 'a service that has not set it', facts('waiting')],
    [true, 'a battery clock', facts('waiting', { hasBattery: true })],
    [false, 'a battery clock without a battery', facts('waiting', { hasBattery: true, wallUs: HOUR_US })],
    [true, 'stepped ahead', facts('waiting', { steppedAhead: true })],
    [false, 'stepped, to the past', facts('nobody', { steppedAhead: true, wallUs: PAST_US - 1 })],
    [true, 'nobody can tell', facts('nobody')],
    [false, 'nobody can tell, just after the boot', facts('nobody', { upMs: 60_000 })],
    [true, 'the same, stepped ahead', facts('nobody', { upMs: 60_000, steppedAhead: true })],
    [false, 'nobody can tell, before what is stored', facts('nobody', { wallUs: PAST_US - 1 })],
    [false, 'nobody can tell, decades ahead', facts('nobody', { wallUs: PAST_US + 40 * 365 * 86_400e6 })],
    [true, 'known before in this boot', facts('waiting', { expectedUs: PAST_US + HOUR_US + 1e6 })],
    [false, 'known before, but changed', facts('waiting', { expectedUs: PAST_US + HOUR_US + 3e6 })],
    [true, 'trusted', facts('waiting', { source: 'trusted', wallUs: HOUR_US })]
  ]
  for (const [isKnown, what, given] of table) {
    const verdict = judgeClock(given)
    t.equal(verdict.isKnown, isKnown, `${what}: ${verdict.why}`)
    t.ok(verdict.why.length > 5)
  }
})

/** A machine of text; `said` is what timedatectl answers, null: it fails. */
function machine(files: Record<string, string>, said: string | null = 'NTP=no\nNTPSynchronized=no\n') {
  const clock = new HandClock()
  const state = { files, said, runs: 0 }
  const source = new MachineClockSource({
    clock,
    env: {},
    uptimeMs: () => 7,
    run: async (program, args) => {
      state.runs++
      t.same([program, ...args].slice(0, 2), ['timedatectl', 'show'])
      if (state.said === null) throw new Error('spawn timedatectl ENOENT')
      return state.said
    },
    tree: {
      read: path => state.files[path] ?? null,
      list: path =>
        Object.keys(state.files)
          .filter(file => file.startsWith(`${path}/`))
          .map(file => file.slice(path.length + 1).split('/')[0]!),
      real: path => (Object.keys(state.files).some(file => `${file}/`.startsWith(`${path}/`)) ? path : null)
    }
  })
  return { source, state, clock }
}

t.test('MachineClockSource believes the file of systemd-timesyncd', async t => {
  const { source, state } = machine({ '/run/systemd/system/x': '', '/run/systemd/timesync/x': '' })
  t.match(await source.ask(), { state: 'waiting', by: 'systemd-timesyncd', hasBattery: false })
  state.files['/run/systemd/timesync/synchronized'] = ''
  t.match(await source.ask(), { state: 'set', by: 'systemd-timesyncd' })
})

t.test('MachineClockSource asks timedatectl once a minute, and not again when that fails', async t => {
  const { source, state, clock } = machine({ '/run/systemd/system/x': '' }, 'NTP=yes\nNTPSynchronized=no\n')
  for (let second = 0; second < 130; second++) {
    t.match(await source.ask(), { state: 'waiting' })
    clock.advance(1000)
  }
  t.equal(state.runs, 3)
  state.said = 'NTP=yes\nNTPSynchronized=yes\n'
  clock.advance(60_000)
  t.match(await source.ask(), { state: 'set' })

  const broken = machine({ '/run/systemd/system/x': '' }, null)
  t.match(await broken.source.ask(), { state: 'nobody', by: /timedatectl cannot be asked.*ENOENT/ })
  broken.clock.advance(600_000)
  await broken.source.ask()
  t.equal(broken.state.runs, 1)
  const off = machine({ '/run/systemd/system/x': '' })
  t.match(await off.source.ask(), { state: 'nobody', by: 'no time service is on' })
})

t.test('MachineClockSource knows a container, a battery clock and the boot', async t => {
  const { source, state } = machine({
    '/sys/class/rtc/rtc0/hctosys': '0',
    '/sys/class/rtc/rtc1/hctosys': '1',
    '/proc/sys/kernel/random/boot_id': 'b1'
  })
  t.same(await source.ask(), { state: 'nobody', by: 'no systemd runs here', hasBattery: true })
  t.equal(state.runs, 0)
  t.equal(source.kernel, 'b1')
  t.equal(machine({}).source.kernel, '')
})

t.test('decodeMoment() reads the example in the header', async t => {
  const header = readFileSync('src/daemon/clock-moment.ts', 'utf8')
    .split('\nimport ')[0]!
    .replaceAll('\n//', ' ')
  const hex = /Example.*?=\s+((?:[0-9a-f]{2}\s+)+)/.exec(header)![1]!
  const bytes = new Uint8Array(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'))
  const moment = { isKnown: true, nowUs: 8, leastUs: 8, uptimeMs: 1, kernel: 'k' }
  t.same(decodeMoment(bytes), moment)
  t.same(encodeMoment(moment), bytes)
})
