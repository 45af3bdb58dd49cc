// `varve check`: verifies every checksum of a data directory.
import { roughSize } from '../../base/units.ts'
import type { Command } from '../command.ts'
import { EXIT } from '../exit-codes.ts'

export const checkCommand: Command = {
  name: 'check',
  usage: '[--json] <dir>',
  summary: 'verify every checksum of a data directory',
  about: [
    'Read every byte of a data directory and verify every checksum. Opens read-only, changes nothing, and',
    'works while the daemon runs. An unsynced end of the WAL, as a power cut leaves it, is no damage.'
  ].join('\n'),
  options: [{ flags: '--json', what: 'One JSON object per finding, and one for the sum.' }],
  args: ['<dir>'],
  takesKeys: false,
  exits: '0 sound, 1 usage, 2 cannot read, 3 corruption found',
  examples: [['varve check /var/lib/varve', '']],
  async run(given, io) {
    const json = given.options.json === true
    const sum = { files: 0, bytes: 0, blocks: 0, damaged: 0 }
    const line = (facts: object, text: string) => io.out(json ? `${JSON.stringify(facts)}\n` : `${text}\n`)
    for await (const step of io.doors.checkDirectory(given.args[0]!)) {
      if (step.kind === 'file') {
        sum.files++
        sum.bytes += step.bytes
        sum.blocks += step.blocks
      } else {
        sum.damaged++
        await line(step, `damaged: ${step.file} at byte ${step.offset}: ${step.why}`)
      }
    }
    const verdict = sum.damaged === 0 ? 'sound' : `${sum.damaged} damaged`
    const read = `${sum.files} files, ${sum.blocks} blocks, ${roughSize(sum.bytes)}`
    await line({ kind: 'sum', ...sum, sound: sum.damaged === 0 }, `${verdict}: ${read}`)
    return sum.damaged === 0 ? EXIT.done : EXIT.corruption
  }
}
