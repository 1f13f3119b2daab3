import type { HistogramSnapshot, ProducerStats } from '../index.js'

/** What a producer is asked for at a scrape. */
export interface Reading {
  readonly stats: ProducerStats
  readonly clientId: string
  readonly queueMessages: number
  readonly queueBytes: number
}

/** Beside `client_id`, which all have. Each has so many values as `stats()` tells apart, and no more. */
export type Label = 'topic' | 'broker' | 'code'

interface Described {
  readonly name: string
  readonly help: string
}

/** A metric, and where its values are: one of a producer, or one for each value of its label. */
export type Row<Value> = Described &
  (
    | { readonly label?: undefined; read(reading: Reading): Value }
    | { readonly label: Label; read(reading: Reading): Readonly<Record<string, Value>> }
  )

/** How often something was, and what it came to in all: what Prometheus calls a summary. */
export interface Distribution {
  readonly count: number
  /**
   * In whole parts, of which `perUnit` are one of Prometheus' units: what is added up and taken out again then comes to the
   * same, in whatever order. A sum that shrinks by its last digit has begun anew for Prometheus, all of it since then.
   */
  readonly sum: number
  readonly perUnit: number
  /** By the share of values that are not above it. */
  readonly quantiles: Readonly<Record<string, number>>
}

/** In Prometheus' units, of which one is so many here; `parts` are what one of those here is recorded in. */
function distribution(histogram: HistogramSnapshot, unit = 1, parts = 1): Distribution {
  const { count, mean, p50, p95, p99, p999 } = histogram
  const quantiles = { 0.5: p50 / unit, 0.95: p95 / unit, 0.99: p99 / unit, 0.999: p999 / unit }
  return {
    count,
    sum: Math.round(mean * count * parts),
    perUnit: unit * parts,
    quantiles: count === 0 ? {} : quantiles,
  }
}

/** Of milliseconds, kept to the microsecond. */
const seconds = (histogram: HistogramSnapshot): Distribution => distribution(histogram, 1_000, 1_000)

function of<Item, Value>(items: Readonly<Record<string, Item>>, read: (item: Item) => Value): Record<string, Value> {
  return Object.fromEntries(Object.entries(items).map(([name, item]) => [name, read(item)]))
}

export const COUNTERS: readonly Row<number>[] = [
  {
    name: 'kafka_producer_messages_total',
    help: 'Messages taken in; in async mode each once it lingers no more.',
    read: ({ stats }) => stats.messages,
  },
  {
    name: 'kafka_producer_message_bytes_total',
    help: 'Bytes of the keys, values and headers of messages taken in.',
    read: ({ stats }) => stats.bytes,
  },
  {
    name: 'kafka_producer_acknowledged_messages_total',
    help: 'Messages acknowledged; with acks 0, handed to the system.',
    read: ({ stats }) => stats.acknowledged,
  },
  {
    name: 'kafka_producer_failed_messages_total',
    help: 'Messages that failed, but for those of a send() that was refused as a whole.',
    read: ({ stats }) => stats.failed,
  },
  {
    // Of single topics there is nothing before the first: alerts need what is there from the start.
    name: 'kafka_producer_dropped_messages_total',
    help: 'Messages refused for want of room, of all topics; they are among those that failed.',
    read: ({ stats }) => stats.allTopics.dropped.count,
  },
  {
    name: 'kafka_producer_topic_messages_total',
    help: 'Messages that went out, each once, however often it was sent again.',
    label: 'topic',
    read: ({ stats }) => of(stats.topics, ({ messages }) => messages.count),
  },
  {
    name: 'kafka_producer_topic_bytes_total',
    help: 'Bytes of the batches of these messages before compression.',
    label: 'topic',
    read: ({ stats }) => of(stats.topics, ({ bytes }) => bytes.count),
  },
  {
    name: 'kafka_producer_topic_dropped_messages_total',
    help: 'Messages refused for want of room, by topic.',
    label: 'topic',
    read: ({ stats }) => of(stats.topics, ({ dropped }) => dropped.count),
  },
  {
    name: 'kafka_producer_retries_total',
    help: 'Batches that were to be sent again, by the code of what they failed with.',
    label: 'code',
    read: ({ stats }) => stats.retriesByCode,
  },
  {
    name: 'kafka_producer_requests_total',
    help: 'Produce requests.',
    label: 'broker',
    read: ({ stats }) => of(stats.brokers, ({ requests }) => requests.count),
  },
  {
    name: 'kafka_producer_batch_plain_bytes_total',
    help: 'Bytes of batches before compression, each time that they are sent.',
    read: ({ stats }) => stats.plainBytes,
  },
  {
    name: 'kafka_producer_batch_wire_bytes_total',
    help: 'Bytes of batches in requests, each time that they are sent.',
    read: ({ stats }) => stats.wireBytes,
  },
  {
    name: 'kafka_producer_connections_opened_total',
    help: 'Connections that were opened.',
    read: ({ stats }) => stats.connections.opened,
  },
  {
    name: 'kafka_producer_connections_failed_total',
    help: 'Attempts to open a connection that came to nothing, but for those that nobody wanted any more.',
    read: ({ stats }) => stats.connections.failed,
  },
  {
    name: 'kafka_producer_connections_closed_total',
    help: 'Opened connections that ended, whoever ended them.',
    read: ({ stats }) => stats.connections.closed,
  },
  {
    name: 'kafka_producer_serialization_errors_total',
    help: 'Messages that an encoder failed on.',
    read: ({ stats }) => stats.serializationErrors,
  },
  {
    name: 'kafka_producer_unheard_failures_total',
    help: 'Async mode: failed messages that no callback and no listener heard of.',
    read: ({ stats }) => stats.unheardFailures,
  },
  {
    name: 'kafka_producer_throwing_callbacks_total',
    help: 'Callbacks that threw or rejected.',
    read: ({ stats }) => stats.throwingCallbacks,
  },
  {
    name: 'kafka_producer_codec_failures_total',
    help: 'Batches that went out as they are since their codec failed or took too long.',
    read: ({ stats }) => stats.codecFailures,
  },
]

