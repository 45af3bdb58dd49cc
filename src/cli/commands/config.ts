// `varve config`: the documented defaults, or the verdict on a file.
import { VarveError } from '../../base/errors.ts'
import type { Command } from '../command.ts'
import { EXIT } from '../exit-codes.ts'

export const configCommand: Command = {
  name: 'config',
  usage: '[print | check [file]]',
  summary: 'print the documented defaults, or check a configuration',
  about: [
    'print (the default) writes a complete varve.toml: every key with what it does, why, its bounds and its',
    'default. check reads a file (/etc/varve/varve.toml when none is named) with the conf.d/*.toml beside it,',
    'the environment and the flags, as serve would, and names every problem with its file, line and key.'
  ].join('\n'),
  options: [],
  args: ['[what]', '[file]'],
  takesKeys: true,
  exits: '0 sound, 1 usage or problems found',
  examples: [
    ['varve config > varve.toml', 'start your own from the defaults'],
    ['varve config check ./varve.toml', 'is it sound?'],
    ['varve config check --ack.delay_max 2m', 'Cannot use ack.delay_max in --ack.delay_max: ...']
  ],
  async run(given, io) {
    const [what = 'print', file] = given.args
    if (what === 'print' && file === undefined) {
      const { printReference } = await import('../../config/reference.ts')
      await io.out(printReference())
      return EXIT.done
    }
    if (what !== 'check') {
      const asked = JSON.stringify(given.args.join(' '))
      throw new VarveError(
        'VARVE_USAGE',
        `Cannot run varve config ${asked}: it takes print, or check and a file`
      )
    }
    const { readConfig } = await import('../config-file.ts')
    readConfig({ ...given, options: file === undefined ? {} : { config: file } }, io.env)
    await io.out(`${file ?? 'The configuration'} is sound\n`)
    return EXIT.done
  }
}
