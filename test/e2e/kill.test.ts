// SIGKILL under QoS 1 load: nothing acknowledged is lost. scripts/kill-soak.ts does it twenty times.
import t from 'tap'
import { killUnderLoad, plantEarlyAcknowledgement } from '../../scripts/kill-load.ts'
import { temporary } from './daemon.ts'

const options = { connections: 5, lifeMs: [100, 600] as const }

t.test('a daemon killed three times under load lost nothing that it acknowledged', async t => {
  const facts = await killUnderLoad({ ...options, kills: 3, start: { dataDir: temporary(t) } })
  t.match(facts, { kills: 3, lost: 0, invented: 0 })
  t.ok(facts.acknowledged > 100, `${facts.acknowledged} of ${facts.sent} acknowledged`)
})

t.test('this test finds a daemon that acknowledges before the sync', async t => {
  const { main, remove } = plantEarlyAcknowledgement()
  t.teardown(remove)
  const facts = await killUnderLoad({ ...options, kills: 1, start: { main, dataDir: temporary(t) } })
  t.ok(facts.lost > 0, `${facts.lost} of ${facts.acknowledged} lost`)
})
