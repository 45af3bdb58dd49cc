// `varve backup`: a verified copy of a data directory, beside a running daemon.
import { roughSize } from '../../base/units.ts'
import type { Command } from '../command.ts'
import { readConfig } from '../config-file.ts'
import { EXIT } from '../exit-codes.ts'
import { percentLines } from '../progress.ts'

export const backupCommand: Command = {
  name: 'backup',
  usage: '[--data DIR] [--verify] [--json] <dir>',
  summary: 'back up the data directory, also while the daemon runs',
  about: [
    'Make a backup in <dir>, or bring the one there up to date: segments never change, so those that it',
    'has stay, new ones are linked on the same file system and copied elsewhere. It holds all that was',
    'acknowledged before, telemetry and entries as of one moment, and is verified as it is written. A link',
    'shares its bytes with the data directory: a backup against a lost card belongs on another one.'
  ].join('\n'),
  options: [
    { flags: '--config <file>', what: 'Configuration that says where the data are.' },
    { flags: '--data <dir>', what: 'The data directory.' },
    { flags: '--verify', what: 'Read again what earlier backups took.' },
    { flags: '--json', what: 'One JSON object.' }
  ],
  args: ['<dir>'],
  takesKeys: false,
  exits: '0 done, 1 usage, 2 cannot, 3 corruption found',
  examples: [['varve backup /mnt/usb/varve', '']],
  async run(given, io) {
    const from = readConfig(given, io.env).data.dir
    const onProgress = percentLines(io, 'read')
    const report = await io.doors.backup(from, given.args[0]!, given.options.verify === true, onProgress)
    if (report.uncounted !== null) io.err(`not in the wear ledger: ${report.uncounted}\n`)
    if (given.options.json === true) await io.out(`${JSON.stringify(report.body)}\n`)
    else {
      const { number, files, bytes, segmentsLinked, segmentsCopied, segmentsKept, bytesCopied } = report
      await io.out(
        [
          `backup ${number}: ${files} files, ${roughSize(bytes)}, content ${report.contentSum}`,
          `segments: ${segmentsKept} kept, ${segmentsLinked} linked, ${segmentsCopied} copied; ${roughSize(bytesCopied)} written`,
          ...report.damage.map(one => `damaged in the data: ${one.file} at byte ${one.offset}: ${one.why}`),
          ''
        ].join('\n')
      )
    }
    return report.damage.length === 0 ? EXIT.done : EXIT.corruption
  }
}
