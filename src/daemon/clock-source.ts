// What this machine says of its clock: asks whoever may have set it.
//
// | asked | what it tells |
// |---|---|
// | `/run/systemd/timesync/synchronized` | systemd-timesyncd, the time service of Raspberry Pi OS, has set the clock in this boot |
// | `timedatectl show` | the kernel's own mark, which chrony and ntpd set too, and whether any service is on |
// | `/sys/class/rtc/*/hctosys` | the kernel took the time from a battery clock at boot |
//
// The file is looked at whenever asked; timedatectl is a child process, so it runs once a minute at most, only
// where systemd runs, and not at all once it has failed: `by` then says why, and so do health and log.
// Invariant: asking never fails; what cannot be found out is "nobody can tell".
// Not here: what it means (clock-trust.ts), how often (clock-keeper.ts).
import { execFile } from 'node:child_process'
import { uptime } from 'node:os'
import { type Clock, systemClock } from '../base/clock.ts'
import { reason } from '../base/errors.ts'
import { type SysTree, systemTree } from '../disk/flash-probe.ts'
import type { SyncState } from './clock-trust.ts'

/** What varve asks the machine of its clock. */
export interface ClockSource {
  /** Names this boot of the kernel; '' when it does not tell. */
  readonly kernel: string
  /** How long the kernel has been up, ms. */
  uptimeMs(): number
  ask(): Promise<SyncState>
}

const SYNCHRONIZED = '/run/systemd/timesync/synchronized'
const TIMESYNCD = '/run/systemd/timesync'
const SYSTEMD = '/run/systemd/system'
const RTC = '/sys/class/rtc'
const BOOT_ID = '/proc/sys/kernel/random/boot_id'
const TIMEDATECTL_EVERY_MS = 60_000
const TIMEDATECTL_MS_MAX = 10_000

export interface MachineParts {
  readonly tree: SysTree
  readonly clock: Clock
  readonly env: Readonly<Record<string, string | undefined>>
  uptimeMs(): number
  /** Runs a program to its end; resolves with what it says. */
  run(program: string, args: readonly string[]): Promise<string>
}

export class MachineClockSource implements ClockSource {
  readonly kernel: string
  private readonly parts: MachineParts
  private readonly hasBattery: boolean
  private askedMs = Number.NEGATIVE_INFINITY
  private timedate: { isSet: boolean; isOn: boolean } | null = null
  /** Why timedatectl is not asked any more. */
  private fault: string | null = null

  constructor(parts: MachineParts) {
    this.parts = parts
    // The unit hides /proc/sys from the service and hands the boot's name over instead.
    this.kernel = parts.env.BOOT_ID || (parts.tree.read(BOOT_ID) ?? '')
    this.hasBattery = parts.tree.list(RTC).some(name => parts.tree.read(`${RTC}/${name}/hctosys`) === '1')
  }

  uptimeMs(): number {
    return this.parts.uptimeMs()
  }

  async ask(): Promise<SyncState> {
    const { hasBattery } = this
    const { tree } = this.parts
    if (tree.real(SYNCHRONIZED) !== null) return { state: 'set', by: 'systemd-timesyncd', hasBattery }
    const hasTimesyncd = tree.real(TIMESYNCD) !== null
    if (tree.real(SYSTEMD) === null) return { state: 'nobody', by: 'no systemd runs here', hasBattery }
    // The file will tell of timesyncd, so its answer can come when it comes; of others only this one does.
    const asked = this.askTimedatectl()
    if (!hasTimesyncd) await asked
    if (this.timedate?.isSet) return { state: 'set', by: 'the time service, as timedatectl says', hasBattery }
    if (hasTimesyncd) return { state: 'waiting', by: 'systemd-timesyncd', hasBattery }
    if (this.fault !== null) return { state: 'nobody', by: this.fault, hasBattery }
    if (this.timedate?.isOn) return { state: 'waiting', by: 'the time service', hasBattery }
    return { state: 'nobody', by: 'no time service is on', hasBattery }
  }

  private async askTimedatectl(): Promise<void> {
    const { clock, run } = this.parts
    if (this.fault !== null || clock.monotonicMs() < this.askedMs + TIMEDATECTL_EVERY_MS) return
    this.askedMs = clock.monotonicMs()
    try {
      const said = await run('timedatectl', ['show', '-p', 'NTP', '-p', 'NTPSynchronized'])
      this.timedate = { isSet: /^NTPSynchronized=yes$/m.test(said), isOn: /^NTP=yes$/m.test(said) }
    } catch (error) {
      this.fault = `timedatectl cannot be asked (${reason(error)})`
    }
  }
}

/** This machine's. */
export function machineClockSource(): ClockSource {
  return new MachineClockSource({
    tree: systemTree,
    clock: systemClock,
    env: process.env,
    uptimeMs: () => uptime() * 1000,
    run: (program, args) =>
      new Promise((resolve, reject) => {
        execFile(program, args, { timeout: TIMEDATECTL_MS_MAX }, (error, out) =>
          error === null ? resolve(out) : reject(error)
        )
      })
  })
}
