import type { Clock } from '../../clock.js'
import type { Metric, MetricPoint } from '../../protocol/otlp-metrics.js'
import type { BatchBegin, ObservedEvent, Observer, OnEnd, RequestBegin, RequestEnd } from '../../stats/observer.js'

const PREFIX = 'org.apache.kafka.producer.'
/** Addresses that have figures of their own between two pushes: more than any cluster has. */
const MAX_NODES = 5_000

/** How many connections were opened by then. */
interface Count {
  readonly at: number
  readonly timestamp: number
  readonly opened: number
}

/** Values between two pushes. */
class Span {
  count = 0
  sum = 0
  max = 0

  record(value: number): void {
    this.count++
    this.sum += value
    if (value > this.max) this.max = value
  }
}

/** Where connections are counted, and which brokers there are. */
export interface MetricSources {
  readonly clock: Clock
  /** Connections opened since the start. */
  readonly opened: () => number
  /** Ids of brokers by host and port. */
  readonly nodes: () => ReadonlyMap<string, number>
}

/**
 * The metrics that KIP-714 requires of a producer, under the names and with the labels that the Java producer has. Averages
 * and maxima are of the time from one push to the next; one of which nothing is known in that time is left out.
 */
export class ProducerMetrics implements Observer {
  private startedAt: number
  /** What was counted when metrics were taken last, and when those were that arrived last. */
  private since: Count
  private counted: Count
  private latencies = new Map<string, Span>()
  private queued = new Span()
  private throttled = new Span()
  private answers = 0

  constructor(private readonly sources: MetricSources) {
    const { clock } = sources
    this.startedAt = clock.timestamp()
    this.since = this.counted = { at: clock.now(), timestamp: this.startedAt, opened: 0 }
  }

  readonly batch = ({ isFirst, queuedMs }: BatchBegin): undefined => {
    if (isFirst) this.queued.record(queuedMs)
  }

  readonly request = ({ api, broker }: RequestBegin): OnEnd<RequestEnd> | undefined => {
    if (api !== 'Produce') return undefined
    return ({ error, latencyMs }) => {
      if (error !== undefined) return
      this.answers++
      this.latencyOf(broker)?.record(latencyMs)
    }
  }

  readonly event = (event: ObservedEvent): void => {
    if (event.type === 'throttled') this.throttled.record(event.throttleMs)
  }

  private latencyOf(broker: string): Span | undefined {
    const known = this.latencies.get(broker)
    if (known !== undefined || this.latencies.size >= MAX_NODES) return known
    const span = new Span()
    this.latencies.set(broker, span)
    return span
  }

  /** What is to be pushed, and the time that it is of; from here on everything but counts begins anew. */
  take(isDelta: boolean): { readonly metrics: Metric[]; readonly timestamp: number } {
    const { clock } = this.sources
    const now = clock.now()
    const timestamp = clock.timestamp()
    // The system's time may have been set back; nothing began after now.
    this.startedAt = Math.min(this.startedAt, timestamp)
    const opened = this.sources.opened()
    const ids = this.sources.nodes()
    const { since, counted, latencies, queued, throttled } = this
    const seconds = Math.max(now - since.at, 1) / 1_000
    const nodes = [...latencies].flatMap(([broker, span]) => {
      const id = ids.get(broker)
      return id === undefined ? [] : [{ span, attributes: { node_id: `node-${id}` } }]
    })
    const total = isDelta ? opened - counted.opened : opened
    const metrics: Metric[] = [
      gauge('connection.creation.rate', [{ value: (opened - since.opened) / seconds }]),
      {
        name: `${PREFIX}connection.creation.total`,
        kind: isDelta ? 'delta' : 'cumulative',
        startedAt: isDelta ? Math.min(counted.timestamp, timestamp) : this.startedAt,
        points: [{ value: total }],
      },
      gauge(
        'node.request.latency.avg',
        nodes.map(({ span, attributes }) => ({ value: span.sum / span.count, attributes })),
      ),
      gauge(
        'node.request.latency.max',
        nodes.map(({ span, attributes }) => ({ value: span.max, attributes })),
      ),
      // Of all answers: brokers mostly do not throttle, and are heard of only when they do.
      ...averageAndMax('produce.throttle.time', throttled, Math.max(this.answers, throttled.count)),
      ...averageAndMax('record.queue.time', queued, queued.count),
    ]
    this.since = { at: now, timestamp, opened }
    this.latencies = new Map()
    this.queued = new Span()
    this.throttled = new Span()
    this.answers = 0
    return { metrics: metrics.filter(({ points }) => points.length > 0), timestamp }
  }

  /** What was taken last has arrived: counts of what is new go on from there. */
  arrived(): void {
    this.counted = this.since
  }

  /** Whether prefixes of names ask for any of these. */
  static isAsked(isRequested: (name: string) => boolean): boolean {
    return NAMES.some(isRequested)
  }
}

const NAMES = [
  'connection.creation.rate',
  'connection.creation.total',
  'node.request.latency.avg',
  'node.request.latency.max',
  'produce.throttle.time.avg',
  'produce.throttle.time.max',
  'record.queue.time.avg',
  'record.queue.time.max',
].map((name) => PREFIX + name)

function gauge(name: string, points: readonly MetricPoint[]): Metric {
  return { name: PREFIX + name, kind: 'gauge', points }
}

function averageAndMax(name: string, { sum, max }: Span, count: number): Metric[] {
  const points = (value: number): MetricPoint[] => (count === 0 ? [] : [{ value }])
  return [gauge(`${name}.avg`, points(sum / count)), gauge(`${name}.max`, points(max))]
}
