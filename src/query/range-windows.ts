// A range in windows: each series for itself, or those of one name that are equal in some labels together.
// Series are taken in clusters: all answer series fed by the same groups. Such a cluster is one group when
// series stay alone, else all groups of equal labels. A group is read once for all its fields, and only one
// cluster's windows are in memory.
import { type Labels, labelValue } from '../series/label.ts'
import type { SeriesSource, TierNeed, TierSource, TierWindow } from '../series/source.ts'
import { type Answer, labelNamesOf, type Part, type Row } from './answer.ts'
import { samplesOf } from './cursor.ts'
import type { Budget } from './limits.ts'
import { selectSeries } from './list.ts'
import { isRawCheap, ROWS_PER_FIGURE, ROWS_PER_WINDOW } from './raw-cost.ts'
import type { RangeRequest, WindowRequest } from './request.ts'
import { checkTier, Distrust, needsOf, noteGone, planReads, type Stretch } from './tiers.ts'
import { hasSketch } from './window-quantiles.ts'
import { Windows } from './windows.ts'

interface Cluster {
  readonly labels: Labels
  /** By group, the fields to read: field index -> name of the series. */
  readonly groups: Map<number, Map<number, string>>
}

/** What was read of one place: 'raw' or a tier. */
interface Reads {
  fromUs: number
  toUs: number
  /** Stretches of groups. */
  stretches: number
  samples: number
  /** Rows of a tier; of raw, chunks of which the head told all. */
  windows: number
  /** Chunks of segments of which something was read. */
  blocks: number
}

/**
 * Windows without a sample are left out, and so are series without a window.
 * @throws {VarveError} VARVE_QUERY_TIER; what selectSeries() throws
 */
export function windowedRange(
  source: SeriesSource,
  request: RangeRequest,
  windows: WindowRequest,
  budget: Budget
): Answer {
  checkTier(source, windows)
  const clusters = clusterSeries(source, selectSeries(source, request.select, budget), windows.by)
  const reading = new ClusterReading(source, request, windows, budget)
  if (windows.explain) return explanation(clusters, reading)
  function* parts(): Iterable<Part> {
    for (const cluster of clusters) {
      const byName = reading.read(cluster)
      for (const name of [...byName.keys()].sort()) {
        const found = byName.get(name)!
        if (found.size === 0) continue
        const rows = limited(found.rows(windows.functions, request.order), request.limit, budget)
        yield { name, labels: cluster.labels, rows }
      }
    }
  }
  return {
    is: 'rows',
    single: false,
    columns: windows.functions,
    labelNames: () => labelNamesOf(clusters.map(cluster => cluster.labels)),
    parts: parts()
  }
}

/** Evaluates all of it and says, for each place that was read, from when to when and how much. */
function explanation(clusters: readonly Cluster[], reading: ClusterReading): Answer {
  function* parts(): Iterable<Part> {
    for (const cluster of clusters) reading.read(cluster)
    for (const [name, { fromUs, toUs, stretches, samples, windows, blocks }] of reading.reads) {
      yield {
        name,
        labels: [],
        rows: [{ timeUs: fromUs, cells: [toUs, stretches, samples, windows, blocks] }]
      }
    }
  }
  const columns = ['to_us', 'stretches', 'samples', 'windows', 'blocks']
  return { is: 'rows', single: true, columns, labelNames: () => [], parts: parts() }
}

function clusterSeries(source: SeriesSource, ids: Uint32Array, by: readonly string[] | null): Cluster[] {
  const clusters = new Map<string, Cluster>()
  for (const id of ids) {
    const series = source.series(id)
    const labels = by === null ? series.labels : keepLabels(series.labels, by)
    const key = by === null ? String(series.group) : JSON.stringify(labels)
    let cluster = clusters.get(key)
    if (cluster === undefined) clusters.set(key, (cluster = { labels, groups: new Map() }))
    let fields = cluster.groups.get(series.group)
    if (fields === undefined) cluster.groups.set(series.group, (fields = new Map()))
    fields.set(series.field, series.name)
  }
  return [...clusters.values()]
}

function keepLabels(labels: Labels, names: readonly string[]): Labels {
  const kept: [string, string][] = []
  for (const name of names) {
    const value = labelValue(labels, name)
    if (value !== '') kept.push([name, value])
  }
  return kept
}

class ClusterReading {
  readonly reads = new Map<string, Reads>()
  private readonly source: SeriesSource
  private readonly request: RangeRequest
  private readonly windows: WindowRequest
  private readonly budget: Budget
  private readonly needs: readonly TierNeed[]
  private readonly ends: boolean
  private readonly hasQuantiles: boolean
  private readonly distrust = new Distrust()

  constructor(source: SeriesSource, request: RangeRequest, windows: WindowRequest, budget: Budget) {
    this.source = source
    this.request = request
    this.windows = windows
    this.budget = budget
    this.needs = needsOf(windows)
    this.ends = this.needs.includes('ends')
    this.hasQuantiles = this.needs.includes('sketch')
  }

  /** The windows of each series name of a cluster. */
  read(cluster: Cluster): Map<string, Windows> {
    for (;;) {
      const byName = new Map<string, Windows>()
      if (this.readInto(cluster, byName)) return byName
    }
  }

