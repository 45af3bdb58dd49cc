// The mapper: one message in, its rows in the appender. A message whose form is known goes the short way;
// any other is read in full onto the tape and flattened, and leaves its form behind for the next.
//
// What cannot be stored becomes a dead letter and never stops anything; only a store that refuses rows makes
// message() throw, and then the message must not be acknowledged. Storing it again is harmless where it
// carries its own time: the same group and time is the same row.
//
// Invariants: a message is stored whole or not at all, but for a store that fails between two rows of it.
// Not here: topics and their rules (route.ts), the forms seen before (known-forms.ts), formats (payload-*.ts),
// acknowledging (broker, daemon).
import { VarveError } from '../base/errors.ts'
import { KIND } from '../series/sample.ts'
import type { Appender } from './appender.ts'
import type { DeadLetters } from './dead-letter.ts'
import { timeOfNumber } from './device-time.ts'
import { ABSENT, Draft } from './draft.ts'
import { Flattener } from './flatten.ts'
import type { Form } from './form.ts'
import { KnownForms } from './known-forms.ts'
import { type FailureCode, INGEST_LIMITS, type IngestLimits } from './limits.ts'
import { CborReader } from './payload-cbor.ts'
import { JsonReader } from './payload-json.ts'
import { readText } from './payload-text.ts'
import { type Route, Routes } from './route.ts'
import { compileRule, type RuleOptions } from './rule.ts'
import { Tape, TOKEN } from './tape.ts'
import { REFUSED_TIME_FIELD, TimeGuard } from './time-guard.ts'
import { appendRow, fits, makeVariant, type Variant } from './variant.ts'
import { type Wire, wireOf } from './wire.ts'

export interface MapperOptions {
  readonly appender: Appender
  readonly deadLetters: DeadLetters
  readonly rules?: readonly RuleOptions[]
  readonly guard?: TimeGuard
  readonly limits?: IngestLimits
  /** Topics remembered at a time; more of them are served, more slowly. */
  readonly topicsMax?: number
}

export class Mapper {
  /** Messages seen, of any outcome. */
  messages = 0
  /** Rows and samples appended. */
  rows = 0
  samples = 0
  /** Messages that a rule leaves out, and messages without a value in them. */
  ignored = 0
  empty = 0
  readonly guard: TimeGuard
  private readonly appender: Appender
  private readonly deadLetters: DeadLetters
  private readonly limits: IngestLimits
  private readonly routes: Routes
  private readonly tape = new Tape()
  private readonly draft = new Draft()
  private readonly json: JsonReader
  private readonly cbor: CborReader
  private readonly forms: KnownForms
  private readonly flattener: Flattener

  /** @throws {VarveError} VARVE_RULE for a rule that cannot be used */
  constructor(options: MapperOptions) {
    this.appender = options.appender
    this.deadLetters = options.deadLetters
    this.guard = options.guard ?? new TimeGuard()
    this.limits = options.limits ?? INGEST_LIMITS
    this.routes = new Routes((options.rules ?? []).map(compileRule), options.topicsMax ?? 32_768)
    this.forms = new KnownForms(this.draft, this.limits.valueBytesMax)
    this.json = new JsonReader(this.tape, this.limits)
    this.cbor = new CborReader(this.tape, this.limits)
    this.flattener = new Flattener(this.tape, this.draft, this.limits)
  }

  /** Memory of what is remembered of topics, in bytes, roughly. */
  get topicBytes(): number {
    return this.routes.bytes
  }

  /** How many topics are remembered now. */
  get topics(): number {
    return this.routes.size
  }

