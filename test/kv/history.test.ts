import t from 'tap'
import { Entry } from '../../src/kv/entry.ts'
import { slabOfOne } from '../../src/kv/entry-log.ts'
import { History } from '../../src/kv/history.ts'

t.test('a watcher that is woken by each sync misses nothing, however much a group holds', async t => {
  const history = new History(1000)
  const change = (version: number, group: number) =>
    history.push(slabOfOne(new Entry(`ns\0${version}`, version, 0, new Uint8Array(600))), 0, group)
  const seen: number[] = []
  let at = 0
  const wake = () => {
    for (const { version } of history.after(at, 100)) seen.push((at = version))
    history.wait(wake)
  }
  history.wait(wake)
  for (let group = 1; group <= 5; group++) {
    for (let i = 0; i < 4; i++) change((group - 1) * 4 + i + 1, group)
    history.synced(group)
  }
  t.same(
    seen,
    Array.from({ length: 20 }, (_, i) => i + 1)
  )
  t.throws(() => history.after(0, 1), { code: 'VARVE_WATCH_OLD' }, 'and the bound holds for others')
})
