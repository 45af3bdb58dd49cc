// Which varve this is: the version of package.json, which a bundle carries inside.
import facts from '../../package.json' with { type: 'json' }

/**
 * No varve is older than this, us since the Unix epoch (2026-01-01): a clock that shows less is wrong. To be moved on
 * with releases, never back.
 */
export const MADE_US = 1_767_225_600_000_000

export function versionText(): string {
  return facts.version
}
