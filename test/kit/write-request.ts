// Bodies of remote write as Prometheus makes them: protobuf written by hand, so that the reader under test is
// not read by its own library, and snappy of a package that varve does not run.
import { compress as compressed } from 'snappyjs'

export interface RequestSeries {
  readonly labels: readonly (readonly [name: string, value: string])[]
  readonly samples: readonly (readonly [timeMs: number, value: number | bigint])[]
  /** Bytes of further fields, in front of the labels or behind the samples. */
  readonly before?: Uint8Array
  readonly after?: Uint8Array
}

/** The bits of a stale mark. */
export const STALE_BITS = 0x7ff0000000000002n

export function varint(value: number | bigint): Buffer {
  const bytes: number[] = []
  let left = BigInt.asUintN(64, BigInt(value))
  for (; left >= 128n; left >>= 7n) bytes.push(Number(left & 127n) | 128)
  bytes.push(Number(left))
  return Buffer.from(bytes)
}

/** A length-delimited field. */
export function field(number: number, ...bytes: Uint8Array[]): Buffer {
  const whole = Buffer.concat(bytes)
  return Buffer.concat([varint(number * 8 + 2), varint(whole.length), whole])
}

/** A sample; a bigint is the bits of its value. */
export function sample(timeMs: number, value: number | bigint): Buffer {
  const double = Buffer.alloc(8)
  if (typeof value === 'bigint') double.writeBigUInt64LE(value)
  else double.writeDoubleLE(value)
  return Buffer.concat([varint(9), double, varint(16), varint(timeMs)])
}

export function label(name: string | Uint8Array, value: string | Uint8Array): Buffer {
  return field(1, field(1, Buffer.from(name as string)), field(2, Buffer.from(value as string)))
}

export function writeRequest(all: readonly RequestSeries[]): Buffer {
  return Buffer.concat(
    all.map(({ labels, samples, before, after }) =>
      field(
        1,
        before ?? Buffer.alloc(0),
        ...labels.map(([name, value]) => label(name, value)),
        ...samples.map(([timeMs, value]) => field(2, sample(timeMs, value))),
        after ?? Buffer.alloc(0)
      )
    )
  )
}

export function compress(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(compressed(new Uint8Array(bytes)))
}
