import type { Command } from './command.ts'
export const seriesCommands: Command[] = []
