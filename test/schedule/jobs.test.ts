import t from 'tap'
import { Random } from '../../src/base/random.ts'
import { Cron, cronFault } from '../../src/schedule/cron.ts'
import { type JobFacts, type JobStore, Jobs } from '../../src/schedule/jobs.ts'
import { seeds } from '../kit/seeds.ts'
import { HandClock, settle } from './hand-clock.ts'

const utc = (text: string) => Date.parse(`${text}Z`)

t.test('Cron.next() finds the next time', async t => {
  const known: [string, string, string][] = [
    ['* * * * *', '2026-01-01T00:00:00', '2026-01-01T00:01:00'],
    ['*/10 * * * *', '2026-01-01T00:59:59.999', '2026-01-01T01:00:00'],
    ['7 * * * *', '2026-01-01T00:07:00', '2026-01-01T01:07:00'],
    ['0 3 * * *', '2026-12-31T03:00:00', '2027-01-01T03:00:00'],
    ['0 0 29 2 *', '2026-01-01T00:00:00', '2028-02-29T00:00:00'],
    ['0 0 29 2 *', '2096-03-01T00:00:00', '2104-02-29T00:00:00'],
    ['*/5 * * * * *', '2026-01-01T00:00:01', '2026-01-01T00:00:05'],
    ['0 12 * * mon', '2026-01-01T00:00:00', '2026-01-05T12:00:00'],
    ['0 0 l * *', '2026-02-01T00:00:00', '2026-02-28T00:00:00'],
    ['@daily', '2026-02-01T00:00:00', '2026-02-02T00:00:00']
  ]
  for (const [expression, after, next] of known) {
    t.equal(new Cron(expression, 'UTC').next(utc(after)), utc(next), `${expression} after ${after}`)
  }
})

t.test('Cron.next() agrees with a walk second by second', async t => {
  for (const seed of seeds(40)) {
    const random = new Random(seed)
    const field = (n: number) => random.pick(['*', '*', String(random.below(n)), `*/${2 + random.below(9)}`])
    const expression = `${field(60)} ${field(60)} ${field(24)} * * *`
    const cron = new Cron(expression, 'UTC')
    const after = utc('2026-03-01T00:00:00') + random.below(86_400_000)
    const fields = expression.split(' ')
    const fits = (text: string, n: number) =>
      text === '*' || (text.startsWith('*/') ? n % Number(text.slice(2)) === 0 : n === Number(text))
    let at = Math.floor(after / 1000) * 1000 + 1000
    for (; ; at += 1000) {
      const date = new Date(at)
      const now = [date.getUTCSeconds(), date.getUTCMinutes(), date.getUTCHours()]
      if (now.every((n, i) => fits(fields[i]!, n))) break
    }
    if (cron.next(after) !== at) t.fail(`VARVE_SEED=${seed} ${expression}`)
  }
})

t.test('Cron.next() in local time neither stops nor doubles at a change of summer time', async t => {
  const zone = process.env.TZ
  process.env.TZ = 'Europe/Berlin'
  try {
    const everyMinute = new Cron('* * * * *', 'local')
    for (const day of ['2026-03-29T00:30:00', '2026-10-25T00:30:00']) {
      let at = utc(day)
      for (let i = 0; i < 180; i++) {
        const next = everyMinute.next(at)!
        if (next !== at + 60_000)
          return t.fail(`${new Date(at).toISOString()} -> ${new Date(next).toISOString()}`)
        at = next
      }
    }
    t.equal(new Cron('0 3 * * *', 'local').next(utc('2026-07-01T00:00:00')), utc('2026-07-01T01:00:00'))
    t.equal(
      new Cron('30 2 * * *', 'local').next(utc('2026-03-28T12:00:00')),
      utc('2026-03-30T00:30:00'),
      'half past two is left out on the 29th'
    )
  } finally {
    if (zone === undefined) delete process.env.TZ
    else process.env.TZ = zone
  }
})

t.test('cronFault() says what is wrong, and never takes long', async t => {
  t.equal(cronFault('*/5 * * * *'), null)
  for (const bad of [
    '',
    '* * * *',
    '61 * * * *',
    '* 25 * * *',
    '0 0 31 2 *',
    'hello',
    '* * * * * * *',
    '1-9999999999 * * * *',
    '\u0000',
    '*/0 * * * *'
  ]) {
    t.type(cronFault(bad), 'string', JSON.stringify(bad))
  }
  const pieces = [
    '*',
    '/',
    '-',
    ',',
    '0',
    '5',
    '59',
    '99',
    ' ',
    ' ',
    ' ',
    'L',
    'W',
    '#',
    'mon',
    '@daily',
    '?',
    'jan',
    '\t'
  ]
  for (const seed of seeds(300)) {
    const random = new Random(seed)
    const text = Array.from({ length: random.below(14) }, () => random.pick(pieces)).join('')
    const fault = cronFault(text)
    if (fault === null && new Cron(text, 'UTC').next(0) === null) t.fail(`VARVE_SEED=${seed} ${text}`)
  }
})

