// The entries of what is kept and how the medium is treated: directory, acknowledgement, memory, WAL,
// flash, retention, rollups and their times.
// Not here: how the entries are read (load.ts), what must hold between them (check.ts).
import { filterFault, regexFault } from './check-text.ts'
import { choice, count, cron, duration, durationOr, flag, size, sizeOr, tables, text } from './entry.ts'

/** Which groups a rule is for. */
const topicMatch = text({
  key: 'match',
  default: '',
  max: 1024,
  valid: filterFault,
  what: 'MQTT filter on the label topic, such as "site1/+/vibration"; "" matches every group.',
  why: 'Topics are how devices are told apart.'
})

/** What is wrong with the name of a rule; null: nothing. */
function ruleNameFault(name: string): string | null {
  return /^[a-z][a-z0-9_-]*$/.test(name) ? null : 'must be like "fast-7d": a-z 0-9 _ -'
}

export const data = {
  dir: text({
    key: 'data.dir',
    default: 'auto',
    max: 4096,
    min: 1,
    what: 'Directory of everything stored; "auto" is /var/lib/varve when it is there, else ./varve-data.',
    why: 'An installed varve has its place made by the package; a try-out must not need root.'
  }),
  reserve: size({
    key: 'data.reserve',
    default: '64MiB',
    min: '8MiB',
    max: '1TiB',
    what: 'Bytes of the medium left free; below it nothing more is accepted until retention has made room.',
    why: 'Merging and the WAL need room to work, and a card that is full to the last block wears fastest.'
  })
}

export const ack = {
  delayMax: duration({
    key: 'ack.delay_max',
    default: '1s',
    min: '0s',
    max: '60s',
    live: true,
    what: 'Longest time a batch may wait for sync, and so for its acknowledgement.',
    why: 'Each sync programs at least one flash page: 1s is at most 86400 a day, 0s one per batch.'
  }),
  delayMaxQos0: duration({
    key: 'ack.delay_max_qos0',
    default: '10s',
    min: '0s',
    max: '10m',
    live: true,
    what: 'Longest time that QoS 0 messages, which nobody waits for, stay unsynced; a power cut loses them.',
    why: 'One sync in ten seconds writes a third of what one a second does (measured).'
  })
}

export const memory = {
  max: size({
    key: 'memory.max',
    default: '128MiB',
    min: '32MiB',
    max: '64GiB',
    what: 'Memory for unflushed samples, names and queues, beyond what an empty daemon needs (about 45 MB, and its executable).',
    why: 'Kept by flushing early, then by not reading sockets, then by a clear refusal. Fits a Pi with 512 MB.'
  })
}

export const wal = {
  fileSize: size({
    key: 'wal.file_size',
    default: '16MiB',
    min: '4MiB',
    max: '256MiB',
    what: 'Size of one WAL file; a multiple of 4MiB.',
    why: 'Whole erase blocks, so that recycling a file never rewrites half of one.'
  }),
  sizeMax: size({
    key: 'wal.size_max',
    default: '64MiB',
    min: '8MiB',
    max: '4GiB',
    what: 'Size of all WAL files together; when they are full, memory is flushed to segments.',
    why: 'More means fewer and larger segments, but a longer recovery after a power cut.'
  }),
  groupMax: size({
    key: 'wal.group_max',
    default: '1MiB',
    min: '4KiB',
    max: '16MiB',
    live: true,
    what: 'Bytes that wait at most: a group this large is synced at once, whatever ack.delay_max.',
    why: 'From 4 KiB on a sync writes no more than its bytes (measured): waiting longer gains nothing.'
  })
}

export const flash = {
  life: duration({
    key: 'flash.life',
    default: '10y',
    min: '30d',
    max: '100y',
    live: true,
    what: 'How long the medium is meant to last.',
    why: 'Together with size and endurance it is the budget of bytes per day that wear is held against.'
  }),
  size: sizeOr('auto', {
    key: 'flash.size',
    default: 'auto',
    min: '64MiB',
    max: '64TiB',
    live: true,
    what: 'Size of the whole medium; "auto" takes what the device tells, else the size of the file system.',
    why: 'Wear is levelled over the whole card, not over the partition alone.'
  }),
  endurance: count({
    key: 'flash.endurance',
    default: 1000,
    min: 10,
    max: 1_000_000,
    live: true,
    what: 'How many times the medium can be written in full (program/erase cycles).',
    why: 'Consumer TLC cards state 500 to 1000, high-endurance ones 3000, pSLC 20000 and more.'
  })
}