export const GAUGES: readonly Row<number>[] = [
  {
    name: 'kafka_producer_queue_messages',
    help: 'Messages waiting or in flight.',
    read: ({ stats }) => stats.queueMessages,
  },
  {
    name: 'kafka_producer_queue_bytes',
    help: 'Bytes of the messages waiting or in flight.',
    read: ({ stats }) => stats.queueBytes,
  },
  {
    name: 'kafka_producer_queue_limit_messages',
    help: 'The option queueMessages.',
    read: ({ queueMessages }) => queueMessages,
  },
  {
    name: 'kafka_producer_queue_limit_bytes',
    help: 'The option queueBytes.',
    read: ({ queueBytes }) => queueBytes,
  },
  {
    name: 'kafka_producer_not_idempotent',
    help: 'Producers whose brokers do not find what they were sent twice, were it for one topic.',
    read: ({ stats }) => Number(stats.idempotent === false || stats.notIdempotentTopics.length > 0),
  },
]

/** Their quantiles are those of all values since the producer was made, to two figures. */
export const SUMMARIES: readonly [Row<Distribution>, ...Row<Distribution>[]] = [
  {
    name: 'kafka_producer_request_duration_seconds',
    help: 'From a Produce request to its answer.',
    label: 'broker',
    read: ({ stats }) => of(stats.brokers, ({ requestTimeMs }) => seconds(requestTimeMs)),
  },
  {
    name: 'kafka_producer_request_size_bytes',
    help: 'Bytes of a Produce request.',
    label: 'broker',
    read: ({ stats }) => of(stats.brokers, ({ requestBytes }) => distribution(requestBytes)),
  },
  {
    name: 'kafka_producer_batch_size_messages',
    help: 'Messages of a batch, each time that it is sent.',
    read: ({ stats }) => distribution(stats.batchMessages),
  },
  {
    name: 'kafka_producer_batch_size_bytes',
    help: 'Bytes of a batch before compression, each time that it is sent.',
    read: ({ stats }) => distribution(stats.batchBytes),
  },
  {
    name: 'kafka_producer_queue_time_seconds',
    help: "From the send() of a batch's first message to its first request.",
    read: ({ stats }) => seconds(stats.queueTimeMs),
  },
  {
    name: 'kafka_producer_record_age_seconds',
    help: "From the send() of a batch's first message to its acknowledgement.",
    read: ({ stats }) => seconds(stats.ageMs),
  },
  {
    name: 'kafka_producer_throttle_time_seconds',
    help: 'How long a broker was left alone since it asked for that, each time.',
    read: ({ stats }) => seconds(stats.throttleTimeMs),
  },
]
