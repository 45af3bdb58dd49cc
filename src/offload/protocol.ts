// The messages between the main thread and a worker. Calls get pieces and one end; notices get no answer
// and arrive in order with calls, so that a worker's replicas are up to date when a call begins.
//
// Invariant: pieces are sent against credit, so a slow reader bounds what a query holds in memory.
// Not here: what calls mean (the daemon's worker), threads (pool.ts).

/** Main to worker. */
export type ToWorker =
  | {
      readonly type: 'call'
      readonly id: number
      readonly kind: string
      readonly payload: unknown
      readonly cancelled: Int32Array
    }
  | { readonly type: 'credit'; readonly id: number }
  | { readonly type: 'notice'; readonly kind: string; readonly payload: unknown }

/** Worker to main. */
export type FromWorker =
  | { readonly type: 'piece'; readonly id: number; readonly bytes: Uint8Array }
  | { readonly type: 'done'; readonly id: number; readonly heapBytes: number; readonly result: unknown }
  | {
      readonly type: 'failed'
      readonly id: number
      readonly heapBytes: number
      readonly code: string
      readonly message: string
    }
  | { readonly type: 'notice'; readonly kind: string; readonly payload: unknown }

/** Pieces a call may have sent that were not taken yet. */
export const PIECES_IN_FLIGHT_MAX = 8