export const retention = {
  default: durationOr('forever', {
    key: 'retention.default',
    default: '1y',
    min: '1h',
    max: '200y',
    live: true,
    what: 'How long raw samples are kept that no rule matches.',
    why: '50 samples/s are about 1.6 GB a year; rollups stay longer (rollup.tiers).'
  }),
  bucket: duration({
    key: 'retention.bucket',
    default: '1d',
    min: '10m',
    max: '28d',
    what: 'Span of one bucket: a segment holds samples of one bucket, and retention drops whole ones.',
    why: 'Longer buckets pack better but are dropped later: data stay up to one bucket beyond their time.'
  }),
  sizeMax: sizeOr('none', {
    key: 'retention.size_max',
    default: 'none',
    min: '16MiB',
    max: '64TiB',
    live: true,
    what: 'Bytes of all segments together; beyond, the oldest bucket goes first.',
    why: 'For a medium that is shared with something else.'
  }),
  rules: tables({
    key: 'retention.rules',
    default: [],
    rowsMax: 100,
    columns: {
      name: text({
        key: 'name',
        min: 1,
        max: 64,
        valid: ruleNameFault,
        what: 'Name of the retention class; part of file names.',
        why: 'Keep it when you change keep: data stay in the class that they were written to.'
      }),
      match: topicMatch,
      series: text({
        key: 'series',
        default: '',
        max: 1024,
        valid: regexFault,
        what: 'Anchored regular expression on the name of a series, such as "acc_.*"; "" matches every one.',
        why: 'One matching field takes its whole group along: the fields of a message share a time column.'
      }),
      keep: durationOr('forever', {
        key: 'keep',
        min: '1h',
        max: '200y',
        what: 'How long these raw samples are kept.',
        why: 'The point of the rule.'
      }),
      bucket: durationOr('default', {
        key: 'bucket',
        default: 'default',
        min: '10m',
        max: '28d',
        what: 'Span of a bucket of this class; "default" takes retention.bucket.',
        why: 'What is kept for hours wants buckets of minutes.'
      })
    },
    what: 'Retention classes beside the default; the first rule that matches decides.',
    why: 'A vibration sensor for a week and an energy meter for ten years share one card.'
  })
}

const TIERS = [
  { every: '1m', keep: '90d' },
  { every: '1h', keep: '5y', sketch: '1%', cron: '6 */6 * * *' },
  { every: '1d', keep: 'forever', sketch: '1%' }
] as const

export const rollup = {
  enabled: flag({
    key: 'rollup.enabled',
    default: true,
    what: 'Rollups are written.',
    why: 'A year of one series is 8760 windows of an hour, and 3 million samples at one every 10s.'
  }),
  rules: tables({
    key: 'rollup.rules',
    default: [],
    rowsMax: 32,
    columns: {
      name: text({
        key: 'name',
        min: 1,
        max: 64,
        valid: ruleNameFault,
        what: 'Name of the rule, by which tiers say that they are of it.',
        why: 'Part of the tier in queries and on the medium: keep it, or the tier begins anew.'
      }),
      match: topicMatch,
      group: text({
        key: 'group',
        default: '',
        max: 1024,
        valid: regexFault,
        what: 'Anchored regular expression on the measurement of line protocol, such as "cpu|disk"; "" matches all.',
        why: 'All fields of a message share a row of a tier, so a rule is about messages and not about single series.'
      })
    },
    what: 'Which series have tiers of their own; the first rule that matches decides. A rule without tiers: none.',
    why: 'Vibration wants seconds for a week, an energy meter a day for ever, a debug topic nothing.'
  }),
  tiers: tables({
    key: 'rollup.tiers',
    default: TIERS,
    rowsMax: 32,
    columns: {
      every: duration({
        key: 'every',
        min: '10s',
        max: '28d',
        what: 'Window of the tier; each is a multiple of the one before of the same rule.',
        why: 'A coarse window is folded from finer ones where they are there, so windows must nest.'
      }),
      keep: durationOr('forever', {
        key: 'keep',
        min: '1h',
        max: '200y',
        what: 'How long this tier is kept.',
        why: 'Coarser tiers are small: a series has 24 windows of 1h a day.'
      }),
      rule: text({
        key: 'rule',
        default: '',
        max: 64,
        what: 'Name of the rule in rollup.rules whose series the tier keeps; "": those that no rule matches.',
        why: 'Each rule has tiers of its own, each with its own keep.'
      }),
      sketch: choice({
        key: 'sketch',
        default: 'none',
        of: ['none', '0.25%', '0.5%', '1%', '2%', '4%'],
        what: 'Relative error of quantiles (fn=p50, p99, ...) that the tier answers; none keeps nothing for them.',
        why: 'What it costs depends on how widely values spread; windows of a minute would grow most, and raw answers for them.'
      }),
      cron: cron({
        key: 'cron',
        default: '',
        emptyAllowed: true,
        what: 'When the tier is written; "" takes schedule.rollup.',
        why: 'A row of one window costs ten times its bytes in heads of columns: 1h is written six windows at a time, and raw samples answer for the rest.'
      })
    },
    what: 'Rollup tiers: count, sum, min, max, first, last with their times, resets of counters and, if wanted, how values spread.',
    why: 'One minute for a day on a screen, one hour for a year, one day for ever.'
  })
}

export const schedule = {
  timezone: choice({
    key: 'schedule.timezone',
    default: 'local',
    of: ['local', 'UTC'],
    what: 'How cron expressions are read: by the time zone of the machine, or by UTC.',
    why: 'An owner who writes "0 3 * * *" means three in the morning at home.'
  }),
  retention: cron({
    key: 'schedule.retention',
    default: '7 * * * *',
    what: 'When expired buckets are dropped.',
    why: 'Dropping deletes files only; once an hour is soon enough for buckets of a day.'
  }),
  merge: cron({
    key: 'schedule.merge',
    default: '*/10 * * * *',
    what: 'When small segments, of series and of entries, are looked at for merging.',
    why: 'Looking is cheap; a merge runs only when it saves more than it writes.'
  }),
  rollup: cron({
    key: 'schedule.rollup',
    default: '5 * * * *',
    what: 'When rollup tiers are brought up to date.',
    why: 'Each run writes a small segment for each tier: once an hour wears little, and raw samples answer for the rest.'
  }),
  jitter: duration({
    key: 'schedule.jitter',
    default: '5s',
    min: '0s',
    max: '10m',
    what: 'Each start is delayed by chance up to this.',
    why: 'Jobs of the same minute should not read the card at the same time.'
  })
}
