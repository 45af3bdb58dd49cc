// `varve export`: rows of a daemon or a directory as a file that `varve import` and others read.
import { existsSync } from 'node:fs'
import { VarveError } from '../../base/errors.ts'
import { FORMS, type Form, formOf } from '../../transfer/form.ts'
import { openAnswerer } from '../answer-from.ts'
import { type Command, type Given, type Io, optionText } from '../command.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { parseTimeUs } from '../time-arg.ts'

export const exportCommand: Command = {
  name: 'export',
  usage: '[--format <form>] [--since <time>] [--until <time>] [--resume] <file> [match...]',
  summary: 'writes samples to CSV, NDJSON, line protocol or Parquet',
  about: [
    'Write every sample that matches to a file: all kinds of values, labels, times in us; `varve import` reads it',
    'back bit for bit. A match is a name with labels, as in PromQL. FILE.part is written, and FILE is there when it',
    'is whole; after an interruption the same line with --resume goes on behind what FILE.part.json says was',
    'written, once its checksum is right. The bounds of time are those of the first run. FILE - is standard output.',
    '',
    'csv and parquet have a line a sample and a column for each label; ndjson and line one a message. What line',
    'protocol cannot say (bytes, NaN, infinities, a group without a name) is text that begins with "varve:".'
  ].join('\n'),
  options: [
    { flags: '--format <form>', what: `${FORMS.join(', ')}; default: by the ending of the file.` },
    { flags: '--topic <filter>', what: 'Only series whose label topic matches this MQTT filter.' },
    {
      flags: '--since <time>',
      what: 'Start: "-1h", "2026-01-31T12:00" (local), "now" or seconds since 1970.'
    },
    { flags: '--until <time>', what: 'End, itself included, as --since.' },
    { flags: '--resume', what: 'Go on where an earlier run was cut off; begin when there was none.' },
    { flags: '--data <dir>', what: 'Read this directory; no daemon is asked.' },
    { flags: '--url <url>', what: 'Ask this daemon; default: the one that runs on data.dir.' },
    { flags: '--token <token>', what: 'Token for the daemon; or VARVE_TOKEN.' },
    { flags: '--config <file>', what: 'Configuration, for data.dir.' }
  ],
  args: ['<file>', '[match...]'],
  takesKeys: false,
  exits: '0 done, 1 usage, 2 cannot reach, read or write',
  examples: [
    ['varve export all.parquet', 'everything, for DuckDB and others'],
    ["varve export --topic 'site1/#' --since -1d day.csv", 'a day of a site'],
    ['varve export --resume all.parquet', 'goes on after an interruption'],
    ['varve export --format line - | gzip > all.line.gz', 'for InfluxDB']
  ],
  run: exportRows
}

async function exportRows(given: Given, io: Io): Promise<ExitCode> {
  const { runExport } = await import('../export-run.ts')
  const { loadState } = await import('../transfer-state.ts')
  const [file, ...match] = given.args as [string, ...string[]]
  const form = formGiven(given, file)
  const isResumed = given.options.resume === true
  const state = `${file}.part.json`
  if (isResumed && file === '-') throw new VarveError('VARVE_USAGE', 'Cannot resume standard output')
  if (file !== '-' && existsSync(file)) {
    throw new VarveError(
      'VARVE_USAGE',
      `Cannot write ${file}: it is there already; remove it or take another name`
    )
  }
  if (!isResumed && existsSync(state)) {
    throw new VarveError(
      'VARVE_USAGE',
      `Cannot write ${file}: ${state} is of an earlier run; add --resume or remove it`
    )
  }
  const before = isResumed ? loadState<import('../transfer-state.ts').ExportState>(state) : null
  const topic = optionText(given, 'topic') ?? null
  const isSame =
    before === null ||
    (before.form === form && before.topic === topic && JSON.stringify(before.match) === JSON.stringify(match))
  if (!isSame)
    throw new VarveError('VARVE_USAGE', `Cannot go on with ${file}: ${state} is of another question`)
  const times = {
    from_us: before === null ? timeGiven(given, 'since', io) : before.from_us,
    to_us: before === null ? timeGiven(given, 'until', io) : before.to_us
  }
  const answerer = await openAnswerer(given, io)
  try {
    await runExport({ file, form, match, topic, ...times, before }, answerer, io)
    return EXIT.done
  } finally {
    await answerer.close()
  }
}

/** @throws {VarveError} VARVE_USAGE when neither option nor name says it */
export function formGiven(given: Given, file: string): Form {
  const text = optionText(given, 'format')
  const form = text === undefined ? formOf(file) : FORMS.find(known => known === text)
  if (form !== null && form !== undefined) return form
  const why =
    text === undefined ? `the name ${file} does not say its form, use --format` : `${text} is no form`
  throw new VarveError('VARVE_USAGE', `Cannot tell the form: ${why}; the forms are ${FORMS.join(', ')}`)
}

/** A time in us; null when it is not given. @throws {VarveError} VARVE_USAGE */
export function timeGiven(given: Given, name: string, io: Io): number | null {
  const text = optionText(given, name)
  return text === undefined ? null : parseTimeUs(text, io.nowMs())
}
