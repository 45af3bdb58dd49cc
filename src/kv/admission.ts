// What a write has to meet before it changes anything: sizes, room, conditions. Pure checks that throw.
// Not here: making the write (store.ts), what a key may be (key.ts).
import { VarveError } from '../base/errors.ts'
import type { Entry } from './entry.ts'
import type { KvLimits } from './options.ts'
import { type Condition, ConflictError, type Write } from './write.ts'

/** @throws {VarveError} VARVE_VALUE, VARVE_EXPIRY */
export function checkValue(bytes: number, expiresUs: number, { valueBytesMax }: KvLimits): void {
  if (bytes > valueBytesMax) {
    throw new VarveError('VARVE_VALUE', `Cannot put value: ${bytes} bytes, the limit is ${valueBytesMax}`)
  }
  if (!Number.isSafeInteger(expiresUs) || expiresUs < 0) {
    throw new VarveError(
      'VARVE_EXPIRY',
      `Cannot put value: expiry ${expiresUs} is not a time in microseconds`
    )
  }
}

/**
 * The bytes of a batch: stored keys and values.
 * @param keyBytes  of its stored keys
 * @throws {VarveError} VARVE_BATCH over batchBytesMax, and as checkValue()
 */
export function checkBatch(writes: readonly Write[], keyBytes: number, limits: KvLimits): number {
  let bytes = keyBytes
  for (const write of writes) {
    if (write.op !== 'put') continue
    checkValue(write.value.length, write.expiresUs ?? 0, limits)
    bytes += write.value.length
  }
  if (bytes > limits.batchBytesMax) {
    throw new VarveError(
      'VARVE_BATCH',
      `Cannot write batch: ${bytes} bytes, the limit is ${limits.batchBytesMax}`
    )
  }
  return bytes
}

/** Whether there is room for so many bytes. @throws {VarveError} VARVE_BUSY, VARVE_MEMORY */
export function checkRoom(bytes: number, pending: number, weight: number, limits: KvLimits): void {
  if (pending + bytes > limits.pendingBytesMax) {
    throw new VarveError('VARVE_BUSY', `Cannot write: ${pending} bytes wait for the WAL`)
  }
  if (weight + bytes > limits.memtablesBytesMax) {
    throw new VarveError('VARVE_MEMORY', `Cannot write: ${weight} bytes wait for a flush`)
  }
}

/**
 * @param find  looks up what is there; not called without a condition
 * @throws {ConflictError}
 */
export function checkCondition(condition: Condition, nowUs: number, find: () => Entry | undefined): void {
  const wanted = condition.ifAbsent === true ? 0 : condition.ifVersion
  if (wanted === undefined) return
  const there = find()
  const version = there?.visible(nowUs) ? there.version : 0
  if (version !== wanted) throw new ConflictError(version, wanted)
}
