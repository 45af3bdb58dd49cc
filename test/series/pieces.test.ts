// Pieces that overlap, put together in time: few of them are in memory at once, however long the chain.
import t from 'tap'
import { clusterByTime, meet, type Piece, runsOfCluster } from '../../src/series/pieces.ts'
import { RunRoom, RunRooms } from '../../src/series/run-room.ts'
import { KIND } from '../../src/series/sample.ts'

/** Rooms that count how many are taken. */
class CountedRooms extends RunRooms {
  taken = 0
  most = 0
  made = new Set<RunRoom>()

  override take(): RunRoom {
    const room = super.take()
    this.made.add(room)
    this.most = Math.max(this.most, ++this.taken)
    return room
  }

  override give(room: RunRoom): void {
    this.taken--
    super.give(room)
  }
}

/** Ten rows, one a second; the value says which piece. */
function piece(rank: number, firstUs: number, stepUs = 1e6): Piece {
  const fill = (room: RunRoom) => {
    const times = room.doubles(10)
    for (let i = 0; i < 10; i++) times[i] = firstUs + i * stepUs
    return times
  }
  return {
    firstUs,
    lastUs: firstUs + 9 * stepUs,
    rank,
    read(room) {
      const numbers = room.doubles(10).fill(rank)
      const column = { field: 0, kind: KIND.number, present: null, count: 10, numbers, texts: null }
      return { rows: 10, times: fill(room), columns: [column] }
    },
    times: fill,
    summary: () => null
  }
}

/** Each piece begins with the last row of the one before. */
const chain = () => Array.from({ length: 100 }, (_, i) => piece(i, i * 9e6))

t.test('a chain of pieces is read a few at a time, in both orders', async t => {
  for (const order of ['asc', 'desc'] as const) {
    const [cluster, ...others] = clusterByTime(chain())
    t.equal(others.length, 0)
    const rooms = new CountedRooms()
    const rows: [number, number][] = []
    for (const { rows: count, times, columns } of runsOfCluster(cluster!, rooms, order)) {
      const part = Array.from({ length: count }, (_, i): [number, number] => [
        times[i]!,
        columns[0]!.numbers![i]!
      ])
      rows.push(...(order === 'asc' ? part : part.reverse()))
    }
    if (order === 'desc') rows.reverse()
    // At the time that two have, the higher rank wins.
    t.same(
      rows,
      Array.from({ length: 901 }, (_, i) => [i * 1e6, Math.min(99, Math.floor(i / 9))])
    )
    t.ok(rooms.most <= 2 && rooms.made.size <= 2, `${rooms.most} rooms in use, ${rooms.made.size} made`)
    t.equal(rooms.taken, 0, 'all are given back')
  }
})

t.test('what is left early gives its rooms back', async t => {
  const rooms = new CountedRooms()
  for (const _ of runsOfCluster(clusterByTime(chain())[0]!, rooms)) break
  t.equal(rooms.taken, 0)
})

t.test(
  'meet() finds a time that two pieces have, whichever they are, and none that they have not',
  async t => {
    const rooms = new CountedRooms()
    t.equal(meet(chain(), rooms), true)
    const apart = (shiftUs: number) => [piece(0, 0), piece(1, 500_000), piece(2, 250_000 + shiftUs)]
    const sorted = (pieces: Piece[]) => clusterByTime(pieces)[0]!
    t.equal(meet(sorted(apart(0)), rooms), false)
    t.equal(meet(sorted(apart(750_000)), rooms), true, 'with the first')
    t.equal(meet(sorted(apart(1_250_000)), rooms), true, 'with the second')
    t.equal(rooms.taken, 0)
    t.ok(new RunRoom().doubles(5000).length === 5000, 'a room grows to what is asked for')
  }
)
