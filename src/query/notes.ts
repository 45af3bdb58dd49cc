// What an answer says of itself beside its rows: spans whose samples retention took and that tiers do not tell
// exactly, and tiers that were damaged where nothing else tells. Filled while an answer is evaluated, told at its end.
//
// Not here: where it stands in an answer (damage-note.ts, influxql/encode.ts), what is damaged (series/reader.ts).
import type { CorruptionError } from '../base/errors.ts'
import type { SeriesSource, TierSource } from '../series/source.ts'

interface Span {
  fromUs: number
  toUs: number
}

export class Notes {
  /** What is to be said of a span -> the span, as wide as all of which it was said. */
  private readonly spans = new Map<string, Span>()
  /** Damaged tiers that were read although some of their windows cannot be. */
  private readonly onlyPlaces = new Set<TierSource>()

  /** Samples of [fromUs, toUs) are gone, and what tiers tell of it is not what was asked. */
  leftOut(fromUs: number, toUs: number): void {
    this.add('samples are gone by retention and no tier tells exactly what is asked: left out', fromUs, toUs)
  }

  /** Windows that begin in [fromUs, toUs) were taken as they are. */
  inexact({ name }: TierSource, fromUs: number, toUs: number): void {
    this.add(`samples are gone by retention, windows of tier ${name} count where they begin`, fromUs, toUs)
  }

  readDamaged(tier: TierSource): void {
    this.onlyPlaces.add(tier)
  }

  private add(what: string, fromUs: number, toUs: number): void {
    const known = this.spans.get(what)
    if (known === undefined) this.spans.set(what, { fromUs, toUs })
    else {
      known.fromUs = Math.min(known.fromUs, fromUs)
      known.toUs = Math.max(known.toUs, toUs)
    }
  }

  /** One for each kind of thing to be said. */
  get texts(): string[] {
    const iso = (us: number) => new Date(Math.max(0, us) / 1000).toISOString()
    return Array.from(
      this.spans,
      ([what, { fromUs, toUs }]) => `${what}, between ${iso(fromUs)} and ${iso(toUs)}`
    )
  }

  /** Damage by which something is missing in the answer. */
  missing(source: SeriesSource): CorruptionError[] {
    return [...(source.sampleDamage ?? []), ...[...this.onlyPlaces].flatMap(tier => tier.damage ?? [])]
  }
}
