// Tells systemd how the daemon is: ready, alive, stopping, and a status line for `systemctl status`.
//
// The protocol is one datagram to the unix socket that NOTIFY_SOCKET names, and Node's core opens no unix
// datagram socket. The ways round it, and why this one: native add-ons cannot be part of one file; node:ffi
// could call sendmsg() but is behind an experimental flag and a wrong call ends the process; a helper that
// stays running costs memory for ever. So each message is one run of `systemd-notify`, which every machine
// with systemd has: a few ms of another core, every half WatchdogSec. The unit therefore needs
// NotifyAccess=all, because the sender is a child and not the main process; systemd-notify (246 and later)
// stays until systemd has taken the message, so it cannot be attributed to a process that is gone.
//
// Invariants: without NOTIFY_SOCKET nothing is spawned; messages are sent one after the other, in order; an
// unsent watchdog message is skipped, not queued; a message that fails is reported and never stops the
// daemon; the watchdog is fed only while alive() says so.
// Not here: when the daemon is ready and whether it is well (compose.ts).
import { spawn } from 'node:child_process'
import type { Clock } from '../base/clock.ts'
import { VarveError } from '../base/errors.ts'

export interface NotifyOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly pid: number
  readonly clock: Clock
  /** Asked before each watchdog message; false lets systemd restart the daemon. */
  readonly alive: () => boolean
  /** Told when a message could not be sent. */
  readonly onFault: (error: VarveError) => void
  /** The program that sends; found in PATH. */
  readonly program?: string
}

/** How long a message may take before its sender is ended. */
const sendMaxMs = 5000

export class SystemdNotifier {
  private readonly options: NotifyOptions
  private readonly socket: string
  private queue: Promise<void> = Promise.resolve()
  private pending = 0
  private cancelWatchdog: (() => void) | null = null

  private constructor(options: NotifyOptions, socket: string) {
    this.options = options
    this.socket = socket
  }

  /** A notifier, or null when systemd did not start us (no NOTIFY_SOCKET). */
  static open(options: NotifyOptions): SystemdNotifier | null {
    const socket = options.env.NOTIFY_SOCKET
    return socket === undefined || socket === '' ? null : new SystemdNotifier(options, socket)
  }

  /** The daemon listens and answers; starts feeding the watchdog when the unit has one. */
  ready(status: string): Promise<void> {
    const everyMs = watchdogMs(this.options.env, this.options.pid)
    if (everyMs !== null) this.feed(everyMs / 2)
    return this.send('READY=1', `MAINPID=${this.options.pid}`, `STATUS=${oneLine(status)}`)
  }

  /** The line that `systemctl status` shows. */
  status(text: string): Promise<void> {
    return this.send(`STATUS=${oneLine(text)}`)
  }

  /** The daemon is shutting down; the watchdog is fed until close(), so that a long stop is not cut short. */
  stopping(): Promise<void> {
    return this.send('STOPPING=1', 'STATUS=stopping')
  }

  /** No further messages; resolves when those under way are sent. */
  close(): Promise<void> {
    this.cancelWatchdog?.()
    this.cancelWatchdog = null
    return this.queue
  }

  private feed(everyMs: number): void {
    this.cancelWatchdog = this.options.clock.after(everyMs, () => {
      if (this.pending === 0 && this.options.alive()) void this.send('WATCHDOG=1')
      this.feed(everyMs)
    })
  }

  private send(...message: string[]): Promise<void> {
    this.pending++
    this.queue = this.queue.then(async () => {
      try {
        await runSender(this.options.program ?? 'systemd-notify', message, this.socket, this.options.env.PATH)
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause)
        this.options.onFault(
          new VarveError('VARVE_NOTIFY', `Cannot tell systemd ${message[0]}: ${why}`, { cause })
        )
      } finally {
        this.pending--
      }
    })
    return this.queue
  }
}

/** The watchdog's period in ms; null when there is none, or it is meant for another process. */
export function watchdogMs(env: Readonly<Record<string, string | undefined>>, pid: number): number | null {
  const us = Number(env.WATCHDOG_USEC ?? '')
  if (!Number.isSafeInteger(us) || us <= 0) return null
  if (env.WATCHDOG_PID !== undefined && env.WATCHDOG_PID !== '' && env.WATCHDOG_PID !== String(pid))
    return null
  return us / 1000
}

/** systemd takes one assignment a line. */
function oneLine(text: string): string {
  return text.replace(/[\r\n\0]+/g, ' ').slice(0, 200)
}

function runSender(
  program: string,
  message: string[],
  socket: string,
  path: string | undefined
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, message, {
      env: { NOTIFY_SOCKET: socket, PATH: path ?? '/usr/bin:/bin' },
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: sendMaxMs
    })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(0, 300)
    })
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (code === 0) resolve()
      else
        reject(new Error(`${program} ended with ${signal ?? code}${said === '' ? '' : `: ${said.trim()}`}`))
    })
  })
}
