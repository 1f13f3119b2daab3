import {
  Counter,
  Gauge,
  Summary,
  type OpenMetricsContentType,
  type PrometheusContentType,
  type Registry,
} from 'prom-client'
import type { ProducerStats } from '../index.js'
import { COUNTERS, GAUGES, SUMMARIES, type Distribution, type Label, type Reading, type Row } from './metrics.js'
import { Remainder, valuesIn } from './remainder.js'

/** A registry of prom-client, whichever format it writes. */
export type MetricsRegistry = Registry<PrometheusContentType> | Registry<OpenMetricsContentType>

interface MeasuredConfig {
  readonly clientId: string
  readonly queueMessages: number
  readonly queueBytes: number
}

/** A `Producer` or a `TransactionalProducer`. */
export interface MeasuredProducer {
  readonly config: MeasuredConfig | { readonly producer: MeasuredConfig }
  stats(): ProducerStats
}

/** By which a process that has this package as ECMAScript modules and as CommonJS finds the same one from both. */
const COLLECTOR = Symbol.for('kafka-producer:collector')

type LabelName = Label | 'client_id' | 'quantile'
type Labels = Partial<Record<LabelName, string>>

/**
 * The metrics of all producers of a registry. Those of one client id are told as one: what has the same labels is added
 * up, but for quantiles, of which the highest is told.
 */
export class Collector {
  /** And how often each was added: whoever did so takes it out for himself alone. */
  private readonly producers = new Map<MeasuredProducer, number>()
  /** By client id: what is left of producers that were taken out before others. */
  private readonly remainders = new Map<string, Remainder>()
  /** What each was read to have at the last scrape. */
  private readonly latest = new WeakMap<MeasuredProducer, Reading>()
  /** What the scrape under way reads for all metrics. */
  private readings: readonly Reading[] | undefined

  /** @throws where the registry has other metrics of these names */
  private constructor(registry: MetricsRegistry) {
    // Before any is made: of some alone the registry could not be rid again.
    for (const { name } of [...COUNTERS, ...GAUGES, ...SUMMARIES])
      if (registry.getSingleMetric(name) !== undefined)
        throw new Error(`A metric with the name ${name} has already been registered.`)
    for (const row of COUNTERS) {
      const samples = () => this.samplesOf(row, (remainder) => remainder.countsOf(row))
      new Counter({ ...described(row, registry), collect: collecting(samples) })
    }
    for (const row of GAUGES) new Gauge({ ...described(row, registry), collect: collecting(() => this.samplesOf(row)) })
    for (const row of SUMMARIES) new DistributionSummary(this, row, registry)
  }

  /** The one whose metrics the registry has; or a new one, as after its `clear()`. */
  static of(registry: MetricsRegistry): Collector {
    const [{ name }] = SUMMARIES
    const known = registry.getSingleMetric(name) as Partial<DistributionSummary> | undefined
    return known?.[COLLECTOR] ?? new Collector(registry)
  }

  /** @returns what takes it out */
  add(producer: MeasuredProducer): () => void {
    this.readings = undefined
    if (!this.producers.has(producer)) this.remainders.get(configOf(producer).clientId)?.giveBack(producer)
    this.producers.set(producer, (this.producers.get(producer) ?? 0) + 1)
    let isIn = true
    return () => {
      if (isIn) this.remove(producer)
      isIn = false
    }
  }

  private remove(producer: MeasuredProducer): void {
    const left = (this.producers.get(producer) ?? 0) - 1
    if (left > 0) return void this.producers.set(producer, left)
    this.producers.delete(producer)
    this.readings = undefined
    const { clientId } = configOf(producer)
    if (!this.hasOthers(producer)) return void this.remainders.delete(clientId)
    this.remainderOf(clientId).keep(producer, this.readingOf(producer))
  }

  /** Whether others of the same client id are in. */
  private hasOthers(producer: MeasuredProducer): boolean {
    const { clientId } = configOf(producer)
    return [...this.producers.keys()].some((other) => other !== producer && configOf(other).clientId === clientId)
  }

  private remainderOf(clientId: string): Remainder {
    const remainder = this.remainders.get(clientId) ?? new Remainder(COUNTERS, SUMMARIES)
    this.remainders.set(clientId, remainder)
    return remainder
  }

