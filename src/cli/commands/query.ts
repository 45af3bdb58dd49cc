// `varve query`: a table, CSV, NDJSON or a chart, from a running daemon or straight from a directory.
import { VarveError } from '../../base/errors.ts'
import { parseDuration, printDuration } from '../../base/units.ts'
import { type Command, type Given, type Io, optionText } from '../command.ts'
import type { Answerer, Route } from '../doors.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { parseTimeUs } from '../time-arg.ts'

export const queryCommand: Command = {
  name: 'query',
  usage: '[--from <time>] [--to <time>] [--step <span>] [--format <form>] [match]',
  summary: 'last values, ranges, series names and topic histories',
  about: [
    'Without --from, print the last value of every series that matches; with it, the samples of that span, raw',
    'or, with --step, aggregated. A match is a name with labels, as in PromQL: temperature{site="a"}. Asks the',
    'running daemon; with --data it reads a directory, read-only, even of a card from another machine.'
  ].join('\n'),
  options: [
    { flags: '--topic <filter>', what: 'Only series whose label topic matches this MQTT filter.' },
    {
      flags: '--from <time>',
      what: 'Start: "-1h", "2026-01-31T12:00" (local), "now" or seconds since 1970.'
    },
    { flags: '--to <time>', what: 'End, as --from; default now.' },
    { flags: '--step <span>', what: 'Aggregate over windows of this span, such as 5m.' },
    {
      flags: '--fn <names>',
      what: 'count, sum, min, max, avg, first, last, p50, p99.9, with commas; default avg.'
    },
    { flags: '--by <labels>', what: 'With --step: one result for each value of these labels, with commas.' },
    {
      flags: '--tier <name>',
      what: 'With --step: auto (default), raw, or the rollup tier to read, such as 1h.'
    },
    { flags: '--explain', what: 'With --step: say from where the answer is read, instead of the answer.' },
    { flags: '--limit <n>', what: 'At most so many rows.' },
    { flags: '--series', what: 'Names and labels of the series that match, without values.' },
    { flags: '--history <topic>', what: 'The messages of a topic, each as its fields.' },
    { flags: '--chart', what: 'A chart for each series (needs --from).' },
    { flags: '--format <form>', what: 'table, csv, ndjson or json; default table on a terminal, else csv.' },
    { flags: '--data <dir>', what: 'Read this directory; no daemon is asked.' },
    { flags: '--url <url>', what: 'Ask this daemon; default: the one that runs on data.dir.' },
    { flags: '--token <token>', what: 'Token for the daemon; or VARVE_TOKEN.' },
    { flags: '--config <file>', what: 'Configuration, for data.dir.' }
  ],
  args: ['[match]'],
  takesKeys: false,
  exits: '0 done, 1 usage or a bad query, 2 cannot reach or read',
  examples: [
    ['varve query temperature', 'last value of every series of that name'],
    ['varve query \'power{site="home"}\' --from -1d --step 10m --chart', 'a chart of the last day'],
    ["varve query --topic 'site1/+/telemetry' --from -1h --format csv", 'an hour of everything there'],
    ['varve query --history site1/dev7/telemetry --from -10m', 'the messages of a topic'],
    ['varve query temperature --data /mnt/card --from 2026-01-01', 'a card pulled from a dead Pi']
  ],
  run: query
}

const FORMATS = ['table', 'csv', 'ndjson', 'json'] as const
const CHARTS_MAX = 12
const CHART_POINTS_MAX = 1_000_000

async function query(given: Given, io: Io): Promise<ExitCode> {
  const { route, params } = readQuestion(given, io)
  const format = optionText(given, 'format') ?? (io.columns === null ? 'csv' : 'table')
  if (!FORMATS.some(known => known === format)) {
    throw new VarveError('VARVE_USAGE', `Cannot print as ${format}: the formats are ${FORMATS.join(', ')}`)
  }
  const chart = given.options.chart === true
  if (chart && route !== 'range') {
    throw new VarveError('VARVE_USAGE', 'Cannot draw a chart: it needs --from')
  }
  params.set('format', chart || format === 'table' ? 'ndjson' : format)
  const answerer = await openAnswerer(given, io)
  try {
    const body = await answerer.ask(route, params)
    if (chart) await printCharts(body, io)
    else if (format === 'table') await printTable(body, io)
    else for await (const piece of body) await io.out(piece)
    return EXIT.done
  } finally {
    await answerer.close()
  }
}