  /**
   * Stores what one message says; bytes[start, end) is its payload and is not kept.
   * @param nowUs  the gateway's time, microseconds: the time of values that bring none
   * @returns how many rows were appended; 0 for a message without values, ignored or refused
   * @throws {VarveError} what the store refuses with (VARVE_STORE_FAILED, VARVE_MEMORY)
   */
  message(topic: string, bytes: Uint8Array, start: number, end: number, nowUs: number): number {
    this.messages++
    const route = this.routes.of(topic)
    if (route.rule.ignore) {
      this.ignored++
      return 0
    }
    if (start === end) {
      this.empty++
      return 0
    }
    if (route.refusal !== '') return this.refuse(route, 'label', route.refusal, bytes, start, end, nowUs)
    const wire = wireOf(route.rule.format, bytes, start, end)
    let rows = -1
    if (wire === 'json' || wire === 'cbor') {
      const form = this.forms.find(route, wire, bytes, start, end)
      if (form !== null) rows = this.fitted(route, form, bytes, start, end, nowUs)
    }
    if (wire === 'text') rows = this.bare(route, bytes, start, end, nowUs)
    if (rows >= 0) return rows
    return this.unknown(route, wire, bytes, start, end, nowUs)
  }

  /** Stores a bare value of a topic that has had one of its kind; -1 when it has not. */
  private bare(route: Route, bytes: Uint8Array, start: number, end: number, nowUs: number): number {
    const { tape, draft } = this
    if (route.variants.length === 0 || !readText(tape, this.limits, bytes, start, end)) return -1
    const token = tape.tokens[0]!
    if (token === TOKEN.string) draft.setText(0, KIND.string, tape.starts[0]!, tape.ends[0]!, 0)
    else if (token === TOKEN.null) return -1
    else {
      draft.kinds[0] = token === TOKEN.boolean ? KIND.boolean : KIND.number
      draft.numbers[0] = tape.numbers[0]!
    }
    for (let i = 0; i < route.variants.length; i++) {
      const variant = route.variants[i]!
      if (fits(variant, route.bareNames, draft, 0)) return this.append(variant, nowUs, true, 0, bytes)
    }
    return -1
  }

  /** Stores the one row of a form, which the draft holds; -1 when its time cannot be read. */
  private fitted(
    route: Route,
    form: Form,
    bytes: Uint8Array,
    start: number,
    end: number,
    nowUs: number
  ): number {
    const { draft } = this
    let { names } = form
    const n = names.length
    if (form.payload >= 0) draft.setText(form.payload, KIND.bytes, start, end, 0)
    let timeUs = nowUs
    let isArrival = true
    if (form.timed) {
      const kind = draft.kinds[n]!
      let deviceUs = Number.NaN
      if (kind === KIND.number) deviceUs = timeOfNumber(draft.numbers[n]!, route.rule.timeUnit)
      else if (kind === KIND.string) {
        deviceUs = this.flattener.timeOfText(route.rule.timeUnit, bytes, draft.starts[n]!, draft.ends[n]!)
      }
      if (kind !== ABSENT && Number.isNaN(deviceUs)) return -1
      if (kind !== ABSENT && this.guard.believes(deviceUs, nowUs)) {
        timeUs = deviceUs
        isArrival = false
      } else if (kind !== ABSENT && form.namesRefused !== names) {
        names = form.namesRefused
        draft.kinds[n] = KIND.number
        draft.numbers[n] = deviceUs
      }
    }
    const variant = this.variantOf(route, names, 0, bytes, start, end, nowUs)
    if (variant === null) return 0
    return this.append(variant, timeUs, isArrival, 0, bytes)
  }

  /** Reads a message in full and stores it. */
  private unknown(
    route: Route,
    wire: Wire,
    bytes: Uint8Array,
    start: number,
    end: number,
    nowUs: number
  ): number {
    const { tape, flattener } = this
    if (!this.read(wire, bytes, start, end) || !flattener.flatten(route, start, end)) {
      return this.refuse(route, tape.failure!, tape.failureReason, bytes, start, end, nowUs)
    }
    if (wire === 'json' || wire === 'cbor') this.learn(route, wire, bytes, start, end)
    const n = flattener.names.length
    const variants: Variant[] = []
    const arrivals: boolean[] = []
    for (let row = 0; row < n; row++) {
      arrivals.push(this.judge(route, row, nowUs))
      const first = flattener.firsts[row]!
      const variant = this.variantOf(route, flattener.names[row]!, first, bytes, start, end, nowUs)
      if (variant === null) return 0
      variants.push(variant)
    }
    let rows = 0
    for (let row = 0; row < n; row++) {
      if (variants[row]!.present === 0) continue
      const timeUs = flattener.timesUs[row]!
      rows += this.append(variants[row]!, timeUs, arrivals[row]!, flattener.firsts[row]!, bytes)
    }
    if (rows === 0) this.empty++
    return rows
  }

