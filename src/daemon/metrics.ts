// The numbers of all layers as metrics. Nothing is counted here: each is read where it lies when somebody
// scrapes. Names and units are the contract with dashboards.

import type { MetricFacts, Metrics } from '../base/metrics.ts'
import { isWornOut } from '../disk/flash-probe.ts'
import { clockGauges } from './clock-report.ts'
import { memoryParts } from './memory-account.ts'
import type { Parts } from './parts.ts'

export function addMetrics(metrics: Metrics, parts: Parts): void {
  for (const facts of counters(parts)) metrics.counter(facts)
  for (const gauges of [storeGauges, wearGauges, processGauges]) {
    for (const facts of gauges(parts)) metrics.gauge(facts)
  }
}

function counters(parts: Parts): MetricFacts[] {
  const { broker, messages, lines, remote, meter, deadLetters, workers, http } = parts
  const { engine, series } = parts.storage
  const causes = (of: 'bytes' | 'syncs' | 'metadataBytes') =>
    Object.entries(meter.counts).map(([cause, count]) => [{ cause }, count[of]] as const)
  return [
    { name: 'samples', help: 'Samples taken in since the start.', read: () => series.samplesAppended },
    { name: 'messages', help: 'Messages stored or refused by ingest.', read: () => messages.mapper.messages },
    { name: 'lines', help: 'Lines of line protocol stored.', read: () => lines.lines },
    { name: 'lines_refused', help: 'Lines of line protocol refused.', read: () => lines.refused },
    {
      name: 'remote_write_samples',
      help: 'Samples of remote write stored.',
      read: () => remote.samples
    },
    {
      name: 'remote_write_refused',
      help: 'Samples of remote write refused.',
      read: () => remote.refused
    },
    {
      name: 'dead_letters',
      help: 'Messages that could not be stored, by why.',
      labels: ['code'],
      read: () => Object.entries(deadLetters.counts).map(([code, count]) => [{ code }, count] as const)
    },
    ...brokerCounters(broker),
    { name: 'http_requests', help: 'HTTP requests answered.', read: () => http.requests },
    {
      name: 'http_failures',
      help: 'HTTP requests answered with a status of 500 or above.',
      read: () => http.failures
    },
    { name: 'queries', help: 'Queries started.', read: () => workers.queries },
    ...transferCounters(parts),
    { name: 'wal_groups', help: 'Groups synced to the WAL.', read: () => engine.stats.groups },
    ...entryCounters(parts),
    {
      name: 'written_bytes',
      help: 'Bytes written to the medium, by cause.',
      labels: ['cause'],
      read: () => causes('bytes')
    },
    {
      name: 'written_metadata_bytes',
      help: 'Estimated bytes of file-system metadata that the writes caused.',
      labels: ['cause'],
      read: () => causes('metadataBytes')
    },
    {
      name: 'syncs',
      help: 'Syncs of files and directories, by cause.',
      labels: ['cause'],
      read: () => causes('syncs')
    },
    { name: 'damaged_places', help: 'Damaged places found since the start.', read: () => parts.damage.length }
  ]
}

/** What clients of MQTT sent and were sent. */
function brokerCounters({ stats }: Parts['broker']): MetricFacts[] {
  return [
    {
      name: 'mqtt_published',
      help: 'PUBLISH packets taken from clients, by quality of service.',
      labels: ['qos'],
      read: () => [
        [{ qos: '0' }, stats.publishedQos0],
        [{ qos: '1' }, stats.publishedQos1],
        [{ qos: '2' }, stats.publishedQos2]
      ]
    },
    { name: 'mqtt_acknowledged', help: 'PUBACK and PUBREC sent, after their sync.', read: () => stats.acked },
    { name: 'mqtt_delivered', help: 'PUBLISH packets sent to subscribers.', read: () => stats.delivered },
    {
      name: 'mqtt_dropped',
      help: 'Messages a slow subscriber lost.',
      read: () => stats.droppedQos0 + stats.droppedQueued
    },
    { name: 'mqtt_received_bytes', help: 'Bytes read from MQTT sockets.', read: () => stats.bytesIn },
    { name: 'mqtt_sent_bytes', help: 'Bytes written to MQTT sockets.', read: () => stats.bytesOut },
    {
      name: 'mqtt_early_syncs',
      help: 'Syncs asked for early because clients waited.',
      read: () => stats.eager
    }
  ]
}

