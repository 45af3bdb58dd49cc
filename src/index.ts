// What `import ... from 'varve'` gives: a store in the own process (embedded/README.md).

export { VarveError } from './base/errors.ts'
export { bytes, type Codec, cbor, json, text } from './embedded/codec.ts'
export { type BatchWrite, Database, DatabaseSnapshot, type DatabaseStatistics } from './embedded/database.ts'
export { type AcquireChoices, HeldLease } from './embedded/leases.ts'
export { type Change, Namespace, type PutChoices, type Stored } from './embedded/namespace.ts'
export { type OpenChoices, open } from './embedded/open.ts'
export { Message, Queue } from './embedded/queue.ts'
export { ConflictError } from './kv/write.ts'
