// Reads server-sent events (WHATWG HTML, section 9.2) as they arrive: the fields that our routes use.

export interface ServerEvent {
  /** 'message' where none is given. */
  readonly event: string
  readonly data: string
}

/** Comments are passed over; an event that the stream cuts is not given. */
export async function* readEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent, void, void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const piece of body) {
    rest += decoder.decode(piece, { stream: true })
    const blocks = rest.split('\n\n')
    rest = blocks.pop()!
    for (const block of blocks) {
      let event = 'message'
      const data: string[] = []
      for (const line of block.split('\n')) {
        if (line.startsWith('event: ')) event = line.slice(7)
        else if (line.startsWith('data: ')) data.push(line.slice(6))
      }
      if (data.length > 0) yield { event, data: data.join('\n') }
    }
  }
}