/** What imports brought, followers were told, and was asked over MQTT. */
function transferCounters({ imports, tail, questions }: Parts): MetricFacts[] {
  return [
    { name: 'import_rows', help: 'Rows of imports stored.', read: () => imports.rows },
    { name: 'import_rows_refused', help: 'Rows of imports refused.', read: () => imports.refused },
    { name: 'tail_rows', help: 'Rows told to followers of /v1/tail.', read: () => tail.counts.rows },
    {
      name: 'tail_rows_dropped',
      help: 'Rows that were too many for a follower, which was told how many.',
      read: () => tail.counts.dropped
    },
    {
      name: 'mqtt_requests',
      help: 'Requests by $varve topics, by kind.',
      labels: ['kind'],
      read: () => [
        [{ kind: 'query' }, questions.queries],
        [{ kind: 'replay' }, questions.replays]
      ]
    },
    {
      name: 'mqtt_requests_refused',
      help: 'Requests by $varve topics that were answered with an error.',
      read: () => questions.refused
    }
  ]
}

function entryCounters({ storage: { kv } }: Parts): MetricFacts[] {
  const counts = () => kv.statistics().compactions
  return [
    { name: 'entry_compactions', help: 'Compactions of entries.', read: () => counts().runs },
    {
      name: 'entry_compaction_read_bytes',
      help: 'Bytes of segments that compactions joined.',
      read: () => counts().bytesIn
    },
    {
      name: 'entry_compaction_written_bytes',
      help: 'Bytes of segments that compactions made.',
      read: () => counts().bytesOut
    },
    {
      name: 'entries_dropped',
      help: 'Tombstones and expired entries that compactions let go.',
      read: () => counts().dropped
    },
    {
      name: 'entry_cache_hits',
      help: 'Reads of entries from memory.',
      read: () => kv.statistics().cacheHits
    },
    {
      name: 'entry_cache_misses',
      help: 'Reads of entries that had to read a block.',
      read: () => kv.statistics().cacheMisses
    }
  ]
}

function storeGauges(parts: Parts): MetricFacts[] {
  const { guard, disk, keeper } = parts
  const { engine, series, kv } = parts.storage
  const segmentBytes = () => {
    const sums = new Map<string, number>()
    for (const one of engine.manifest.segments.values())
      sums.set(one.class, (sums.get(one.class) ?? 0) + one.bytes)
    return [...sums].map(([name, bytes]) => [{ class: name }, bytes] as const)
  }
  return [
    { name: 'series', help: 'Series known.', read: () => series.catalog.seriesCount },
    {
      name: 'head_samples',
      help: 'Samples in memory, not in a segment yet.',
      read: () => series.headSamples
    },
    { name: 'head_bytes', help: 'Memory of those samples.', read: () => series.headBytes },
    ...clockGauges(keeper),
    { name: 'segments', help: 'Live segments.', read: () => engine.manifest.segments.size },
    {
      name: 'segment_bytes',
      help: 'Bytes of live segments, by retention class.',
      labels: ['class'],
      read: segmentBytes
    },
    {
      name: 'entries',
      help: 'Entries in memory and segments, overwritten ones and tombstones too.',
      read: () => kv.statistics().entries
    },
    {
      name: 'wal_pending_bytes',
      help: 'Bytes that wait for the next sync.',
      read: () => engine.stats.pendingBytes
    },
    {
      name: 'wal_files_pinned',
      help: 'WAL files that hold what is in no segment.',
      read: () => engine.stats.walFilesPinned
    },
    {
      name: 'wal_sync_seconds',
      help: 'Duration of the last sync.',
      read: () => engine.stats.lastSyncMs / 1000
    },
    {
      name: 'store_failed',
      help: '1 when the store refuses writes.',
      read: () => (engine.stats.failure === null ? 0 : 1)
    },
    {
      name: 'medium_full',
      help: '1 when rows are refused for want of space.',
      read: () => (guard.isFull ? 1 : 0)
    },
    {
      name: 'medium_low',
      help: '1 when the reserve is touched and the oldest buckets are dropped.',
      read: () => (guard.isLow ? 1 : 0)
    },
    { name: 'tail_clients', help: 'Clients that follow /v1/tail.', read: () => parts.tail.clients },
    { name: 'medium_free_bytes', help: 'Free bytes of the medium.', read: () => disk.freeBytes() }
  ]
}

