// The closing line of a test run: what machines read must not claim success for a run that was not whole.

import t from 'tap'
import Reporter from '../../scripts/reporter.ts'

/** Reports a text of results; `whole` ends the stream, as a runner that lives to the end does. */
async function report(text: string, whole = true): Promise<{ text: string; last: string }> {
  const reporter = new Reporter()
  const written: string[] = []
  reporter.pipe({ write: (piece: string) => written.push(piece) } as unknown as NodeJS.WritableStream)
  await new Promise<void>(done => reporter.write(text, () => done()))
  if (whole) await new Promise<void>(done => reporter.end(done))
  reporter.close()
  const all = written.join('')
  return { text: all, last: all.trimEnd().split('\n').at(-1)! }
}

const file = (inside: string, ok = true) =>
  `TAP version 14\n# Subtest: a.test.ts\n${inside.replace(/^/gm, '    ')}\n${ok ? 'ok' : 'not ok'} 1 - a.test.ts\n1..1\n`

t.test('Reporter counts asserts, not files', async t => {
  t.equal((await report(file('ok 1 - x\nok 2 - y\n1..2'))).last, '2 passed, 0 failed')
})

t.test('Reporter prints a failure with all of its path and diagnostics', async t => {
  const { text, last } = await report(file('ok 1 - x\nnot ok 2 - y\n  ---\n  found: 41\n  ...\n1..2', false))
  t.equal(last, '1 passed, 1 failed')
  t.match(text, 'FAILED a.test.ts > y')
  t.match(text, 'found: 41')
})

t.test('Reporter counts a file that failed without a failing assert', async t => {
  t.equal((await report(file('ok 1 - x\n1..1', false))).last, '1 passed, 1 failed')
})

t.test('Reporter counts a skipped test neither way, and says so', async t => {
  const { text, last } = await report(file('ok 1 - x\nok 2 - y # SKIP no tool\n1..2'))
  t.equal(last, '1 passed, 0 failed')
  t.match(text, 'y (no tool)')
})

t.test('Reporter closes with a failure when the run is not whole', async t => {
  t.equal(
    (await report('TAP version 14\nok 1 - x\n', false)).last,
    '0 passed, 1 failed',
    'died with x unread'
  )
  t.equal((await report('TAP version 14\nok 1 - x\n')).last, '1 passed, 1 failed', 'no plan')
  t.equal((await report('TAP version 14\nok 1 - x\n1..3\n')).last, '1 passed, 1 failed', 'planned more')
  t.equal(
    (await report('TAP version 14\nok 1 - x\nBail out! no disk\n')).last,
    '1 passed, 1 failed',
    'bailed'
  )
  t.equal((await report('TAP version 14\n1..0\n')).last, '0 passed, 1 failed', 'ran nothing')
  t.equal((await report('')).last, '0 passed, 1 failed', 'said nothing')
})
