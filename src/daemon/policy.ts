// What the configuration means for the layers below, which know none: retention classes and which group is
// in which, rollup tiers, topic rules, limits. Pure.
import { networkInterfaces } from 'node:os'
import { VarveError } from '../base/errors.ts'
import { printDuration } from '../base/units.ts'
import type { BrokerLimits } from '../broker/limits.ts'
import { filterMatches } from '../broker/topic.ts'
import { httpHost, mqttHost, respHost } from '../config/check.ts'
import type { Config } from '../config/schema.ts'
import type { PaceOptions } from '../engine/sync-pace.ts'
import type { IngestLimits } from '../ingest/limits.ts'
import type { PrecisionRule } from '../ingest/precision.ts'
import type { RuleOptions } from '../ingest/rule.ts'
import type { QueryLimits } from '../query/limits.ts'
import type { PromqlOptions } from '../query/promql/parameters.ts'
import type { RespLimits } from '../resp/limits.ts'
import type { Tier } from '../rollup/tier.ts'
import { tierClass } from '../rollup/tier.ts'
import type { RetentionClass } from '../series/bucket.ts'
import type { CatalogLimits } from '../series/catalog.ts'
import { seriesName } from '../series/catalog-names.ts'
import { type Labels, labelValue } from '../series/label.ts'
import type { KeepTimes } from '../series/retention.ts'
import { SKETCH_LEVELS } from '../series/sketch.ts'

const MS_US = 1000

/** A time to keep in us; null in the configuration is for ever. */
function keepUs(ms: number | null): number {
  return ms === null ? Number.POSITIVE_INFINITY : ms * MS_US
}

export interface RetentionPolicy {
  /** The first is the default. */
  readonly classes: readonly RetentionClass[]
  /** The class of a new group: an index into classes. */
  classify(name: string, labels: Labels, fields: readonly string[]): number
}

/** The first rule that a group matches gives its class: by its topic, and by the name of any of its fields. */
export function retentionPolicy({ retention }: Config): RetentionPolicy {
  const classes: RetentionClass[] = [
    { name: 'default', keepUs: keepUs(retention.default), spanUs: retention.bucket * MS_US }
  ]
  const tests = retention.rules.map(rule => {
    if (classes.some(one => one.name === rule.name)) {
      throw new VarveError('VARVE_CONFIG', `Cannot use retention.rules: the name ${rule.name} is given twice`)
    }
    classes.push({
      name: rule.name,
      keepUs: keepUs(rule.keep),
      spanUs: (rule.bucket ?? retention.bucket) * MS_US
    })
    const covers = coverageOf(rule)
    return (name: string, labels: Labels, fields: readonly string[]) =>
      fields.some(field => covers(name, labels, field))
  })
  return {
    classes,
    classify: (name, labels, fields) => tests.findIndex(test => test(name, labels, fields)) + 1
  }
}

/** Whether a rule is about a field: by the topic of its group, and by the name of its series. */
function coverageOf({ match, series }: { readonly match: string; readonly series: string }) {
  const pattern = series === '' ? null : new RegExp(`^(?:${series})$`, 'u')
  return (name: string, labels: Labels, field: string): boolean => {
    const topic = labelValue(labels, 'topic')
    if (match !== '' && (topic === '' || !filterMatches(match, topic))) return false
    return pattern === null || pattern.test(seriesName(name, field))
  }
}

/** What is cut of samples; [] unless the owner asks for it. */
export function precisionRules({ ingest }: Config): PrecisionRule[] {
  return ingest.precision.map(row => ({
    covers: coverageOf(row),
    stepUs: (row.timeStep ?? 0) * MS_US || 1,
    decimals: row.decimals
  }))
}

/** Read anew at each use: series.max may be raised while running. */
export function catalogLimits(config: () => Config): CatalogLimits {
  return {
    get seriesMax() {
      return config().series.max
    },
    get fieldsPerGroupMax() {
      return Math.max(1024, config().ingest.fieldsMax)
    }
  }
}

/** How long every class is kept, tiers included. */
export function keepTimes(classes: readonly RetentionClass[], tiers: readonly Tier[]): KeepTimes {
  return new Map([
    ...classes.map(one => [one.name, one.keepUs] as const),
    ...tiers.map(tier => [tierClass(tier.name), tier.keepUs] as const)
  ])
}

/** The tiers, those of each rule with the finest first, each with its own cron expression. */
export function rollupTiers({ rollup, schedule }: Config): { tier: Tier; cron: string }[] {
  if (!rollup.enabled) return []
  const rules = rollup.rules.map(({ match, group }) => ({ match, group }))
  return [...rollup.tiers]
    .sort((a, b) => a.every - b.every)
    .map(row => {
      const step = printDuration(row.every)
      const own = rollup.rules.findIndex(rule => rule.name === row.rule)
      const sketch = row.sketch === 'none' ? null : SKETCH_LEVELS[row.sketch]
      return {
        tier: {
          name: own < 0 ? step : `${row.rule}.${step}`,
          stepUs: row.every * MS_US,
          keepUs: keepUs(row.keep),
          coverage: { rules, own, sketch }
        },
        cron: row.cron === '' ? schedule.rollup : row.cron
      }
    })
}

