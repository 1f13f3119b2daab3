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
  /** What the scrape under way reads for all metrics. */
  private readings: readonly Reading[] | undefined

  /** @throws where the registry has other metrics of these names */
  private constructor(registry: MetricsRegistry) {
    // Before any is made: of some alone the registry could not be rid again.
    for (const { name } of [...COUNTERS, ...GAUGES, ...SUMMARIES])
      if (registry.getSingleMetric(name) !== undefined)
        throw new Error(`A metric with the name ${name} has already been registered.`)
    const samplesOf = (row: Row<number>) => this.samplesOf(row)
    for (const row of COUNTERS) new Counter({ ...described(row, registry), collect: collecting(() => samplesOf(row)) })
    for (const row of GAUGES) new Gauge({ ...described(row, registry), collect: collecting(() => samplesOf(row)) })
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
    this.producers.set(producer, (this.producers.get(producer) ?? 0) + 1)
    let isIn = true
    return () => {
      if (isIn) this.remove(producer)
      isIn = false
    }
  }

  private remove(producer: MeasuredProducer): void {
    const left = (this.producers.get(producer) ?? 0) - 1
    if (left > 0) this.producers.set(producer, left)
    else this.producers.delete(producer)
  }

  /** Each value of a metric, with its labels. */
  samplesOf<Value>(row: Row<Value>): (readonly [Labels, Value])[] {
    return this.read().flatMap((reading) => {
      const { label } = row
      const ofClient: Labels = { client_id: reading.clientId }
      if (label === undefined) return [[ofClient, row.read(reading)] as const]
      return Object.entries(row.read(reading)).map(([name, value]) => [{ ...ofClient, [label]: name }, value] as const)
    })
  }

  /** A scrape asks all metrics in one go, and a producer's statistics are more work than reading one of them. */
  private read(): readonly Reading[] {
    if (this.readings === undefined) {
      this.readings = Array.from(this.producers.keys(), readingOf)
      queueMicrotask(() => (this.readings = undefined))
    }
    return this.readings
  }
}

function readingOf(producer: MeasuredProducer): Reading {
  const { config } = producer
  const { clientId, queueMessages, queueBytes } = 'producer' in config ? config.producer : config
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
    const { name } = this.row
    const values = merged(this[COLLECTOR].samplesOf(this.row)).flatMap(([labels, { count, sum, quantiles }]) => [
      ...Object.entries(quantiles).map(([quantile, value]) => ({ labels: { ...labels, quantile }, value })),
      { metricName: `${name}_sum`, labels, value: sum },
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
    quantiles: Object.fromEntries(names.map((name) => [name, higher(name)])),
  }
}
