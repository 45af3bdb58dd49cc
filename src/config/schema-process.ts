// The entries of the process itself: which clock it believes, what it writes to its log.
// Not here: how the entries are read (load.ts), what must hold between them (check.ts).
import { choice } from './entry.ts'

export const clock = {
  source: choice({
    key: 'clock.source',
    default: 'auto',
    of: ['auto', 'trusted'],
    live: true,
    what: 'auto believes the wall clock once a time service or a battery clock has set it, or where nobody can tell (from five minutes after the boot on); trusted believes it from the start.',
    why: 'A Pi boots with a stale clock: what it stamps before it knows the time is corrected afterwards. trusted is for a clock that is right and that nothing says so of.'
  })
}

export const log = {
  level: choice({
    key: 'log.level',
    default: 'info',
    of: ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
    live: true,
    what: 'The least severe lines that are written.',
    why: 'info is a few lines an hour: start, stop, refusals, corruption.'
  }),
  format: choice({
    key: 'log.format',
    default: 'auto',
    of: ['auto', 'json', 'human'],
    what: 'auto writes human lines to a terminal and JSON to everything else.',
    why: 'People read one, journald and collectors the other.'
  })
}
