// Prints help from the facts of a command, so that every page has the same order: usage, what it does,
// options, exit codes, examples.
import type { Command } from './command.ts'

/** The page of one command. */
export function printCommandHelp(command: Command): string {
  const lines = [
    `Usage: varve ${command.name}${command.usage === '' ? '' : ` ${command.usage}`}`,
    '',
    command.about
  ]
  const options = command.options.map(({ flags, what }) => [flags, what] as const)
  if (options.length > 0) lines.push('', ...columns(options))
  if (command.takesKeys) {
    lines.push(
      '',
      'Every key of varve.toml is a flag as well, such as --mqtt.port 0 or --ack.delay_max=5s, and an',
      'environment variable, such as VARVE_MQTT__PORT. Flags override the environment, which overrides',
      'files. `varve config` prints every key with its meaning and default.'
    )
  }
  lines.push('', `Exit: ${command.exits}`)
  const label = command.examples.length === 1 ? 'Example:' : 'Examples:'
  lines.push(label, ...columns(command.examples))
  return `${lines.join('\n')}\n`
}

/** The page of the program. */
export function printProgramHelp(commands: readonly Command[], version: string): string {
  const first: [string, string][] = [
    ['varve serve', 'start it; devices publish to port 1883'],
    ['varve query temperature', 'the last value of every series of that name'],
    ['varve query temperature --from -1d --step 10m --chart', 'the last day as a chart'],
    ['varve help query', 'everything about one command']
  ]
  return `${[
    `varve ${version}: an MQTT broker, a flash-kind time-series store and a query API in one executable`,
    '',
    'Usage: varve <command> [options]',
    '',
    ...columns(commands.map(({ name, summary }) => [name, summary])),
    '',
    'Examples:',
    ...columns(first),
    '',
    'Exit: 0 done, 1 usage or configuration, 2 failed, 3 corruption found'
  ].join('\n')}\n`
}

/** Two columns; a long left side has its right side below. */
function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.min(44, Math.max(...rows.map(([left]) => left.length)))
  return rows.flatMap(([left, right]) => {
    const space = ' '.repeat(width + 4)
    const [first, ...rest] = wrap(right, 100 - width - 4)
    const head =
      left.length > width ? [`  ${left}`, `${space}${first}`] : [`  ${left.padEnd(width)}  ${first}`]
    return [...head, ...rest.map(line => `${space}${line}`)]
  })
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
