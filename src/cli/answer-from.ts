// Whom a command asks: the daemon that --url names, the one that runs on data.dir, or with --data a directory.

import type { HttpAnswerer } from './answerer.ts'
import { type Given, type Io, optionText } from './command.ts'
import type { Answerer } from './doors.ts'

/** @throws {VarveError} VARVE_NO_DAEMON, VARVE_USAGE, VARVE_NO_STORE */
export async function openAnswerer(given: Given, io: Io): Promise<Answerer> {
  const dir = optionText(given, 'data')
  return dir === undefined ? openDaemon(given, io) : io.doors.openDirectory(dir)
}

/** @throws {VarveError} VARVE_NO_DAEMON, VARVE_USAGE */
export async function openDaemon(given: Given, io: Io): Promise<HttpAnswerer> {
  const { daemonUrl, HttpAnswerer } = await import('./answerer.ts')
  let url = optionText(given, 'url')
  if (url === undefined) {
    const { readConfig } = await import('./config-file.ts')
    url = daemonUrl(readConfig(given, io.env).data.dir)
  }
  return new HttpAnswerer(url, optionText(given, 'token') ?? io.env.VARVE_TOKEN)
}
