// The newest moment that is durable: from it a boot without a clock goes on. Saved with the small notes and
// with each flush, so it is a quarter of an hour old at most after a cut.
//
//   note := u8 version 1 | u8 known | f64 now us | f64 least us | f64 uptime ms | text kernel
// `known` is 1 when the gateway knew the time; `least` is the least that it can have been, equal to `now`
// then; kernel and uptime as clock-source.ts gives them.
// Example: known, 8 us, up for 1 ms, kernel "k" =
//   01 01 00 00 00 00 00 00 20 40 00 00 00 00 00 00 20 40 00 00 00 00 00 00 f0 3f 01 6b
// Not here: what a boot makes of it (clock-keeper.ts).
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import { FormatError } from '../base/errors.ts'

export const MOMENT_NOTE = 'clock'
const VERSION = 1

export interface Moment {
  readonly isKnown: boolean
  readonly nowUs: number
  readonly leastUs: number
  readonly uptimeMs: number
  readonly kernel: string
}

export function encodeMoment({ isKnown, nowUs, leastUs, uptimeMs, kernel }: Moment): Uint8Array {
  const out = new ByteWriter()
  out.u8(VERSION)
  out.u8(isKnown ? 1 : 0)
  for (const value of [nowUs, leastUs, uptimeMs]) out.f64(value)
  out.text(kernel)
  return out.copy()
}

/** @throws {FormatError} for a newer version; {VarveError} VARVE_TRUNCATED */
export function decodeMoment(note: Uint8Array): Moment {
  const from = new ByteReader(note)
  const version = from.u8()
  if (version > VERSION) throw new FormatError('the note of the clock', version, VERSION)
  return {
    isKnown: from.u8() === 1,
    nowUs: from.f64(),
    leastUs: from.f64(),
    uptimeMs: from.f64(),
    kernel: from.text()
  }
}
