// `varve version`: which varve this is, for people and for scripts that compare.

import { versionText } from '../../base/version.ts'
import type { Command } from '../command.ts'
import { EXIT } from '../exit-codes.ts'

export const versionCommand: Command = {
  name: 'version',
  usage: '[--json]',
  summary: 'print the version',
  about: 'Print the version of varve and of the runtime inside it.',
  options: [{ flags: '--json', what: 'One JSON object.' }],
  args: [],
  takesKeys: false,
  exits: '0 done, 1 usage',
  examples: [['varve version', 'varve 0.1.0 (node 26.10.0, linux arm64)']],
  async run(given, io) {
    const version = versionText()
    const { platform, arch, versions } = process
    await io.out(
      given.options.json === true
        ? `${JSON.stringify({ version, node: versions.node, platform, arch })}\n`
        : `varve ${version} (node ${versions.node}, ${platform} ${arch})\n`
    )
    return EXIT.done
  }
}
