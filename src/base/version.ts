// Which varve this is: the version of package.json, which a bundle carries inside.
import facts from '../../package.json' with { type: 'json' }

export function versionText(): string {
  return facts.version
}
