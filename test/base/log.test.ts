// The log and the metrics: what operators read.
import t from 'tap'
import { VarveError } from '../../src/base/errors.ts'
import { makeLog } from '../../src/base/log.ts'
import { Metrics } from '../../src/base/metrics.ts'

function logged(options: {
  format: 'json' | 'human'
  journal?: boolean
  level?: 'debug' | 'info' | 'warn' | 'silent'
}) {
  const lines: string[] = []
  const log = makeLog({
    level: 'info',
    write: line => lines.push(line),
    now: () => 1_700_000_000_123,
    ...options
  })
  return { log, lines }
}

t.test('makeLog() writes one JSON object a line, and nothing below its level', async t => {
  const { log, lines } = logged({ format: 'json' })
  log.debug('no')
  log.info('listening', { port: 1883 })
  log.setLevel('debug')
  log.with({ client: 'a\nb' }).debug('yes')
  log.setLevel('silent')
  log.error('no')
  t.equal(lines.length, 2)
  t.same(JSON.parse(lines[0]!), { level: 30, time: '2023-11-14T22:13:20.123Z', port: 1883, msg: 'listening' })
  t.match(JSON.parse(lines[1]!), { client: 'a\nb', msg: 'yes' })
  t.ok(
    lines.every(line => line.indexOf('\n') === line.length - 1),
    'a line is one line'
  )
})

t.test('makeLog() never writes secrets', async t => {
  for (const format of ['json', 'human'] as const) {
    const { log, lines } = logged({ format })
    log.info('x', {
      password: 'hunter2',
      user: { name: 'a', token: 'hunter2' },
      http: { headers: { authorization: 'hunter2' } }
    })
    log.with({ token: 'hunter2' }).info('y', { secret: 'hunter2' })
    t.equal(lines.length, 2)
    t.notMatch(lines.join(''), /hunter2/)
  }
})

t.test('makeLog() writes readable lines for a terminal, and text from outside cannot steer it', async t => {
  const { log, lines } = logged({ format: 'human' })
  log.warn('slow \u001b[2J', {
    topic: 'a\nb',
    n: 3,
    error: new VarveError('VARVE_IO', 'Cannot sync wal: EIO')
  })
  t.equal(
    lines[0],
    '22:13:20.123 WARN  slow \\u001b[2J topic=a\\u000ab n=3 error="VARVE_IO Cannot sync wal: EIO"\n'
  )
})

t.test('makeLog() prefixes the priority for journald', async t => {
  const { log, lines } = logged({ format: 'json', journal: true, level: 'debug' })
  log.debug('d')
  log.info('i')
  log.warn('w')
  log.error('e', { error: new Error('outer', { cause: new VarveError('VARVE_IO', 'inner') }) })
  t.same(
    lines.map(line => line.slice(0, 4)),
    ['<7>{', '<6>{', '<4>{', '<3>{']
  )
  t.match(JSON.parse(lines[3]!.slice(3)), {
    error: { message: 'outer', cause: { code: 'VARVE_IO', message: 'inner' } }
  })
})

t.test('Metrics reads plain numbers at scrape time only', async t => {
  const faults: string[] = []
  const metrics = new Metrics(name => faults.push(name))
  let reads = 0
  let bytes = 5
  metrics.counter({
    name: 'wal_bytes',
    help: 'Bytes.',
    read() {
      reads++
      return bytes
    }
  })
  metrics.gauge({
    name: 'clients',
    help: 'Clients.',
    labels: ['face'],
    read: () => [
      [{ face: 'mqtt' }, 3],
      [{ face: 'ws' }, 0]
    ]
  })
  metrics.gauge({
    name: 'broken',
    help: 'Throws.',
    read: () => {
      throw new Error('no')
    }
  })
  t.equal(reads, 0)
  t.match(await metrics.print(), /varve_wal_bytes_total 5\n/)
  bytes = 9
  const text = await metrics.print()
  t.match(text, /varve_wal_bytes_total 9\n/, 'what was read, not what was added up')
  t.match(text, /varve_clients\{face="mqtt"\} 3\nvarve_clients\{face="ws"\} 0\n/)
  t.equal(reads, 2)
  t.same(faults, ['broken', 'broken'])
})
