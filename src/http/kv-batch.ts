// A batch of writes to the key-value store as JSON, all of it or nothing:
//
//   {"writes": [{"op": "put", "ns": "cfg", "key": "a", "value": "text" | "value_base64": "...", "ttl_ms": 1000},
//               {"op": "delete", "ns": "cfg", "key": "b", "if_version": 7 | "if_absent": true}]}
// Not here: its route (routes-kv.ts), making it (kv/store.ts).
import type { Clock } from '../base/clock.ts'
import type { Condition, Write } from '../kv/write.ts'
import { HttpError } from './problem.ts'

interface BatchWrite {
  readonly op?: unknown
  readonly ns?: unknown
  readonly key?: unknown
  readonly value?: unknown
  readonly value_base64?: unknown
  readonly ttl_ms?: unknown
  readonly if_version?: unknown
  readonly if_absent?: unknown
}

/**
 * The writes of a body.
 * @param checkWritable  throws for a namespace that may not be written
 * @throws {HttpError} VARVE_PARAMETER, naming the write
 */
export function readBatch(text: string, clock: Clock, checkWritable: (ns: string) => void): Write[] {
  let found: { writes?: unknown }
  try {
    found = JSON.parse(text)
  } catch {
    throw new HttpError('VARVE_PARAMETER', 'Cannot read batch: it is not JSON', 'body')
  }
  if (!Array.isArray(found?.writes)) throw badWrite(-1, 'it needs a list "writes"')
  return found.writes.map((write, i) => writeOf(write as BatchWrite, i, clock, checkWritable))
}

function badWrite(i: number, why: string): HttpError {
  const where = i < 0 ? 'body' : `writes[${i}]`
  return new HttpError(
    'VARVE_PARAMETER',
    `Cannot read ${i < 0 ? 'batch' : `write ${i} of batch`}: ${why}`,
    where
  )
}

function writeOf(write: BatchWrite, i: number, clock: Clock, checkWritable: (ns: string) => void): Write {
  const { op, ns, key } = write ?? {}
  if (typeof ns !== 'string' || typeof key !== 'string') throw badWrite(i, 'ns and key are texts')
  checkWritable(ns)
  const condition: Condition = {}
  if (write.if_absent === true) condition.ifAbsent = true
  if (write.if_version !== undefined) {
    if (!Number.isSafeInteger(write.if_version)) throw badWrite(i, 'if_version is a version')
    condition.ifVersion = write.if_version as number
  }
  if (op === 'delete') return { op, ns, key, ...condition }
  if (op !== 'put') throw badWrite(i, 'op is put or delete')
  const { value, value_base64: coded, ttl_ms: ttlMs = 0 } = write
  if (!Number.isSafeInteger(ttlMs) || (ttlMs as number) < 0) throw badWrite(i, 'ttl_ms is a whole number')
  const expiresUs = ttlMs === 0 ? 0 : clock.nowUs() + (ttlMs as number) * 1000
  if (typeof value === 'string') return { op, ns, key, value: Buffer.from(value), expiresUs, ...condition }
  if (typeof coded !== 'string') throw badWrite(i, 'it needs value or value_base64, a text')
  return { op, ns, key, value: Buffer.from(coded, 'base64'), expiresUs, ...condition }
}