  /** A topic or a broker that a producer has no figures of any more may be one of another's of its client id. */
  private readingOf(producer: MeasuredProducer): Reading {
    const reading = readingOf(producer)
    const before = this.latest.get(producer)
    this.latest.set(producer, reading)
    if (before !== undefined && this.hasOthers(producer)) this.remainderOf(reading.clientId).keepGone(before, reading)
    return reading
  }

  /**
   * Each value of a metric, with its labels.
   *
   * @param left what of it is left of producers that are out
   */
  samplesOf<Value>(
    row: Row<Value>,
    left: (remainder: Remainder) => Iterable<readonly [string, Value]> = () => [],
  ): (readonly [Labels, Value])[] {
    const labelled = (clientId: string, values: Iterable<readonly [string, Value]>) =>
      Array.from(values, ([name, value]): readonly [Labels, Value] => {
        const ofClient: Labels = { client_id: clientId }
        return [row.label === undefined ? ofClient : { ...ofClient, [row.label]: name }, value]
      })
    return [
      ...this.read().flatMap((reading) => labelled(reading.clientId, valuesIn(row, reading))),
      ...[...this.remainders].flatMap(([clientId, remainder]) => labelled(clientId, left(remainder))),
    ]
  }

  /** A scrape asks all metrics in one go, and a producer's statistics are more work than reading one of them. */
  private read(): readonly Reading[] {
    if (this.readings === undefined) {
      this.readings = Array.from(this.producers.keys(), (producer) => this.readingOf(producer))
      queueMicrotask(() => (this.readings = undefined))
    }
    return this.readings
  }
}

function configOf({ config }: MeasuredProducer): MeasuredConfig {
  return 'producer' in config ? config.producer : config
}

function readingOf(producer: MeasuredProducer): Reading {
  const { clientId, queueMessages, queueBytes } = configOf(producer)
  return { stats: producer.stats(), clientId, queueMessages, queueBytes }
}

function described({ name, help, label }: Row<unknown>, registry: MetricsRegistry) {
  const labelNames: LabelName[] = label === undefined ? ['client_id'] : ['client_id', label]
  return { name, help, labelNames, registers: [registry] }
}

/** What prom-client calls at a scrape: the metric is filled anew. */
function collecting(samples: () => readonly (readonly [Labels, number])[]) {
  return function (this: Counter<LabelName> | Gauge<LabelName>): void {
    this.reset()
    for (const [labels, value] of samples()) this.inc(labels, value)
  }
}

/** A summary of what was observed elsewhere. */
class DistributionSummary extends Summary<LabelName> {
  readonly [COLLECTOR]: Collector

  constructor(
    collector: Collector,
    private readonly row: Row<Distribution>,
    registry: MetricsRegistry,
  ) {
    super(described(row, registry))
    this[COLLECTOR] = collector
  }

  override async get(): ReturnType<Summary<LabelName>['get']> {
    const { row } = this
    const { name } = row
    const samples = this[COLLECTOR].samplesOf(row, (remainder) => remainder.distributionsOf(row))
    const values = merged(samples).flatMap(([labels, { count, sum, perUnit, quantiles }]) => [
      ...Object.entries(quantiles).map(([quantile, value]) => ({ labels: { ...labels, quantile }, value })),
      { metricName: `${name}_sum`, labels, value: sum / perUnit },
      { metricName: `${name}_count`, labels, value: count },
    ])
    return { ...(await super.get()), values }
  }
}

function merged(samples: readonly (readonly [Labels, Distribution])[]): (readonly [Labels, Distribution])[] {
  const byLabels = new Map<string, readonly [Labels, Distribution]>()
  for (const [labels, one] of samples) {
    const key = JSON.stringify(labels)
    const other = byLabels.get(key)?.[1]
    byLabels.set(key, [labels, other === undefined ? one : both(one, other)])
  }
  return [...byLabels.values()]
}

function both(one: Distribution, other: Distribution): Distribution {
  const names = Object.keys({ ...one.quantiles, ...other.quantiles })
  const higher = (name: string) => Math.max(one.quantiles[name] ?? 0, other.quantiles[name] ?? 0)
  return {
    count: one.count + other.count,
    sum: one.sum + other.sum,
    perUnit: one.perUnit,
    quantiles: Object.fromEntries(names.map((name) => [name, higher(name)])),
  }
}
