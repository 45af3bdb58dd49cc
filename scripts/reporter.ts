// The reporter of `tap` runs: one mark per file as it ends, every failure in full with its diagnostics, and
// a last line alone, `N passed, N failed`, that counts asserts. Machines read that line, so it must never
// claim success for a run that was not whole.
//
// Invariants:
//  - the closing line is the last thing the process prints: it is written on exit;
//  - a run that died, bailed out, timed out, broke its plan or asserted nothing closes with at least one
//    failure and a non-zero exit code;
//  - a subtest's own line counts only when it failed and nothing inside it did (a crash, a time-out).
// Not here: a runner that is killed outright prints nothing; .ci/run closes for it.

import { Writable } from 'node:stream'
import { type FinalResults, Parser, type Result } from 'tap-parser'

/** Where the report goes: process.stdout, or a test's own sink. */
interface Sink {
  write(text: string): unknown
}

/** What a run came to. `whole` is false until the stream of results ended by itself. */
export interface Tally {
  passed: number
  failed: number
  skipped: number
  whole: boolean
}

const lineMarksMax = 100
const DEPTH_MAX = 10

/** Diagnostics as indented lines; strings keep their own lines. Some hold themselves: depth has an end. */
function diagnostics(value: unknown, indent: string): string {
  if (indent.length > DEPTH_MAX * 2) return `${indent}...\n`
  if (value === null || typeof value !== 'object') {
    return String(value)
      .split('\n')
      .map(line => `${indent}${line}\n`)
      .join('')
  }
  let text = ''
  for (const [key, inner] of Object.entries(value)) {
    const flat = inner === null || typeof inner !== 'object'
    if (flat && !String(inner).includes('\n')) text += `${indent}${key}: ${String(inner)}\n`
    else text += `${indent}${key}:\n${diagnostics(inner, `${indent}  `)}`
  }
  return text
}

/** tap looks for a default export that is a Writable class with a `pipe` method. */
// biome-ignore lint/style/noDefaultExport: tap loads a reporter by its default export
export default class Reporter extends Writable {
  readonly tally: Tally = { passed: 0, failed: 0, skipped: 0, whole: false }
  private readonly parser: Parser
  private sink: Sink = process.stdout
  private marks = 0
  private reported = false

  constructor() {
    super({ decodeStrings: false })
    this.parser = new Parser()
    this.watch(this.parser, [])
    this.parser.on('complete', (results: FinalResults) => this.complete(results))
    this.parser.on('bailout', (why: string) => this.fail([`Bail out! ${why}`], undefined))
  }

  /** Sends the report to `sink`; tap calls it with process.stdout before the first line, and then it owns the exit. */
  override pipe<T extends NodeJS.WritableStream>(sink: T): T {
    this.sink = sink
    if ((sink as NodeJS.WritableStream) === process.stdout) {
      process.once('exit', () => {
        this.close()
        if (this.tally.failed > 0) process.exitCode = Number(process.exitCode) || 1
      })
    }
    return sink
  }

  override _write(piece: string | Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.parser.write(typeof piece === 'string' ? piece : piece.toString())
    done()
  }

  override _final(done: () => void): void {
    this.parser.end()
    done()
  }

  /** Writes the closing line, once. Runs that are not whole, or empty, get a failure of their own. */
  close(): void {
    if (this.reported) return
    this.reported = true
    const { tally } = this
    if (!tally.whole) this.fail(['the run ended before its results did'], undefined)
    else if (tally.passed + tally.failed === 0) this.fail(['nothing was asserted'], undefined)
    if (this.marks % lineMarksMax > 0) this.sink.write('\n')
    if (tally.skipped > 0) this.sink.write(`${tally.skipped} skipped\n`)
    this.sink.write(`${tally.passed} passed, ${tally.failed} failed\n`)
  }

  private watch(parser: Parser, path: readonly string[]): void {
    let inner: { parser: Parser; failedBefore: number } | null = null
    parser.on('child', (child: Parser) => {
      inner = { parser: child, failedBefore: this.tally.failed }
      this.watch(child, [...path, child.name])
    })
    parser.on('assert', (result: Result) => {
      const subtest = inner
      inner = null
      if (path.length === 0) this.mark(result.ok ? '.' : 'F')
      if (result.skip) {
        this.tally.skipped += 1
        this.say(`skipped: ${[...path, result.name].join(' > ')} (${String(result.skip)})\n`)
      } else if (result.ok || result.todo) {
        if (subtest === null) this.tally.passed += 1
      } else if (subtest === null || this.tally.failed === subtest.failedBefore) {
        this.fail([...path, result.name], result.diag)
      }
    })
  }

  private complete(results: FinalResults): void {
    this.tally.whole = true
    if (results.ok || this.tally.failed > 0) return
    const errors = results.failures.map(failure => failure.tapError).filter(Boolean)
    this.fail([`results are not sound: ${errors.join('; ') || 'no reason given'}`], undefined)
  }

  private fail(path: readonly string[], diag: unknown): void {
    this.tally.failed += 1
    this.say(`\nFAILED ${path.join(' > ')}\n${diag ? diagnostics(diag, '    ') : ''}\n`)
  }

  private mark(sign: string): void {
    this.sink.write(sign)
    this.marks += 1
    if (this.marks % lineMarksMax === 0) this.sink.write('\n')
  }

  private say(text: string): void {
    if (this.marks % lineMarksMax > 0) this.sink.write('\n')
    this.marks = 0
    this.sink.write(text)
  }
}
