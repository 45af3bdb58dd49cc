// What a kept data directory of an older version is asked, and the file beside it that holds the answer.

/** The daemon that makes and opens the directories: nothing in them may expire, whatever the date. */
export const flags = [
  ...['--ack.delay_max', '50ms', '--retention.default', 'forever'],
  ...['--wal.file_size', '4MiB', '--wal.size_max', '8MiB']
]

export const examples = [
  { file: 'raw.ndjson', kind: 'range', path: '/v1/range?from=0&format=ndjson' },
  {
    file: 'hours.ndjson',
    kind: 'range',
    path: '/v1/range?from=0&step=1h&fn=count,min,max,sum,first,last&tier=1h&format=ndjson&match=climate_temperature'
  },
  { file: 'last.json', kind: 'last', path: '/v1/last?format=json' },
  {
    file: 'history.ndjson',
    kind: 'history',
    path: '/v1/history?topic=site1/dev7/telemetry&from=0&format=ndjson'
  }
] as const