function readQuestion(given: Given, io: Io): { route: Route; params: URLSearchParams } {
  const params = new URLSearchParams()
  const [match] = given.args
  const history = optionText(given, 'history')
  const from = optionText(given, 'from')
  const route: Route =
    history !== undefined
      ? 'history'
      : given.options.series === true
        ? 'series'
        : from === undefined
          ? 'last'
          : 'range'
  if (match !== undefined) params.set('match', match)
  if (history !== undefined) params.set('topic', history)
  for (const name of ['topic', 'fn', 'by', 'tier', 'limit']) {
    const value = optionText(given, name)
    if (value === undefined) continue
    if (name === 'topic' && history !== undefined) {
      throw new VarveError('VARVE_USAGE', 'Cannot use --topic with --history: the history is of one topic')
    }
    params.set(name, value)
  }
  if (given.options.explain === true) params.set('explain', '1')
  const step = optionText(given, 'step')
  if (step !== undefined) params.set('step', printDuration(parseDuration(step)))
  addTimes(given, io, params)
  return { route, params }
}

function addTimes(given: Given, io: Io, params: URLSearchParams): void {
  for (const name of ['from', 'to'] as const) {
    const text = optionText(given, name)
    if (text !== undefined) params.set(name, String(parseTimeUs(text, io.nowMs())))
  }
}

async function openAnswerer(given: Given, io: Io): Promise<Answerer> {
  const dir = optionText(given, 'data')
  if (dir !== undefined) return io.doors.openDirectory(dir)
  const { daemonUrl, HttpAnswerer } = await import('../answerer.ts')
  let url = optionText(given, 'url')
  if (url === undefined) {
    const { readConfig } = await import('../config-file.ts')
    url = daemonUrl(readConfig(given, io.env).data.dir)
  }
  return new HttpAnswerer(url, optionText(given, 'token') ?? io.env.VARVE_TOKEN)
}

async function printTable(body: AsyncIterable<Uint8Array>, io: Io): Promise<void> {
  const { readRows, rowCells } = await import('../rows.ts')
  const { TablePrinter } = await import('../table.ts')
  const printer = new TablePrinter(text => io.out(text))
  for await (const row of readRows(body)) await printer.add(rowCells(row))
  await printer.end()
  if (printer.rows === 0) io.err('Nothing matches\n')
}

async function printCharts(body: AsyncIterable<Uint8Array>, io: Io): Promise<void> {
  const { readRows, seriesText } = await import('../rows.ts')
  const { lineChart } = await import('../chart.ts')
  const charts = new Map<string, [number, number][]>()
  let points = 0
  for await (const row of readRows(body)) {
    const { time_us: time } = row
    if (typeof time !== 'number' || ++points > CHART_POINTS_MAX) continue
    for (const [field, value] of Object.entries(row)) {
      if (field === 'time_us' || typeof value !== 'number') continue
      const title = field === 'value' ? seriesText(row) : `${field} ${seriesText(row)}`
      const chart = charts.get(title)
      if (chart === undefined) charts.set(title, [[time / 1000, value]])
      else chart.push([time / 1000, value])
    }
  }
  for (const [title, chart] of [...charts].slice(0, CHARTS_MAX)) {
    await io.out(`${lineChart(title, chart, io.columns ?? 100)}\n`)
  }
  if (points > CHART_POINTS_MAX) io.err(`Only the first ${CHART_POINTS_MAX} samples are drawn; use --step\n`)
  if (charts.size > CHARTS_MAX)
    io.err(`${charts.size - CHARTS_MAX} more series are not drawn; narrow the match\n`)
  if (charts.size === 0) io.err('Nothing matches\n')
}
