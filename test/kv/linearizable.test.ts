// Concurrent histories of compare-and-set, leases and queues: each must be one that a thing that does one operation at
// a time could have given. scripts/kv-histories.ts runs as many as one likes.
import t from 'tap'
import { isLinearizable, type Operation } from '../kit/linearizable.ts'
import { seeds } from '../kit/seeds.ts'
import {
  leaseHistory,
  queueHistory,
  type RegisterOp,
  registerHistory,
  stepLease,
  stepQueue,
  stepRegister
} from './concurrent.ts'

function register(...ops: [RegisterOp, number, number][]): boolean {
  const history: Operation<RegisterOp>[] = ops.map(([op, start, end]) => ({ op, start, end }))
  return isLinearizable(history, null, stepRegister, String)
}

t.test('isLinearizable() tells histories apart', async t => {
  const put = (value: string): RegisterOp => ({ kind: 'put', value })
  const read = (value: string | null): RegisterOp => ({ kind: 'read', value })
  t.ok(register([put('a'), 1, 4], [read('a'), 2, 3], [read('a'), 5, 6]))
  t.ok(register([put('a'), 1, 4], [read(null), 2, 3]), 'it may take effect after the read')
  t.notOk(register([put('a'), 1, 2], [read(null), 3, 4]), 'a stale read')
  t.notOk(register([put('a'), 1, 9], [read('a'), 2, 3], [read(null), 4, 5]), 'a value that goes again')
  t.ok(register([put('a'), 1, Infinity], [read('a'), 2, 3]), 'it never answered, but was done')
  t.ok(
    register([put('a'), 1, Infinity], [read(null), 2, 3], [read(null), 8, 9]),
    'it never answered, nor was done'
  )
  t.notOk(
    register([put('a'), 1, Infinity], [read('a'), 2, 3], [read(null), 4, 5]),
    'it was lost after it was seen'
  )
  const swap = (swapped: boolean): RegisterOp => ({ kind: 'swap', expected: null, value: 'b', swapped })
  t.ok(register([swap(true), 1, 4], [{ ...swap(false), value: 'c' } as RegisterOp, 2, 3]))
  t.notOk(register([swap(true), 1, 4], [{ ...swap(true), value: 'c' } as RegisterOp, 2, 3]), 'two of one')
  t.equal(stepLease({ holder: 7, newest: 7 }, { kind: 'acquire', token: 8 }), undefined, 'two holders')
  t.equal(
    stepLease({ holder: null, newest: 7 }, { kind: 'acquire', token: 7 }),
    undefined,
    'a token comes again'
  )
  const ready = [
    { body: 'a', priority: 1 },
    { body: 'b', priority: 2 }
  ]
  t.equal(stepQueue({ ready, held: [] }, { kind: 'receive', body: 'a' }), undefined, 'the wrong order')
})

for (const [what, history] of [
  ['compare-and-set over power cuts', registerHistory],
  ['leases', leaseHistory],
  ['queues', queueHistory]
] as const) {
  t.test(`concurrent histories of ${what} are linearizable`, async t => {
    for (const seed of seeds(200)) {
      const wrong = await history(seed)
      if (wrong !== null) return t.fail(`VARVE_SEED=${seed}: ${wrong.slice(0, 3000)}`)
    }
    t.pass('each could have happened one at a time')
  })
}
