// Who stands still until acknowledged, learned from silence and promptness.
import t from 'tap'
import { EAGER, NORMAL, promptMs, provingMs, quietMs, Urgency } from '../../src/broker/urgency.ts'

t.test('Urgency is eager for a sender that stands still, and normal for a device with a beat', async t => {
  const one = new Urgency()
  t.equal(one.published(0, 1), EAGER, 'the first of a connection')
  one.acked(1000, 1)
  t.equal(one.published(1002, 1), EAGER, 'it published at once after its acknowledgement')
  one.acked(1003, 1)
  t.equal(one.published(1005, 1), EAGER, 'and stays eager though the sync is now fast')
  one.acked(1006, 1)
  t.equal(one.published(1006 + promptMs + 1, 1), NORMAL, 'a pause unmasks it')
  const device = new Urgency()
  for (let i = 0; i < 5; i++) {
    t.equal(device.published(i * 10_000, 1), i === 0 ? EAGER : NORMAL)
    t.notOk(i > 0 && device.isStuck(i * 10_000 + 9_000, 1), 'a beat is never waited for')
    device.acked(i * 10_000 + 900, 1)
  }
  const piped = new Urgency()
  for (let i = 1; i <= 20; i++) t.equal(piped.published(i / 100, i), i === 1 ? EAGER : NORMAL)
  piped.acked(1000, 20)
  for (let i = 1; i < 20; i++) t.equal(piped.published(1001, i), NORMAL)
  t.equal(piped.published(1001, 20), EAGER, 'its window is full again')
  piped.acked(1002, 20)
  for (let i = 1; i <= 7; i++) piped.published(1003, i)
  t.notOk(piped.isStuck(1003 + quietMs - 1, 7))
  t.ok(piped.isStuck(1003 + quietMs, 7), 'fewer than its window, and silent')
  const stream = new Urgency()
  let eager = 0
  for (let i = 0; i < 100; i++) {
    if (stream.published(i, 3) === EAGER) eager++
    if (i % 3 === 2) stream.acked(i, 3)
  }
  t.equal(eager, 1, 'a steady stream is eager once')
})

t.test('Urgency believes a new sender after one silence, and a fast beat never', async t => {
  for (const window of [1, 20]) {
    const quick = new Urgency()
    const burst = (nowMs: number): number[] => {
      const found: number[] = []
      for (let n = 1; n <= window; n++) found.push(quick.published(nowMs, n))
      return found
    }
    t.equal(burst(0)[0], EAGER)
    quick.acked(3, window)
    t.notOk(burst(4).includes(EAGER), 'an early acknowledgement proves no silence')
    t.notOk(quick.isStuck(4 + provingMs - 1, window))
    t.ok(quick.isStuck(4 + provingMs, window))
    quick.acked(4 + provingMs + 1, window)
    t.equal(burst(4 + provingMs + 2).at(-1), EAGER, 'now it is known')
  }
  for (const beatMs of [10, 25, 49, 51, 100, 150, 249, 251, 300, 1000]) {
    for (const syncMs of [1, 20, 60, 180]) {
      const beat = new Urgency()
      let syncs = 0
      let unacked = 0
      let syncedAt = Number.POSITIVE_INFINITY
      for (let nowMs = 0; nowMs < 20_000; nowMs++) {
        if (nowMs === syncedAt) {
          beat.acked(nowMs, unacked)
          unacked = 0
          syncedAt = Number.POSITIVE_INFINITY
        }
        const isDue = nowMs % beatMs === 0
        const isEager = isDue ? beat.published(nowMs, ++unacked) === EAGER : beat.isStuck(nowMs, unacked)
        if (syncedAt < Number.POSITIVE_INFINITY) continue
        if (isEager) syncs++
        if (isEager || nowMs % 1000 === 700) syncedAt = nowMs + syncMs
      }
      t.equal(syncs, 1, `${syncs} early syncs in 20 s: a beat of ${beatMs} ms, syncs of ${syncMs} ms`)
    }
  }
})
