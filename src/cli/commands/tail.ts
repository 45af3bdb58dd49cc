// `varve tail`: rows as they become durable in a running daemon.
import { VarveError } from '../../base/errors.ts'
import { openDaemon } from '../answer-from.ts'
import { type Command, type Given, type Io, optionText } from '../command.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'

export const tailCommand: Command = {
  name: 'tail',
  usage: '[--topic <filter>] [--format <form>] [--limit <n>] [match...]',
  summary: 'prints rows as they come in',
  about: [
    'Print the rows that match as they become durable, until SIGINT or SIGTERM. A match is a name with labels, as',
    'in PromQL. Who reads too slowly loses rows, and is told how many on standard error.'
  ].join('\n'),
  options: [
    { flags: '--topic <filter>', what: 'Only series whose label topic matches this MQTT filter.' },
    { flags: '--format <form>', what: 'text or ndjson; default text on a terminal, else ndjson.' },
    { flags: '--limit <n>', what: 'End after so many rows.' },
    { flags: '--url <url>', what: 'Follow this daemon; default: the one that runs on data.dir.' },
    { flags: '--token <token>', what: 'Token for the daemon; or VARVE_TOKEN.' },
    { flags: '--config <file>', what: 'Configuration, for data.dir.' }
  ],
  args: ['[match...]'],
  takesKeys: false,
  exits: '0 ended, 1 usage, 2 cannot reach, or the connection broke',
  examples: [
    ["varve tail --topic 'site1/#'", 'what a site sends'],
    ['varve tail temperature --limit 10 --format ndjson', 'the next ten temperatures']
  ],
  run: tail
}

async function tail(given: Given, io: Io): Promise<ExitCode> {
  const { readEvents } = await import('../server-events.ts')
  const { rowCells } = await import('../rows.ts')
  const format = optionText(given, 'format') ?? (io.columns === null ? 'ndjson' : 'text')
  if (format !== 'text' && format !== 'ndjson') {
    throw new VarveError('VARVE_USAGE', `Cannot print as ${format}: the formats are text, ndjson`)
  }
  const limit = optionText(given, 'limit')
  if (limit !== undefined && !/^[1-9]\d{0,14}$/.test(limit)) {
    throw new VarveError('VARVE_USAGE', `Cannot end after ${limit} rows: it is a whole number from 1`)
  }
  const params = new URLSearchParams(given.args.map(match => ['match', match]))
  const topic = optionText(given, 'topic')
  if (topic !== undefined) params.set('topic', topic)
  const daemon = await openDaemon(given, io)
  const stop = new AbortController()
  const ignore = io.onSignal(() => stop.abort())
  let left = limit === undefined ? Number.POSITIVE_INFINITY : Number(limit)
  try {
    for await (const { event, data } of readEvents(daemon.follow(`/v1/tail?${params}`, stop.signal))) {
      const found = JSON.parse(data) as Readonly<Record<string, unknown>>
      if (event === 'dropped') io.err(`Left out ${found.rows} rows: they came faster than they were read\n`)
      else if (event === 'error') throw new VarveError(String(found.code), String(found.message))
      else {
        await io.out(format === 'ndjson' ? `${data}\n` : `${textOf(rowCells(found))}\n`)
        if (--left <= 0) break
      }
    }
    return EXIT.done
  } finally {
    stop.abort()
    ignore()
  }
}

/** "2026-01-31 12:00:00  weather{site="a"}  temperature=21.4". */
function textOf(cells: Map<string, string>): string {
  const { time = '', series = '', ...fields } = Object.fromEntries(cells)
  const values = Object.entries(fields).map(([field, value]) => `${field}=${value}`)
  return [time, series, ...values].join('  ')
}
