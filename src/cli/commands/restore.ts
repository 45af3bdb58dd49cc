// `varve restore`: a data directory from a backup.
import { roughSize } from '../../base/units.ts'
import type { Command } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { percentLines } from '../progress.ts'

export const restoreCommand: Command = {
  name: 'restore',
  usage: '[--json] <backup> <dir>',
  summary: 'make a data directory from a backup',
  about: [
    'Copy a backup to <dir>, which must not be there or be empty, and verify every byte of it. The directory',
    'appears when all of it is on the medium; a damaged backup is refused by the name of the file.'
  ].join('\n'),
  options: [{ flags: '--json', what: 'One JSON object.' }],
  args: ['<backup>', '<dir>'],
  takesKeys: false,
  exits: '0 done, 1 usage, 2 cannot, 3 the backup is damaged',
  examples: [['varve restore /mnt/usb/varve /var/lib/varve', '']],
  async run(given, io) {
    const onProgress = percentLines(io, 'restored')
    const report = await io.doors.restore(given.args[0]!, given.args[1]!, onProgress)
    const { number, madeUs, files, bytes, contentSum, damage } = report
    if (given.options.json === true) {
      const body = { number, made_us: madeUs, files, bytes, content_sum: contentSum, damage }
      await io.out(`${JSON.stringify(body)}\n`)
    } else {
      const made = new Date(madeUs / 1000).toISOString()
      await io.out(
        `restored backup ${number} of ${made}: ${files} files, ${roughSize(bytes)}, content ${contentSum}\n`
      )
      for (const one of damage) await io.out(`was damaged: ${one.file} at byte ${one.offset}: ${one.why}\n`)
    }
    return EXIT.done
  }
}
