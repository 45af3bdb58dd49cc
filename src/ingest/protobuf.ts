// Steps through protobuf that came from outside, over the package's reader: that one reads past the end and takes
// anything for a field; here every step is checked against the end of the message that it is in.
// Not here: what the fields mean (remote-write.ts).
import type { PbfReader } from 'pbf'
import { VarveError } from '../base/errors.ts'

/** What is wrong with a body, and where. */
export function broken(why: string, at: number): VarveError {
  return new VarveError(
    'VARVE_REMOTE_WRITE',
    `Cannot read remote write: ${why} at byte ${at} of the protobuf`
  )
}

/** @throws {VarveError} VARVE_REMOTE_WRITE */
export function tag(reader: PbfReader, end: number): number {
  const at = reader.pos
  const found = varint(reader, end, false)
  if (found < 8 || found > 0xffffffff) throw broken('no field', at)
  return found
}

/** Passes over the value of a field that nobody reads. @throws {VarveError} VARVE_REMOTE_WRITE */
export function pass(reader: PbfReader, field: number, end: number): void {
  const at = reader.pos
  const wire = field & 7
  if (wire === 0) varint(reader, end, false)
  else if (wire === 1) reader.pos += 8
  else if (wire === 2) reader.pos = block(reader, end)
  else if (wire === 5) reader.pos += 4
  else throw broken(`wire type ${wire}`, at)
  if (reader.pos > end) throw broken('a field is cut', at)
}

/** Reads the length of a nested field; returns where it ends. */
export function block(reader: PbfReader, end: number): number {
  const at = reader.pos
  const to = varint(reader, end, false) + reader.pos
  if (!(to <= end)) throw broken('a field is cut', at)
  return to
}

export function varint(reader: PbfReader, end: number, isSigned: boolean): number {
  const at = reader.pos
  let value: number
  try {
    value = reader.readVarint(isSigned)
  } catch {
    throw broken('no varint', at)
  }
  if (reader.pos > end) throw broken('a number is cut', at)
  return value
}
