// The command line as a whole: finds the command, runs it, and turns what it throws into a line on standard
// error and an exit code.
// Not here: the process (main.ts calls runProcess()), the commands (commands/*.ts).
import { reason, VarveError } from '../base/errors.ts'
import { versionText } from '../base/version.ts'
import { readArgs } from './args.ts'
import type { Command, Io } from './command.ts'
import { backupCommand } from './commands/backup.ts'
import { checkCommand } from './commands/check.ts'
import { configCommand } from './commands/config.ts'
import { exportCommand } from './commands/export.ts'
import { importCommand } from './commands/import.ts'
import { queryCommand } from './commands/query.ts'
import { restoreCommand } from './commands/restore.ts'
import { serveCommand } from './commands/serve.ts'
import { tailCommand } from './commands/tail.ts'
import { versionCommand } from './commands/version.ts'
import { wearCommand } from './commands/wear.ts'
import { EXIT, type ExitCode, exitCodeOf } from './exit-codes.ts'
import { printCommandHelp, printProgramHelp } from './help.ts'

/** In the order in which help lists them. */
export const COMMANDS: readonly Command[] = [
  serveCommand,
  queryCommand,
  tailCommand,
  exportCommand,
  importCommand,
  wearCommand,
  checkCommand,
  backupCommand,
  restoreCommand,
  configCommand,
  versionCommand
]

/** Runs a command line. What is not a VarveError is our bug: it is thrown on. */
export async function run(argv: readonly string[], io: Io): Promise<ExitCode> {
  try {
    const asked = readArgs(argv, COMMANDS)
    if (asked.kind === 'run') return await asked.command.run(asked.given, io)
    const page =
      asked.command === null ? printProgramHelp(COMMANDS, versionText()) : printCommandHelp(asked.command)
    await io.out(page)
    return argv.length === 0 ? EXIT.usage : EXIT.done
  } catch (error) {
    if (!(error instanceof VarveError)) throw error
    io.err(`${reason(error)}\n`)
    return exitCodeOf(error.code)
  }
}
