// A command line without a process: collects what is printed, and opens doors that tests supply.
import type { Io } from '../../src/cli/command.ts'
import type { Doors } from '../../src/cli/doors.ts'
import { run } from '../../src/cli/run.ts'

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

type Signal = 'SIGTERM' | 'SIGINT' | 'SIGHUP'

/** Where a running command can be reached. */
export interface Handle {
  signal(signal: Signal): void
  readonly aborted: Error[]
}

function closed(): never {
  throw new Error('this door is not part of the test')
}

const CLOSED: Doors = {
  startDaemon: closed,
  openDirectory: closed,
  checkDirectory: closed,
  readLedger: closed,
  backup: closed,
  restore: closed
}

/** The world of a command without a process, and what it says on standard error. */
export function fakeIo(): { io: Io; said(): string } {
  let err = ''
  const io: Io = {
    out: async () => {},
    err(text) {
      err += text
    },
    env: {},
    pid: 4711,
    columns: null,
    errIsTerminal: false,
    pause: async () => {},
    input: async function* () {},
    nowMs: () => Date.UTC(2026, 0, 2, 12),
    onSignal: () => () => {},
    abort: closed,
    doors: CLOSED
  }
  return { io, said: () => err }
}

/** Runs a command line with these doors. `during` is called when the command waits for signals. */
export async function runWith(
  argv: readonly string[],
  more: {
    doors?: Partial<Doors>
    env?: Record<string, string>
    columns?: number | null
    pause?: (ms: number) => Promise<void>
    during?: (handle: Handle) => void
  } = {}
): Promise<Ran> {
  let out = ''
  let err = ''
  const aborted: Error[] = []
  const decoder = new TextDecoder()
  const io: Io = {
    async out(text) {
      out += typeof text === 'string' ? text : decoder.decode(text)
    },
    err(text) {
      err += text
    },
    env: more.env ?? {},
    pid: 4711,
    columns: more.columns === undefined ? 80 : more.columns,
    errIsTerminal: false,
    pause: more.pause ?? (async () => {}),
    input: async function* () {},
    nowMs: () => Date.UTC(2026, 0, 2, 12),
    onSignal(listener) {
      more.during?.({ signal: listener, aborted })
      return () => {}
    },
    abort: error => void aborted.push(error),
    doors: { ...CLOSED, ...more.doors }
  }
  const code = await run(argv, io)
  return { code, out, err }
}
