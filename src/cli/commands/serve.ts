// `varve serve`: reads the configuration, starts the daemon, tells systemd, waits for a signal.
//
// Invariants: the first SIGTERM or SIGINT stops in order, a second one ends at once (what was acknowledged
// is on the medium anyway); SIGHUP reads the configuration again, and a bad one changes nothing.

import { systemClock } from '../../base/clock.ts'
import { VarveError } from '../../base/errors.ts'
import type { Command, Given, Io } from '../command.ts'
import type { RunningDaemon } from '../doors.ts'
import { EXIT, type ExitCode, exitCodeOf } from '../exit-codes.ts'

export const serveCommand: Command = {
  name: 'serve',
  usage: '[--config <file>] [--data <dir>] [--<section>.<key> <value>]...',
  summary: 'run the broker, the store and the query API',
  about: [
    'Run the daemon until SIGTERM or SIGINT. Without configuration it listens on loopback only and takes',
    'everything that is published: MQTT on 1883, WebSocket on 9001, HTTP on 8086. SIGHUP reads the',
    'configuration again and takes over the keys that are marked (live).'
  ].join('\n'),
  options: [
    {
      flags: '--config <file>',
      what: 'Configuration; default /etc/varve/varve.toml when it is there. conf.d/*.toml beside it is read too.'
    },
    { flags: '--data <dir>', what: 'Data directory, as --data.dir.' }
  ],
  args: [],
  takesKeys: true,
  exits:
    '0 stopped by a signal, 1 usage or configuration, 2 could not start or failed, 3 corruption that stops it',
  examples: [
    ['varve serve', 'with the installed configuration'],
    ['varve serve --data ./varve-data --mqtt.port 0', 'a try-out on a free port'],
    ['VARVE_MQTT__ALLOW_ANONYMOUS=true varve serve', 'open to the network, without users']
  ],
  run: serve
}

async function serve(given: Given, io: Io): Promise<ExitCode> {
  const { makeLog } = await import('../../base/log.ts')
  const { compareConfigs } = await import('../../config/load.ts')
  const { SystemdNotifier } = await import('../../daemon/notify.ts')
  const { readConfig } = await import('../config-file.ts')
  let config = readConfig(given, io.env)
  const human = config.log.format === 'human' || (config.log.format === 'auto' && io.errIsTerminal)
  const log = makeLog({
    level: config.log.level,
    format: human ? 'human' : 'json',
    journal: io.env.JOURNAL_STREAM !== undefined && !io.errIsTerminal,
    write: line => io.err(line),
    now: () => io.nowMs()
  })
  let daemon: RunningDaemon | null = null
  const notifier = SystemdNotifier.open({
    env: io.env,
    pid: io.pid,
    clock: systemClock,
    alive: () => daemon === null || daemon.alive(),
    onFault: error => log.warn('systemd was not told', { error })
  })
  const reload = () => {
    try {
      const next = readConfig(given, io.env)
      const { live, restart } = compareConfigs(config, next)
      log.setLevel(next.log.level)
      daemon?.reload(next)
      config = next
      log.info('configuration read again', { live, wants_restart: restart })
    } catch (error) {
      log.error('configuration not taken over', { error })
    }
  }
  const stop = stopSignal(io, reload)
  try {
    daemon = await io.doors.startDaemon(config, {
      log,
      status: text => void notifier?.status(text)
    })
    void notifier?.ready('ready')
    const failure: Promise<unknown> = daemon.failed.catch(error => error)
    const ended = await Promise.race([stop.asked, failure])
    void notifier?.stopping()
    if (typeof ended === 'string') log.info('stopping', { because: ended })
    else log.error('stopping: the daemon cannot go on', { error: ended })
    await daemon.stop()
    if (typeof ended === 'string') return EXIT.done
    return ended instanceof VarveError ? exitCodeOf(ended.code) : EXIT.failed
  } finally {
    stop.end()
    await notifier?.close()
  }
}

/** Waits for the first SIGTERM or SIGINT; the second ends the process. */
function stopSignal(io: Io, reload: () => void): { asked: Promise<string>; end: () => void } {
  let end = () => {}
  let signals = 0
  const asked = new Promise<string>(resolve => {
    end = io.onSignal(signal => {
      if (signal === 'SIGHUP') reload()
      else if (signals++ === 0) resolve(signal)
      else io.abort(new VarveError('VARVE_ABORTED', `Cannot stop in order: second ${signal}`))
    })
  })
  return { asked, end: () => end() }
}
