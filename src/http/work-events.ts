// Long work as server-sent events: how far it is, then how it ended.
//
//   event: progress / data: {..}                    each that is newer than what was sent last
//   event: done / data: {..}                        what it gave
//   event: error / data: {"code", "message"}        or why it gave nothing
//
// Invariant: the work goes on when the client goes; of several steps that the client was too slow for it gets the last.
// Not here: what is done (routes-admin.ts).
import { reason, VarveError } from '../base/errors.ts'

/** @param work  is begun at once; what it throws and is no VarveError ends the stream */
export async function* workEvents<Step>(
  work: (onStep: (step: Step) => void) => Promise<unknown>
): AsyncGenerator<Uint8Array> {
  let step: Step | null = null
  let wake = () => {}
  const ended = work(next => {
    step = next
    wake()
  }).then(
    result => ({ event: 'done', data: result }),
    error => {
      if (!(error instanceof VarveError)) throw error
      return { event: 'error', data: { code: error.code, message: reason(error) } }
    }
  )
  for (;;) {
    const next = Promise.withResolvers<null>()
    wake = () => next.resolve(null)
    const told: Step | null = step
    step = null
    if (told !== null) yield event('progress', told)
    if (step !== null) continue
    const end = await Promise.race([ended, next.promise])
    if (end === null) continue
    yield event(end.event, end.data)
    return
  }
}

function event(name: string, data: unknown): Uint8Array {
  return Buffer.from(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
}
