// Lines of the kernel's trace of block requests, as Linux 6.18 prints them, and lines that it never printed.

import t from 'tap'
import { parseIssue } from '../../scripts/block-trace.ts'
import { flushStep } from '../../scripts/card-model.ts'
import { Random } from '../../src/base/random.ts'
import { seeds } from '../kit/seeds.ts'

const journal =
  '    jbd2/loop0-8-27435   [001] .....  6578.535192: block_rq_issue: 7,0 WSM 4096 () 229398 + 8 be,0,3 [jbd2/loop0-8]'
const write = { at: 229_398 * 512, bytes: 4096 }

t.test('parseIssue() reads writes, flushes and what a write demands of them', async t => {
  const device = '7:0'
  t.strictSame(parseIssue(journal), { kind: 'steps', device, steps: [write] })
  const flush =
    '    kworker/0:0H-10      [000] .N...  6578.528902: block_rq_issue: 7,0 FF 0 () 0 + 0 none,0,0 [kworker/0:0H]'
  t.strictSame(parseIssue(flush), { kind: 'steps', device, steps: [flushStep] })
  t.strictSame(parseIssue(journal.replace('WSM', 'FWFSM')), {
    kind: 'steps',
    device,
    steps: [flushStep, write, flushStep]
  })
  t.strictSame(parseIssue(journal.replace('WSM', 'FWSM')), {
    kind: 'steps',
    device,
    steps: [flushStep, write]
  })
  t.strictSame(parseIssue(journal.replace('WSM', 'WFS')), {
    kind: 'steps',
    device,
    steps: [write, flushStep]
  })
})

t.test('parseIssue() leaves reads and discards away, and tells marks and losses', async t => {
  t.strictSame(parseIssue(journal.replace('WSM', 'RAM')), { kind: 'other' })
  t.strictSame(parseIssue(journal.replace('WSM', 'DS')), { kind: 'other' })
  t.strictSame(parseIssue(''), { kind: 'other' })
  t.strictSame(parseIssue('  node-77  [000] .....  1.5: tracing_mark_write: mark 3'), {
    kind: 'mark',
    text: 'mark 3'
  })
  t.strictSame(parseIssue('CPU:1 [LOST 20 EVENTS]'), { kind: 'lost', events: 20 })
})

t.test('parseIssue() makes whole sectors of any line, or nothing', async t => {
  for (const seed of seeds(2000)) {
    const random = new Random(seed)
    const line = [...journal]
    for (let i = random.below(6); i >= 0; i--) {
      const letter = String.fromCharCode(random.chance(0.5) ? 32 + random.below(95) : random.below(65_536))
      line.splice(random.below(line.length), random.below(3), letter)
    }
    const issue = parseIssue(line.join(''))
    if (issue.kind !== 'steps') continue
    const sound = issue.steps.every(
      ({ at, bytes }) => at >= 0 && bytes >= 0 && at % 512 === 0 && bytes % 512 === 0
    )
    t.ok(sound, `VARVE_SEED=${seed}`)
  }
})
