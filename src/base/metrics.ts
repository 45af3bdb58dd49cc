// Metrics: numbers for a scraper, in the text format of Prometheus. Owner of prom-client.
//
// The layers keep plain numbers, which cost an addition; a number is turned into a metric when it is
// scraped, by a callback that reads it. Nothing here is called per message.
//
// Invariants: names begin with "varve_"; a counter ends in "_total" and never falls (its callback returns
// what was counted since the start); a callback that throws leaves its metric out, not the whole scrape.
// Not here: the route (http), lines for people (log.ts).
import { Counter, Gauge, Registry } from 'prom-client'
import { assert } from './assert.ts'

/** A value, or one value per set of label values. */
export type Readings = number | Iterable<readonly [labels: Readonly<Record<string, string>>, value: number]>

export interface MetricFacts {
  /** Without "varve_"; the unit last: "wal_bytes", "ack_wait_seconds". */
  readonly name: string
  readonly help: string
  readonly labels?: readonly string[]
  /** Called at each scrape. */
  readonly read: () => Readings
}

/** A set of metrics that are read when printed. */
export class Metrics {
  readonly contentType: string
  private readonly registry = new Registry()
  private readonly onFault: (name: string, error: unknown) => void

  /** @param onFault  told of a callback that threw */
  constructor(onFault: (name: string, error: unknown) => void) {
    this.onFault = onFault
    this.contentType = this.registry.contentType
  }

  /** A number that only grows while the process lives; "_total" is added to its name. */
  counter(facts: MetricFacts): void {
    const counter: Counter = new Counter({
      ...named(facts, '_total'),
      registers: [this.registry],
      collect: () => {
        counter.reset()
        this.each(facts, (labels, value) => counter.inc(labels, value))
      }
    })
  }

  /** A number that goes up and down. */
  gauge(facts: MetricFacts): void {
    const gauge: Gauge = new Gauge({
      ...named(facts, ''),
      registers: [this.registry],
      collect: () => {
        gauge.reset()
        this.each(facts, (labels, value) => gauge.set(labels, value))
      }
    })
  }

  /** All metrics in the text format of Prometheus 0.0.4. */
  print(): Promise<string> {
    return this.registry.metrics()
  }

  private each(
    facts: MetricFacts,
    set: (labels: Readonly<Record<string, string>>, value: number) => void
  ): void {
    try {
      const readings = facts.read()
      if (typeof readings === 'number') set({}, readings)
      else for (const [labels, value] of readings) set(labels, value)
    } catch (error) {
      this.onFault(facts.name, error)
    }
  }
}

function named({ name, help, labels }: MetricFacts, suffix: string) {
  assert(/^[a-z][a-z0-9_]*$/.test(name) && !name.endsWith('_total'), `the metric name ${name} is plain`)
  return { name: `varve_${name}${suffix}`, help, labelNames: [...(labels ?? [])] }
}
