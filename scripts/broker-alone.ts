// The broker alone in a process of its own, so that its CPU and memory are its own: a sink that keeps nothing
// and a gate that is always open. What remains is what MQTT costs.
//
//   node scripts/broker-alone.ts [--aedes]   tells its port to the process that forked it
//
// Not here: the daemon with its store (varve-process.ts).
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { systemClock } from '../src/base/clock.ts'
import { Broker } from '../src/broker/server.ts'
import { unitEnvironment } from './varve-process.ts'

export interface RunningBroker {
  readonly pid: number
  readonly port: number
  stop(): Promise<unknown>
}

async function serve(fastPath: boolean): Promise<void> {
  const gate = { syncedGroup: 0, pendingBytes: 0, onSynced() {}, onFailed() {}, note() {} }
  const broker = await Broker.open({
    clock: systemClock,
    sink: { publish: () => 0 },
    gate,
    retained: null,
    auth: { allowAnonymous: true, users: [] },
    listen: [{ transport: 'tcp', host: '127.0.0.1', port: 0 }],
    fastPath,
    sysMs: 0,
    version: 'bench',
    log: { info() {}, warn() {} }
  })
  process.on('SIGINT', () => process.exit(0))
  process.send!(broker.listeners[0]!.port)
}

/**
 * Starts it.
 * @param fastPath    false: every packet goes through aedes
 * @param profileDir  where a CPU profile is written when it stops
 */
export async function startAlone(fastPath: boolean, profileDir?: string): Promise<RunningBroker> {
  const execArgv = profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`]
  const child: ChildProcess = fork(import.meta.filename, fastPath ? [] : ['--aedes'], {
    execArgv,
    env: { ...process.env, ...unitEnvironment() }
  })
  process.prependListener('exit', () => child.kill('SIGKILL'))
  const [port] = (await once(child, 'message')) as [number]
  return {
    pid: child.pid!,
    port,
    async stop() {
      child.kill('SIGINT')
      await once(child, 'exit')
    }
  }
}

if (import.meta.main) await serve(!process.argv.includes('--aedes'))