  private read(wire: Wire, bytes: Uint8Array, start: number, end: number): boolean {
    if (wire === 'json') return this.json.read(bytes, start, end)
    if (wire === 'cbor') return this.cbor.read(bytes, start, end)
    if (wire === 'text') return readText(this.tape, this.limits, bytes, start, end)
    this.tape.begin(bytes)
    if (end - start > this.limits.valueBytesMax) {
      this.tape.fail('size', `payload of ${end - start} bytes, the limit is ${this.limits.valueBytesMax}`)
      return false
    }
    this.tape.addText(TOKEN.bytes, start, end, 0, start, end)
    return true
  }

  /** Remembers the form of the message just flattened, for its topic and for the others of its rule. */
  private learn(route: Route, wire: 'json' | 'cbor', bytes: Uint8Array, start: number, end: number): void {
    const form = this.flattener.form(wire, bytes, start, end)
    if (form === null) return
    if (this.forms.learn(route, form)) this.routes.charge(2 * form.literal.length)
  }

  /**
   * Settles the time of a flattened row: its own, or the gateway's with the refused one as a field.
   * @returns whether it is the gateway's
   */
  private judge(route: Route, row: number, nowUs: number): boolean {
    const { flattener, draft } = this
    const deviceUs = flattener.timesUs[row]!
    if (!Number.isNaN(deviceUs) && this.guard.believes(deviceUs, nowUs)) return false
    flattener.timesUs[row] = nowUs
    const names = flattener.names[row]!
    const name = route.rule.prefix + REFUSED_TIME_FIELD
    if (!Number.isNaN(deviceUs) && !names.includes(name)) {
      const first = draft.count
      for (let i = 0; i < names.length; i++) draft.copy(draft.number(ABSENT, 0), flattener.firsts[row]! + i)
      draft.number(KIND.number, deviceUs)
      flattener.firsts[row] = first
      flattener.names[row] = [...names, name]
    }
    return true
  }

  /** The variant of a row of the draft; null when it cannot have one, and the message is refused. */
  private variantOf(
    route: Route,
    names: readonly string[],
    first: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    nowUs: number
  ): Variant | null {
    const { variants } = route
    if (route.recent >= 0 && fits(variants[route.recent]!, names, this.draft, first)) {
      return variants[route.recent]!
    }
    for (let i = 0; i < variants.length; i++) {
      if (!fits(variants[i]!, names, this.draft, first)) continue
      route.recent = i
      return variants[i]!
    }
    try {
      const variant = makeVariant(this.appender, route, names, this.draft, first)
      route.remember(variant)
      for (const name of names) this.routes.charge(32 + name.length)
      return variant
    } catch (error) {
      const code = error instanceof VarveError ? error.code : ''
      if (code !== 'VARVE_SERIES_LIMIT' && code !== 'VARVE_LABEL') throw error
      const failure = code === 'VARVE_LABEL' ? 'label' : 'series_limit'
      this.refuse(route, failure, (error as Error).message, bytes, start, end, nowUs)
      return null
    }
  }

  private append(
    variant: Variant,
    timeUs: number,
    isArrival: boolean,
    first: number,
    bytes: Uint8Array
  ): number {
    if (variant.present === 0) {
      this.empty++
      return 0
    }
    appendRow(this.appender, variant, timeUs, isArrival, this.draft, first, bytes, this.tape.side.bytes)
    this.rows++
    this.samples += variant.present
    return 1
  }

  private refuse(
    route: Route,
    code: FailureCode,
    why: string,
    bytes: Uint8Array,
    start: number,
    end: number,
    nowUs: number
  ): 0 {
    this.deadLetters.add(route.topic, nowUs, code, why, bytes, start, end)
    return 0
  }
}