export function topicRules({ ingest }: Config): RuleOptions[] {
  return ingest.topics.map(row => ({
    pattern: row.match,
    labels: row.labels,
    topicLabel: row.topicLabel,
    format: row.format,
    ignore: row.ignore,
    ...(row.time === '' ? {} : { time: row.time.replaceAll('.', '_') }),
    timeUnit: row.timeUnit,
    arrays: row.arrays,
    ...(row.name === '' ? {} : { name: row.name }),
    ...(row.prefix === '' ? {} : { prefix: row.prefix }),
    ...(row.include.length === 0 ? {} : { include: row.include }),
    exclude: row.exclude,
    keepPayload: row.keepRaw
  }))
}

export function ingestLimits({ ingest }: Config): Partial<IngestLimits> {
  return { depthMax: ingest.depthMax, fieldsMax: ingest.fieldsMax, valueBytesMax: ingest.textMax }
}

export function brokerLimitsOf(config: Config): Partial<BrokerLimits> {
  const { mqtt } = config
  return {
    packetBytesMax: mqtt.packetMax,
    connectionsMax: mqtt.connectionsMax,
    connectTimeoutMs: mqtt.connectTimeout,
    unackedMax: mqtt.inflightMessagesMax,
    pendingBytesMax: mqtt.inflightBytesMax,
    subscriberBytesMax: mqtt.outgoingBytesMax,
    subscribersBytesMax: mqtt.outgoingTotalMax,
    queueMax: mqtt.sessionMessagesMax,
    retainedMax: mqtt.retainedMessagesMax,
    topicCacheMax: topicsMax(config)
  }
}

export function respLimits({ resp }: Config): RespLimits {
  return {
    connectionsMax: resp.connectionsMax,
    inlineBytesMax: resp.inlineMax,
    wordBytesMax: resp.valueMax,
    wordsMax: resp.wordsMax,
    commandBytesMax: resp.commandMax,
    inputBytesMax: resp.inputMax,
    outputBytesMax: resp.outputMax,
    replyBytesMax: resp.replyMax,
    idleMs: resp.idleTimeout
  }
}

export function queryLimits({ query }: Config): QueryLimits {
  return {
    seriesMax: query.seriesMax,
    samplesMax: query.samplesMax,
    rowsMax: query.rowsMax,
    secondsMax: query.timeMax / 1000,
    bytesMax: query.bytesMax,
    heldBytesMax: query.memoryMax
  }
}

/** What holds for PromQL where a query says nothing. */
export function promqlOptions({ query }: Config): PromqlOptions {
  return {
    lookbackUs: query.lookback * MS_US,
    subqueryStepUs: query.subqueryStep * MS_US,
    rules: query.rangeRules,
    pointsMax: query.pointsMax
  }
}

/** The bounds of the pace of syncs; within them the wear budget sets it (wear-steer.ts). */
export function syncPace({ ack, wal }: Config): Partial<PaceOptions> {
  return {
    delayMaxMs: ack.delayMax,
    delayMaxLazyMs: ack.delayMaxQos0,
    groupBytesTrigger: Math.min(wal.groupMax, 256 * 1024)
  }
}

/** The pace before the wear budget sets it: nothing is saved up, so who restarts often spends no burst each time. */
export function firstSyncPace(config: Config): Partial<PaceOptions> {
  return { ...syncPace(config), wearBurstBytes: 0 }
}

/** Where sockets listen; every address when the configuration says so. */
export function hosts(config: Config): { mqtt: string; http: string; resp: string } {
  const everywhere = hasIpv6() ? '::' : '0.0.0.0'
  return {
    mqtt: mqttHost(config) ?? everywhere,
    http: httpHost(config) ?? everywhere,
    resp: respHost(config) ?? everywhere
  }
}

/**
 * How much of memory.max unflushed rows may take: what starts a flush (at most, where the wear budget is
 * short), pauses senders, and refuses rows.
 */
export function headBytes({ memory }: Config) {
  const share = (part: number) => Math.floor(memory.max * part)
  return { flush: share(0.18), flushMax: share(0.22), pause: share(0.32), refuse: share(0.45) }
}

/**
 * Topics that broker and ingest each remember, at about a kilobyte for both: 8 MiB of the default 128. What
 * is beyond is served too, at some microseconds more a message.
 */
export function topicsMax({ memory }: Config): number {
  return Math.max(1024, 2 * Math.floor(memory.max / 32_768))
}

/** What one thread may keep of the indexes of segments: an eighth of memory.max for all of them. */
export function threadIndexBytes({ memory, query }: Config): number {
  const threads = query.concurrency + 2
  return Math.floor(memory.max / 8 / threads)
}

/** A kernel without IPv6 has no address '::' to listen on, not even for IPv4. */
function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some(addresses => addresses?.some(one => one.family === 'IPv6'))
}
