// The real Io: this process' streams, signals and environment.
//
// Invariants: a reader that goes away (`varve query | head`) ends the command quietly; standard output is
// written no faster than it is taken; the process ends by itself when its work is done, with what was
// written on its way out, and is ended only when a daemon is asked twice to stop.
import { setTimeout } from 'node:timers/promises'
import { systemClock } from '../base/clock.ts'
import type { Io } from './command.ts'
import { doors } from './doors.ts'
import { EXIT } from './exit-codes.ts'
import { run } from './run.ts'

/** Runs this process' command line and sets its exit code; a bug of ours ends it with its stack and 2, as usage is 1. */
export async function runProcess(): Promise<void> {
  process.stdout.on('error', endQuietly)
  try {
    process.exitCode = await run(process.argv.slice(2), processIo())
  } catch (bug) {
    process.stderr.write(`${bug instanceof Error ? bug.stack : String(bug)}\n`)
    process.exit(EXIT.failed)
  }
}

function processIo(): Io {
  const { stdout, stderr } = process
  return {
    out(text) {
      return new Promise(resolve => {
        if (stdout.write(text)) resolve()
        else stdout.once('drain', resolve)
      })
    },
    err: text => void stderr.write(text),
    env: process.env,
    pid: process.pid,
    columns: stdout.isTTY ? (stdout.columns ?? 80) : null,
    errIsTerminal: stderr.isTTY === true,
    pause: ms => setTimeout(ms),
    input: () => process.stdin,
    nowMs: () => Math.floor(systemClock.nowUs() / 1000),
    onSignal(listener) {
      const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const
      const ends = signals.map(signal => {
        const on = () => listener(signal)
        process.on(signal, on)
        return () => process.off(signal, on)
      })
      return () => ends.forEach(end => void end())
    },
    abort(error) {
      stderr.write(`${error.message}\n`)
      process.exit(EXIT.failed)
    },
    doors
  }
}

function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(EXIT.done)
  throw error
}