/** Jobs on a hand clock that starts at 12:00:30. */
function jobsWith(
  facts: Partial<JobFacts> & Pick<JobFacts, 'run'>,
  options: { last?: number; jitterMaxMs?: number } = {}
) {
  const clock = new HandClock(utc('2026-01-01T12:00:30'))
  const starts = new Map<string, number>(options.last === undefined ? [] : [['job', options.last]])
  const failures: string[] = []
  const store: JobStore = {
    lastStart: name => starts.get(name),
    started: (name, at) => void starts.set(name, at)
  }
  const jobs = new Jobs({
    clock,
    random: new Random(1),
    zone: 'UTC',
    jitterMaxMs: options.jitterMaxMs ?? 0,
    store,
    onFailure: (name, error) => failures.push(`${name}: ${(error as Error).message}`)
  })
  jobs.add({ name: 'job', cron: '*/10 * * * *', ...facts })
  jobs.start()
  return { clock, jobs, starts, failures, status: () => jobs.status()[0]! }
}

t.test('Jobs runs a job at its times and remembers the start', async t => {
  let runs = 0
  const { clock, status, starts } = jobsWith({ run: async () => ({ dropped: ++runs }) })
  t.equal(status().nextMs, utc('2026-01-01T12:10:00'))
  t.equal(runs, 0, 'a first start does not run everything at once')
  await clock.pass(10 * 60_000)
  t.equal(runs, 1)
  await clock.pass(60 * 60_000)
  t.equal(runs, 7)
  t.equal(starts.get('job'), utc('2026-01-01T13:10:00'))
  t.match(status(), { running: false, lastResult: { dropped: 7 }, lastError: null, runs: 7, failures: 0 })
})

t.test('Jobs never lets a job overlap itself, and catches up once', async t => {
  let running = 0
  let most = 0
  let runs = 0
  const ends: (() => void)[] = []
  const { clock, status } = jobsWith({
    cron: '* * * * *',
    run: async () => {
      runs++
      most = Math.max(most, ++running)
      await new Promise<void>(resolve => ends.push(resolve))
      running--
      return undefined
    }
  })
  await clock.pass(60_000)
  t.equal(status().running, true)
  await clock.pass(10 * 60_000)
  t.equal(runs, 1, 'ten times came due meanwhile')
  ends.shift()!()
  await settle()
  await clock.pass(0)
  t.equal(runs, 2, 'one run catches up')
  ends.shift()!()
  await settle()
  await clock.pass(1000)
  t.equal(runs, 2, 'and only one')
  await clock.pass(60_000)
  t.equal(runs, 3)
  t.equal(most, 1)
})

t.test('Jobs catches up after downtime with one run', async t => {
  let runs = 0
  const run = async () => void runs++ as undefined
  const { clock } = jobsWith({ run }, { last: utc('2025-12-25T00:00:00') })
  await clock.pass(0)
  t.equal(runs, 1)
  await clock.pass(60_000)
  t.equal(runs, 1)
  runs = 0
  const recent = jobsWith({ run }, { last: utc('2026-01-01T12:00:00') })
  await recent.clock.pass(60_000)
  t.equal(runs, 0, 'nothing was missed')
})

t.test('Jobs reports a failing job and runs it again at its next time', async t => {
  const { clock, failures, status, starts } = jobsWith({
    run: async () => {
      throw new Error('disk on fire')
    }
  })
  await clock.pass(20 * 60_000)
  t.same(failures, ['job: disk on fire', 'job: disk on fire'])
  t.match(status(), { runs: 2, failures: 2, lastError: 'disk on fire', nextMs: utc('2026-01-01T12:30:00') })
  t.equal(starts.size, 0, 'a failed run is caught up after a restart')
})

t.test('Jobs follows a wall clock that steps either way', async t => {
  let runs = 0
  const { clock, status } = jobsWith({ run: async () => void runs++ as undefined })
  clock.step(365 * 86_400_000)
  await clock.pass(31_000)
  t.equal(runs, 1, 'a Pi that found the time runs what became due')
  clock.step(-365 * 86_400_000)
  await clock.pass(11 * 60_000)
  t.equal(runs, 2, 'and does not wait a year when the clock was wrong')
  t.ok(status().nextMs! < clock.nowUs() / 1000 + 600_001)
})

t.test('Jobs delays by its jitter, stays within it, and joins runNow() to a run under way', async t => {
  let runs = 0
  const { clock, jobs, status } = jobsWith(
    { run: async () => void runs++ as undefined },
    { jitterMaxMs: 60_000 }
  )
  const { nextMs } = status()
  t.ok(nextMs! > utc('2026-01-01T12:10:00') && nextMs! < utc('2026-01-01T12:11:00'))
  await clock.pass(nextMs! - clock.nowUs() / 1000 - 1)
  t.equal(runs, 0)
  await clock.pass(1)
  t.equal(runs, 1)
  const [a, b] = await Promise.all([jobs.runNow('job'), jobs.runNow('job')])
  t.equal(runs, 2)
  t.same([a.runs, b.runs], [2, 2])
  await t.rejects(jobs.runNow('nope'), { code: 'VARVE_JOB' })
})

t.test('Jobs.stop() aborts what runs, waits for it and starts nothing more', async t => {
  let aborted = false
  const { clock, jobs, failures } = jobsWith({
    cron: '* * * * *',
    run: signal =>
      new Promise((_, reject) =>
        signal.addEventListener('abort', () => {
          aborted = true
          reject(signal.reason)
        })
      )
  })
  await clock.pass(60_000)
  await jobs.stop()
  t.ok(aborted)
  t.same(failures, [], 'being stopped is no failure')
  t.equal(clock.waiting, 0)
})
