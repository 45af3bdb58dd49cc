// `varve wear`: what was written, by whom, and how long the card will last.

import { VarveError } from '../../base/errors.ts'
import { parseDuration, parseSize } from '../../base/units.ts'
import { type Command, type Given, type Io, optionText } from '../command.ts'
import type { WearLedger } from '../doors.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'

export const wearCommand: Command = {
  name: 'wear',
  usage: '[--url <url> | --data <dir>] [--size <size>] [--endurance <n>] [options] [--json]',
  summary: 'bytes written by cause, per sample, per day, and the life of the card',
  about: [
    'Show every byte that varve made the medium write, by cause, with bytes per sample and per day, a plot of',
    'the last 30 days and of 12 months, and the projected life of a medium of the given size and endurance',
    'with what it rests on. Asks the running daemon; with --data it reads the ledger of a directory as it was',
    'noted last, with what the WAL shows since. A daemon also says what it does for the budget now, and the',
    'system what it knows of the device; a device that says that it is worn out is a warning.',
    '',
    'With --json: the body of GET /v1/wear (since_ms, until_ms, samples, medium_bytes, bytes by cause,',
    'programmed_bytes, days of day_ms, bytes and programmed_bytes, flash, control) with `projection`:',
    'medium_bytes, endurance, life_wanted_ms, amplification, total_bytes, bytes_per_sample, rate_days,',
    'bytes_per_day, programmed_bytes_per_day, budget_bytes_per_day, used_ratio, life_ms, end_ms; what is not',
    'known yet is null.'
  ].join('\n'),
  options: [
    { flags: '--data <dir>', what: 'Read this directory; no daemon is asked.' },
    { flags: '--url <url>', what: 'Ask this daemon; default: the one that runs on data.dir.' },
    { flags: '--token <token>', what: 'Token for the daemon; or VARVE_TOKEN.' },
    { flags: '--config <file>', what: 'Configuration, for data.dir and flash.*.' },
    { flags: '--size <size>', what: 'Size of the medium, such as 32GB; default flash.size.' },
    { flags: '--endurance <n>', what: 'Full writes that it bears; default flash.endurance.' },
    { flags: '--amplification <x>', what: 'Bytes programmed for one written; default: estimated.' },
    { flags: '--life <duration>', what: 'How long it is meant to last; default flash.life.' },
    { flags: '--json', what: 'One JSON object.' }
  ],
  args: [],
  takesKeys: false,
  exits: '0 done, 1 usage, 2 cannot reach or read',
  examples: [
    ['varve wear', 'of the daemon on this machine'],
    ['varve wear --data /mnt/card --size 32GB --endurance 500', 'of a card that was pulled']
  ],
  run: wear
}

async function wear(given: Given, io: Io): Promise<ExitCode> {
  const { readConfig } = await import('../config-file.ts')
  const { projectionBody, wearReport } = await import('../wear-report.ts')
  const config = readConfig({ ...given, options: { ...given.options, data: undefined } }, io.env)
  const ledger = await readLedger(given, io, config.data.dir)
  const size = optionText(given, 'size')
  const life = optionText(given, 'life')
  const medium = {
    bytes: size === undefined ? (config.flash.size ?? ledger.mediumBytes) : parseSize(size),
    endurance:
      numberOption(given, 'endurance', /^[1-9]\d{0,6}$/, 'a whole number from 1') ?? config.flash.endurance,
    amplification: numberOption(given, 'amplification', /^[1-9]\d{0,3}(\.\d+)?$/, 'a number from 1') ?? null,
    lifeMs: life === undefined ? config.flash.life : parseDuration(life)
  }
  const report = wearReport(ledger, medium)
  if (given.options.json === true) {
    const { ledgerBody } = await import('../wear-body.ts')
    await io.out(`${JSON.stringify({ ...ledgerBody(ledger), projection: projectionBody(report, medium) })}\n`)
  } else {
    const { printWear } = await import('../wear-text.ts')
    await io.out(printWear(report, ledger, medium, io.columns ?? 80))
  }
  return EXIT.done
}

function numberOption(given: Given, name: string, pattern: RegExp, bound: string): number | undefined {
  const text = optionText(given, name)
  if (text === undefined) return undefined
  if (!pattern.test(text))
    throw new VarveError('VARVE_USAGE', `Cannot use --${name} ${text}: it must be ${bound}`)
  return Number(text)
}

async function readLedger(given: Given, io: Io, dataDir: string): Promise<WearLedger> {
  const dir = optionText(given, 'data')
  if (dir !== undefined) return io.doors.readLedger(dir)
  const { daemonUrl, HttpAnswerer } = await import('../answerer.ts')
  const { parseLedger } = await import('../wear-body.ts')
  const url = optionText(given, 'url') ?? daemonUrl(dataDir)
  const daemon = new HttpAnswerer(url, optionText(given, 'token') ?? io.env.VARVE_TOKEN)
  return parseLedger(await daemon.json('/v1/wear'))
}
