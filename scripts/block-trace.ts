// What a block device was asked to write, in order: the kernel's own trace of requests as they are issued to
// the driver (tracefs, event block:block_rq_issue), after the scheduler has merged what it could. A card
// would see the same requests; only its limits on their length may be lower.
//
// The trace has an instance of its own in the kernel, so it disturbs no other one. Before figures are taken,
// a marker is written into it and waited for: what was issued before stands before it. Events that the
// kernel had to drop are an error, never a hole.
// It needs root, tracefs and a device that nobody else uses (loop-disk.ts).

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { flushStep, type Step } from './card-model.ts'

const sectorBytes = 512
const bufferKb = 8192
const markMsMax = 20_000

/** What one line of the trace says. */
export type Issue =
  | { readonly kind: 'steps'; readonly device: string; readonly steps: readonly Step[] }
  | { readonly kind: 'mark'; readonly text: string }
  | { readonly kind: 'lost'; readonly events: number }
  | { readonly kind: 'other' }

// jbd2/loop0-8-27435 [001] .....  6578.535192: block_rq_issue: 7,0 WSM 4096 () 229398 + 8 be,0,3 [jbd2/loop0-8]
const issuePattern = /: block_rq_issue: (\d+),(\d+) (\w+) (\d+) \([^)]*\) (\d+) \+ (\d+) /
const markPattern = /: tracing_mark_write: (.*)$/
const lostPattern = /\[LOST (\d+) EVENTS\]/

/**
 * Reads a line of trace_pipe. A request's letters are those of blk_fill_rwbs(): an F before the W asks for a
 * flush before the write, one behind it for the write itself to be on the medium (FUA), and FF is a flush alone.
 */
export function parseIssue(line: string): Issue {
  const lost = lostPattern.exec(line)
  if (lost !== null) return { kind: 'lost', events: Number(lost[1]) }
  const mark = markPattern.exec(line)
  if (mark !== null) return { kind: 'mark', text: mark[1]! }
  const issue = issuePattern.exec(line)
  if (issue === null) return { kind: 'other' }
  const [, major, minor, letters, , sector, sectors] = issue
  const device = `${major}:${minor}`
  const write = letters!.indexOf('W')
  if (write < 0)
    return letters!.startsWith('FF') ? { kind: 'steps', device, steps: [flushStep] } : { kind: 'other' }
  const steps: Step[] = []
  if (letters!.startsWith('F')) steps.push(flushStep)
  if (Number(sectors) > 0)
    steps.push({ at: Number(sector) * sectorBytes, bytes: Number(sectors) * sectorBytes })
  if (letters!.includes('F', write)) steps.push(flushStep)
  return { kind: 'steps', device, steps }
}

/** Number of the device that holds a path, as the kernel's trace prints it. */
export function deviceOf(path: string): { name: string; kernel: number } {
  const { dev } = statSync(path)
  const [major, minor] = [(dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)]
  return { name: `${major}:${minor}`, kernel: (major << 20) | minor }
}

export class BlockTrace {
  private readonly steps = new Map<string, Step[]>()
  private readonly tracefs: string
  private readonly instance: string
  private readonly reader: ChildProcess
  private readonly marks = new Map<string, () => void>()
  private lostEvents = 0
  private marked = 0
  private isOpen = true

  /**
   * Starts to trace the devices that hold these paths.
   * @param dir  a directory for the mount of tracefs
   * @throws when the kernel or the rights do not allow it
   */
  constructor(dir: string, paths: readonly string[]) {
    this.tracefs = join(dir, 'tracefs')
    mkdirSync(this.tracefs, { recursive: true })
    execFileSync('mount', ['-t', 'tracefs', 'tracefs', this.tracefs])
    this.instance = join(this.tracefs, 'instances', `varve-card-${process.pid}`)
    mkdirSync(this.instance)
    const set = (file: string, text: string) => writeFileSync(join(this.instance, file), text)
    const devices = paths.map(deviceOf)
    for (const { name } of devices) this.steps.set(name, [])
    set('buffer_size_kb', String(bufferKb))
    set('events/block/block_rq_issue/filter', devices.map(({ kernel }) => `dev == ${kernel}`).join(' || '))
    this.reader = spawn('cat', [join(this.instance, 'trace_pipe')], { stdio: ['ignore', 'pipe', 'inherit'] })
    createInterface({ input: this.reader.stdout! }).on('line', line => this.take(parseIssue(line)))
    process.prependListener('exit', () => this.abandon())
    set('events/block/block_rq_issue/enable', '1')
  }

  /** All that was issued so far to the device of a path. @throws when events were lost or do not arrive */
  async stepsSoFar(path: string): Promise<readonly Step[]> {
    const text = `mark ${++this.marked}`
    const timer = { id: setTimeout(() => {}, 0) }
    await new Promise<void>((resolve, reject) => {
      this.marks.set(text, resolve)
      timer.id = setTimeout(() => reject(new Error('Cannot read the trace: no mark arrives')), markMsMax)
      writeFileSync(join(this.instance, 'trace_marker'), text)
    })
    clearTimeout(timer.id)
    if (this.lostEvents > 0) throw new Error(`Cannot use the trace: ${this.lostEvents} events were lost`)
    return [...this.steps.get(deviceOf(path).name)!]
  }

  async close(): Promise<void> {
    if (!this.isOpen) return
    const ended = once(this.reader, 'exit')
    this.reader.kill()
    await ended
    this.remove()
  }

  private take(issue: Issue): void {
    if (issue.kind === 'lost') this.lostEvents += issue.events
    else if (issue.kind === 'mark') this.marks.get(issue.text)?.()
    else if (issue.kind === 'steps') this.steps.get(issue.device)?.push(...issue.steps)
  }

  /** The kernel keeps an instance while somebody reads it, and a reader needs a moment to end. */
  private abandon(): void {
    if (!this.isOpen) return
    this.reader.kill('SIGKILL')
    execFileSync('sleep', ['0.2'])
    this.remove()
  }

  private remove(): void {
    this.isOpen = false
    rmdirSync(this.instance)
    execFileSync('umount', [this.tracefs])
  }
}
