// `varve import`: rows of a file into a running daemon.
import { VarveError } from '../../base/errors.ts'
import { parseDuration } from '../../base/units.ts'
import { TIME_MAX_US, TIME_MIN_US } from '../../series/sample.ts'
import { FORMS } from '../../transfer/form.ts'
import { openDaemon } from '../answer-from.ts'
import { type Command, type Given, type Io, optionText } from '../command.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { formGiven, timeGiven } from './export.ts'

const PRECISIONS = ['ns', 'us', 'ms', 's']

export const importCommand: Command = {
  name: 'import',
  usage: '[--format <form>] [--since <time>] [--until <time>] [--resume] <file>',
  summary: 'reads samples from CSV, NDJSON, line protocol or Parquet',
  about: [
    'Send the samples of a file to a running daemon, batch after batch, each acknowledged when it is on the medium.',
    'Lines that are no samples are told with their number, and the others are stored. After an interruption the',
    'same line with --resume goes on behind the rows that FILE.import.json says the daemon has, once their checksum',
    'is right. Importing a file twice changes nothing: equal series and time are the same sample. FILE - is',
    'standard input.',
    '',
    'csv needs a column time_us (or time_ms, time_s, time) and value; name, field and kind may be there, every',
    'other column is a label. parquet likewise, with time. What `varve export` writes is read back bit for bit.'
  ].join('\n'),
  options: [
    { flags: '--format <form>', what: `${FORMS.join(', ')}; default: by the ending of the file.` },
    {
      flags: '--precision <unit>',
      what: `Unit of the times of line protocol: ${PRECISIONS.join(', ')}; default ns.`
    },
    {
      flags: '--since <time>',
      what: 'Only samples from this time on, such as "-1h" or "2026-01-31T12:00" (local).'
    },
    { flags: '--until <time>', what: 'Only samples up to this time, itself included.' },
    { flags: '--resume', what: 'Go on where an earlier run was cut off; begin when there was none.' },
    { flags: '--retry <span>', what: 'Ask a daemon that cannot take them again for so long; default 5m.' },
    { flags: '--url <url>', what: 'Send to this daemon; default: the one that runs on data.dir.' },
    { flags: '--token <token>', what: 'Token for the daemon; or VARVE_TOKEN.' },
    { flags: '--config <file>', what: 'Configuration, for data.dir.' }
  ],
  args: ['<file>'],
  takesKeys: false,
  exits: '0 all stored, 1 usage, 2 cannot reach or read, or some lines were refused',
  examples: [
    ['varve import all.parquet', 'what varve export wrote'],
    ['varve import --precision s --format line - < dump.txt', 'a dump of InfluxDB with times in seconds'],
    ['varve import --resume all.parquet', 'goes on after an interruption']
  ],
  run: importRows
}

async function importRows(given: Given, io: Io): Promise<ExitCode> {
  const { runImport } = await import('../import-run.ts')
  const { loadState } = await import('../transfer-state.ts')
  const [file] = given.args as [string]
  const form = formGiven(given, file)
  const precision = optionText(given, 'precision') ?? 'ns'
  if (!PRECISIONS.includes(precision)) {
    throw new VarveError(
      'VARVE_USAGE',
      `Cannot read times in ${precision}: the units are ${PRECISIONS.join(', ')}`
    )
  }
  const daemon = await openDaemon(given, io)
  const before =
    given.options.resume === true && file !== '-'
      ? loadState<import('../transfer-state.ts').ImportState>(`${file}.import.json`)
      : null
  if (before !== null && before.form !== form) {
    throw new VarveError('VARVE_USAGE', `Cannot go on with ${file}: it was read as ${before.form}`)
  }
  const task = {
    ...{ file, form, precision, before },
    url: daemon.url,
    fromUs: timeGiven(given, 'since', io) ?? TIME_MIN_US,
    toUs: timeGiven(given, 'until', io) ?? TIME_MAX_US,
    retryMs: parseDuration(optionText(given, 'retry') ?? '5m')
  }
  const send = (body: Uint8Array) => daemon.post('/v1/import', body, 'application/x-ndjson')
  return (await runImport(task, send, io)) === 0 ? EXIT.done : EXIT.failed
}
