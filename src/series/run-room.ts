// Memory that a chunk is decoded into, used again for the next: columns of doubles for every chunk of a query
// would be garbage of 16 bytes a sample, and collecting it took a quarter of a long query's time.
//
// Invariants: doubles cut from a room hold until the room is given back; a room that grew keeps the larger
// buffer. Not here: who holds a room for how long (pieces.ts).

const FIRST_DOUBLES = 2048

/** Doubles for the columns of one chunk, one after the other. */
export class RunRoom {
  private buffer: ArrayBuffer = new ArrayBuffer(FIRST_DOUBLES * 8)
  private usedBytes = 0

  /** Room for so many doubles; what they are is not known. */
  doubles(count: number): Float64Array<ArrayBuffer> {
    if (this.usedBytes + count * 8 > this.buffer.byteLength) {
      // What was cut from the smaller buffer keeps it alive.
      this.buffer = new ArrayBuffer(Math.max(2 * this.buffer.byteLength, count * 8))
      this.usedBytes = 0
    }
    const cut = new Float64Array(this.buffer, this.usedBytes, count)
    this.usedBytes += count * 8
    return cut
  }

  clear(): void {
    this.usedBytes = 0
  }
}

/** Rooms that nobody holds, for whoever needs one next. */
export class RunRooms {
  private readonly free: RunRoom[] = []

  take(): RunRoom {
    return this.free.pop() ?? new RunRoom()
  }

  give(room: RunRoom): void {
    room.clear()
    this.free.push(room)
  }
}
