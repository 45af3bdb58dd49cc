// Acknowledgements of one connection that wait for their group to be synced. They are encoded when their
// message comes and written as one piece when its group is on the medium, in the order of the messages
// (MQTT-4.6.0-2), whatever their groups were: a later one never overtakes.
//
// Invariants: marks ascend in group and end; bytes[0, ends.last) are whole packets;
// count and payloadBytes are the sums of what is not yet released.
// Not here: what group a message belongs to (the sink says), early sync (urgency.ts).

const bytesMin = 64
/** What an idle connection keeps. */
const bytesKept = 4096
const marksKept = 4

interface Mark {
  group: number
  /** Index after the last acknowledgement of the group. */
  end: number
  count: number
  payloadBytes: number
}

export class AckQueue {
  private bytes = Buffer.allocUnsafe(bytesMin)
  private length = 0
  /** marks[0, marked) are in use; the others are kept to be used again. */
  private readonly marks: Mark[] = []
  private marked = 0
  /** Messages not yet acknowledged. */
  count = 0
  payloadBytes = 0

  /**
   * Queues PUBACK or PUBREC.
   * @param type    PUBACK or PUBREC
   * @param group   released when this group is synced; 0: with the one before
   * @param reason  MQTT 5 reason code; 0: success, the short form
   */
  add(type: number, id: number, group: number, payloadBytes: number, reason = 0): void {
    if (this.length + 5 > this.bytes.length) {
      const grown = Buffer.allocUnsafe(this.bytes.length * 2)
      grown.set(this.bytes.subarray(0, this.length))
      this.bytes = grown
    }
    const bytes = this.bytes
    bytes[this.length] = type << 4
    bytes[this.length + 1] = reason === 0 ? 2 : 3
    bytes[this.length + 2] = id >> 8
    bytes[this.length + 3] = id & 0xff
    this.length += 4
    if (reason !== 0) bytes[this.length++] = reason
    this.count++
    this.payloadBytes += payloadBytes
    const last = this.marked > 0 ? this.marks[this.marked - 1]! : null
    if (last !== null && last.group >= group) {
      last.end = this.length
      last.count++
      last.payloadBytes += payloadBytes
      return
    }
    const mark = this.marks[this.marked] ?? { group: 0, end: 0, count: 0, payloadBytes: 0 }
    mark.group = group
    mark.end = this.length
    mark.count = 1
    mark.payloadBytes = payloadBytes
    this.marks[this.marked++] = mark
  }

  /** Hands over what is synced up to the group, all in one call of `write`; returns how many were released. */
  release(synced: number, write: (bytes: Uint8Array, start: number, end: number) => void): number {
    const { marks } = this
    let n = 0
    let released = 0
    let end = 0
    while (n < this.marked && marks[n]!.group <= synced) {
      const mark = marks[n++]!
      end = mark.end
      released += mark.count
      this.payloadBytes -= mark.payloadBytes
    }
    if (n === 0) return 0
    write(this.bytes, 0, end)
    this.count -= released
    if (n === this.marked) {
      this.marked = 0
      this.length = 0
      if (this.bytes.length > bytesKept) this.bytes = Buffer.allocUnsafe(bytesMin)
      if (marks.length > marksKept) marks.length = marksKept
      return released
    }
    this.bytes.copyWithin(0, end, this.length)
    this.length -= end
    const rest = marks.splice(n, this.marked - n)
    this.marked = rest.length
    for (const mark of rest) mark.end -= end
    marks.unshift(...rest)
    return released
  }
}