  /** False when a tier was found damaged that is to be read last: what was read is not used. */
  private readInto(cluster: Cluster, byName: Map<string, Windows>): boolean {
    const { windows, distrust } = this
    for (const [group, names] of cluster.groups) {
      const into = (field: number): Windows => {
        const name = names.get(field)!
        let found = byName.get(name)
        if (found === undefined) byName.set(name, (found = new Windows(windows.stepUs, this.hasQuantiles)))
        return found
      }
      const held = (): void => {
        let bytes = 0
        for (const found of byName.values()) bytes += found.bytes
        this.budget.held(bytes)
      }
      const fields = [...names.keys()].sort((a, b) => a - b)
      for (const { tier, fromUs, toUs, isInexact } of this.plan(group)) {
        if (tier === null) {
          noteGone(this.source, group, fromUs, toUs, this.budget.notes)
          this.readRaw(group, fields, fromUs, toUs, into, held)
          continue
        }
        const { damagesMet } = tier
        this.readTier(tier, group, fields, fromUs, toUs, into, held)
        if (isInexact) this.budget.notes.inexact(tier, fromUs, toUs)
        if (tier.damagesMet === damagesMet) continue
        if (windows.tier === 'auto' && distrust.add(group, tier)) return false
        this.budget.notes.readDamaged(tier)
      }
    }
    return true
  }

  /** Samples where those are read as fast, else what the tiers tell. */
  private plan(group: number): readonly Stretch[] {
    const { source, windows } = this
    const { fromUs } = this.request
    const toUs = this.request.toUs + 1
    const tier = source.tiers.find(({ stepUs }) => windows.stepUs % stepUs === 0)
    const isRaw =
      tier !== undefined &&
      windows.tier === 'auto' &&
      !this.hasQuantiles &&
      isRawCheap(
        source,
        group,
        fromUs,
        toUs - 1,
        windows.stepUs,
        0,
        tier.stepUs,
        this.ends ? ROWS_PER_WINDOW : ROWS_PER_FIGURE
      )
    if (isRaw) return [{ tier: null, fromUs, toUs }]
    return planReads(source, group, fromUs, toUs, windows, this.distrust.of(group))
  }

  private readRaw(
    group: number,
    fields: readonly number[],
    fromUs: number,
    toUs: number,
    into: (field: number) => Windows,
    held: () => void
  ): void {
    const reads = this.count('raw', fromUs, toUs)
    const { source, windows } = this
    const blocksBefore = source.blocksRead
    const parts = this.hasQuantiles
      ? source.runs(group, fields, fromUs, toUs - 1)
      : source.folds(group, fields, fromUs, toUs - 1, windows.stepUs, this.ends)
    for (const part of parts) {
      const samples = samplesOf(part)
      reads.samples += samples
      this.budget.scanned(samples)
      if ('times' in part) for (const column of part.columns) into(column.field).add(part, column)
      else {
        reads.windows++
        for (const column of part.columns) into(column.field).addSummary(part.firstUs, part.lastUs, column)
      }
      held()
    }
    reads.blocks += source.blocksRead - blocksBefore
  }

  /**
   * Reads a tier, and raw where a window does not tell: which was the first or the last of strings and stale marks,
   * or quantiles, of a time when it had no sketches.
   */
  private readTier(
    tier: TierSource,
    group: number,
    fields: readonly number[],
    fromUs: number,
    toUs: number,
    into: (field: number) => Windows,
    held: () => void
  ): void {
    const reads = this.count(tier.name, fromUs, toUs)
    const redo: { field: number; fromUs: number; toUs: number }[] = []
    const blocksBefore = tier.blocksRead
    const mayRedo = this.windows.tier === 'auto' && (this.ends || this.hasQuantiles)
    const rawFromUs = mayRedo ? this.source.rawFromUs(group) : Number.POSITIVE_INFINITY
    const windows =
      this.ends || this.hasQuantiles
        ? tier.windows(group, fields, fromUs, toUs, this.needs)
        : tier.figures(group, fields, fromUs, toUs, this.needs)
    for (const window of windows) {
      if ('rows' in window) {
        reads.windows += window.rows
        reads.samples += into(window.field).addTierFigures(window)
        this.budget.scanned(window.rows)
        continue
      }
      const { field, startUs } = window
      const isTelling = !mayRedo || this.isTelling(window)
      if (!isTelling && startUs < rawFromUs) this.budget.notes.inexact(tier, startUs, startUs + tier.stepUs)
      if (!isTelling && startUs >= rawFromUs) {
        const before = redo.find(one => one.field === field && one.toUs === startUs)
        if (before === undefined) redo.push({ field, fromUs: startUs, toUs: startUs + tier.stepUs })
        else before.toUs += tier.stepUs
        continue
      }
      reads.windows++
      reads.samples += window.count + window.others + window.stales + (window.at === null ? 0 : 1)
      if (reads.windows % 1024 === 0) this.budget.scanned(1024)
      into(field).addTier(window)
    }
    reads.blocks += tier.blocksRead - blocksBefore
    this.budget.check()
    held()
    for (const span of redo) this.readRaw(group, [span.field], span.fromUs, span.toUs, into, held)
  }

  private isTelling(window: TierWindow): boolean {
    if (this.ends && window.others + window.stales > 0) return false
    return !this.hasQuantiles || hasSketch(window)
  }

  private count(place: string, fromUs: number, toUs: number): Reads {
    let reads = this.reads.get(place)
    if (reads === undefined) {
      reads = { fromUs, toUs, stretches: 0, samples: 0, windows: 0, blocks: 0 }
      this.reads.set(place, reads)
    }
    reads.stretches++
    reads.fromUs = Math.min(reads.fromUs, fromUs)
    reads.toUs = Math.max(reads.toUs, toUs)
    return reads
  }
}

function* limited(rows: Iterable<Row>, limit: number | null, budget: Budget): Iterable<Row> {
  let left = limit ?? Number.POSITIVE_INFINITY
  for (const row of rows) {
    budget.row()
    yield row
    if (--left <= 0) return
  }
}