function wearGauges({ steer }: Parts): MetricFacts[] {
  return [
    {
      name: 'wear_over_budget',
      help: '1 when the medium will not last as long as flash.life says, or says that it is at its end.',
      read: () => (steer.plan.state === 'over' ? 1 : 0)
    },
    {
      name: 'wear_budget_bytes',
      help: 'Bytes that the medium can program in all: size x endurance.',
      read: () => steer.plan.budgetBytes
    },
    {
      name: 'wear_written_bytes',
      help: 'Bytes of it that are used up, over all runs; estimated, a card programs whole pages.',
      read: () => steer.plan.writtenBytes
    },
    {
      name: 'wear_allowed_bytes_per_second',
      help: 'Rate at which what is left lasts for the life that is left.',
      read: () => steer.plan.allowedBytesPerS
    },
    {
      name: 'wear_bytes_per_second',
      help: 'Measured rate of the last day.',
      read: () => steer.plan.bytesPerS
    },
    {
      name: 'wear_device_life_used_ratio',
      help: 'How much of its life the device says is used, upper bound; NaN when it does not say.',
      read: () => steer.flash.device?.lifeUsed?.[1] ?? Number.NaN
    },
    {
      name: 'wear_device_worn',
      help: '1 when the device says that it should be replaced.',
      read: () => (steer.flash.device !== null && isWornOut(steer.flash.device) ? 1 : 0)
    },
    {
      name: 'wear_end_seconds',
      help: 'When the budget is used up at this rate, seconds since the epoch.',
      read: () => steer.plan.endMs / 1000
    },
    {
      name: 'sync_wait_seconds',
      help: 'How long an acknowledgement waits for its sync at most, as the wear budget sets it.',
      read: () => steer.plan.delayMs / 1000
    }
  ]
}

function processGauges(parts: Parts): MetricFacts[] {
  const { broker, workers, loop } = parts
  return [
    { name: 'mqtt_connections', help: 'Open MQTT connections.', read: () => broker.stats.connections },
    {
      name: 'mqtt_unacknowledged',
      help: 'Publishes that wait for their sync.',
      read: () => broker.stats.unacked
    },
    { name: 'queries_open', help: 'Queries that wait or run.', read: () => workers.queriesOpen },
    {
      name: 'event_loop_delay_seconds',
      help: 'Delay of the event loop, 99th percentile.',
      read: () => loop.p99Ms() / 1000
    },
    {
      name: 'memory_bytes',
      help: 'Memory of what grows with data, topics and clients, by part.',
      labels: ['part'],
      read: () => memoryParts(parts).map(({ name, bytes }) => [{ part: name }, bytes] as const)
    },
    { name: 'memory_max_bytes', help: 'memory.max.', read: () => parts.memoryMax },
    {
      name: 'memory_resident_bytes',
      help: 'Resident memory of the process.',
      read: () => process.memoryUsage.rss()
    }
  ]
}
