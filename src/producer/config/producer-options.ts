import type { Codec } from '../../compression/codec.js'
import type { SaslOptions } from '../../network/sasl/sasl-options.js'
import type { AllowBroker } from '../../network/session/broker-filter.js'
import type { CreateConnection } from '../../network/streams/given-stream.js'
import type { SslOption } from '../../network/streams/tls.js'
import type { OnDelivery } from '../delivery-report.js'
import type { Encoder, RawData } from '../encoder.js'
import type { ProducerInterceptor } from '../interceptors.js'
import type { Logger } from '../observing/event-log.js'
import type { OnStats } from '../observing/stats-reports.js'
import type { PartitionerOption } from '../partitioners/partitioner-by-name.js'
import type { CompressionOption } from '../queues/topic-compression.js'

/** What `new Producer()` takes. Times are in milliseconds, sizes in bytes. An option that is undefined is not given. */
export interface ProducerOptions<K = RawData, V = RawData, T extends ProducerType = 'sync'> {
  /**
   * Where the first metadata is asked for; any of the cluster will do. The port is 9092 where none is given.
   *
   * Allowed: 'host:port,host:port' or a list of 'host:port'. In Kafka: `bootstrap.servers`, `metadata.broker.list`.
   */
  brokers: string | readonly string[]
  /**
   * What the promise of `send()` is: the acknowledgement (sync), or that the messages are queued (async).
   *
   * Allowed: 'sync' or 'async'. In Kafka: `producer.type`.
   * @default 'sync'
   */
  type?: T | undefined
  /**
   * Names this client in the broker’s logs, metrics and quotas. Brokers before Kafka 1.0 take letters, digits, “.”, “_”
   * and “-” alone.
   *
   * Allowed: a string without control characters and lone surrogates, of at most 32,767 bytes. In Kafka: `client.id`.
   * @default 'kafka-producer'
   */
  clientId?: string | undefined
  /**
   * Who must have a message before it counts as acknowledged: nobody (0), the leader (1), all in-sync replicas (-1, the
   * same as all).
   *
   * Allowed: 0, 1, -1 or 'all'. In Kafka: `acks`, `request.required.acks`.
   * @default -1
   */
  acks?: 0 | 1 | -1 | 'all' | undefined
  /**
   * How long a broker may gather acknowledgements, and answer any request.
   *
   * Allowed: a whole number from 1, in milliseconds. In Kafka: `request.timeout.ms`.
   * @default 30_000
   */
  requestTimeoutMs?: number | undefined
  /**
   * From `send()` to the fate of its messages, everything included: metadata, waiting, connecting, retrying.
   *
   * Allowed: a whole number from 1, in milliseconds. In Kafka: `delivery.timeout.ms`.
   * @default 120_000
   */
  deliveryTimeoutMs?: number | undefined
  /**
   * How often a batch is tried again; without a limit deliveryTimeoutMs decides. Waiting for metadata costs none.
   *
   * Allowed: a whole number from 0, or Infinity. In Kafka: `retries`, `message.send.max.retries`.
   * @default Infinity
   */
  retries?: number | undefined
  /**
   * The first wait before a batch is tried again; it doubles from time to time, with jitter.
   *
   * Allowed: a whole number from 1, in milliseconds. In Kafka: `retry.backoff.ms`.
   * @default 100
   */
  retryBackoffMs?: number | undefined
  /**
   * The longest such wait.
   *
   * Allowed: a whole number from 1, in milliseconds. In Kafka: `retry.backoff.max.ms`.
   * @default 1_000
   */
  retryBackoffMaxMs?: number | undefined
  /**
   * How often metadata is asked for anew without need. 0: after each send; -1: only on failure.
   *
   * Allowed: a whole number from -1, in milliseconds. In Kafka: `metadata.max.age.ms`,
   * `topic.metadata.refresh.interval.ms`.
   * @default 300_000
   */
  metadataRefreshIntervalMs?: number | undefined
  /**
   * After how long a topic that nobody sends to is forgotten, and left out of what is asked for.
   *
   * Allowed: a whole number from 1, in milliseconds. In Kafka: `metadata.max.idle.ms`.
   * @default 300_000
   */
  metadataMaxIdleMs?: number | undefined
  /**
   * Whether messages for an unknown topic may create it, where the broker does so. A refresh and `partitionsFor()`
   * never create one.
   *
   * Allowed: true or false.
   * @default true
   */
  allowAutoTopicCreation?: boolean | undefined
  /**
   * How long brokers may say that a topic does not exist before messages for it fail: creating one takes a moment. 0:
   * no time; -1: until deliveryTimeoutMs. A topic that was seen and is gone is waited for until then, unless no message
   * was under way to it when brokers first said so.
   *
   * Allowed: a whole number from -1, in milliseconds.
   * @default 10_000
   */
  unknownTopicTimeoutMs?: number | undefined
  /**
   * Async: how long the first of the queued messages may wait for others.
   *
   * Allowed: a whole number from 0, in milliseconds. In Kafka: `linger.ms`, `queue.buffering.max.ms`.
   * @default 5
   */
  lingerMs?: number | undefined
  /**
   * Async: how many queued messages are released without waiting longer.
   *
   * Allowed: a whole number from 1. In Kafka: `batch.num.messages`.
   * @default 10_000
   */
  batchMessages?: number | undefined
  /**
   * The most bytes of one partition’s batch; one larger message travels alone. Old brokers refuse more than 1,000,012.
   *
   * Allowed: a whole number from 1, in bytes. In Kafka: `batch.size`.
   * @default 1_000_000
   */
  batchBytes?: number | undefined
  /**
   * The most bytes of batches and names in one request; a larger batch travels alone. Azure Event Hubs hangs up above
   * 1,046,528.
   *
   * Allowed: a whole number from 1, in bytes. In Kafka: `max.request.size`.
   * @default 1_000_000
   */
  maxRequestBytes?: number | undefined
  /**
   * The most messages held, waiting and in flight together.
   *
   * Allowed: a whole number from 1. In Kafka: `queue.buffering.max.messages`.
   * @default 500_000
   */
  queueMessages?: number | undefined
  /**
   * The most bytes of keys, values and headers held, waiting and in flight together.
   *
   * Allowed: a whole number from 1, in bytes. In Kafka: `buffer.memory`.
   * @default 33_554_432
   */
  queueBytes?: number | undefined
  /**
   * How long a message may wait for room. 0: it fails at once; -1: without limit.
   *
   * Allowed: a whole number from -1, in milliseconds. In Kafka: `max.block.ms`, `queue.enqueue.timeout.ms`.
   * @default 60_000
   */
  enqueueTimeoutMs?: number | undefined
  /**
   * Requests on their way to one broker at a time. A partition has one at a time, so that order is kept; with sequences
   * five.
   *
   * Allowed: a whole number from 1 to 1000. In Kafka: `max.in.flight.requests.per.connection`.
   * @default 5
   */
  maxInFlight?: number | undefined
  /**
   * Whether messages have sequences, by which brokers find what they were sent twice (Kafka 0.11, acks -1). By default
   * they have them where brokers allow it; true: else they fail; false: they have none.
   *
   * Allowed: true or false; by default it is found out. In Kafka: `enable.idempotence`.
   */
  idempotent?: boolean | undefined
  /**
   * How long it may take to connect to a broker, over all addresses of its name.
   *
   * Allowed: a whole number from 1, in milliseconds. In Kafka: `socket.connection.setup.timeout.ms`.
   * @default 10_000
   */
  connectTimeoutMs?: number | undefined
  /**
   * Idle connections are closed after this long. Brokers do so after ten minutes, balancers of clouds drop them without
   * a word after four.
   *
   * Allowed: a whole number from 1, in milliseconds. In Kafka: `connections.max.idle.ms`.
   * @default 180_000
   */
  connectionsMaxIdleMs?: number | undefined
  /**
   * Says that the brokers are older than Kafka 0.10 and can’t be asked what they speak. Others are asked.
   *
   * Allowed: '0.8' or '0.9', with or without the rest of the version.
   */
  brokerVersion?: string | undefined
  /**
   * Connects by TLS. The broker’s certificate and name are checked. A function is asked at each connection, so that new
   * certificates need no restart.
   *
   * Allowed: true, false, Node’s options of a TLS connection, or a function that gives them.
   */
  ssl?: false | SslOption | undefined
  /**
   * Who this client is. Names, passwords and tokens may be functions, which are asked at each connection and before a
   * session ends.
   *
   * Allowed: { mechanism: 'plain', 'scram-sha-256' or 'scram-sha-512', username, password }, { mechanism:
   * 'oauthbearer', token }, or { mechanism, authenticator }.
   */
  sasl?: SaslOptions | undefined
  /**
   * Whether wrong credentials and certificates are tried again until deliveryTimeoutMs, instead of failing messages at
   * once.
   *
   * Allowed: true or false.
   * @default false
   */
  retryAuthenticationErrors?: boolean | undefined
  /**
   * Says which addresses that the cluster names may be connected to; those of `brokers` may. Asked each time, before a
   * name is resolved; what is no `true` within connectTimeoutMs is a no. Default: all may.
   *
   * Allowed: a function of host and port that gives true or false, or a promise of that.
   */
  allowBroker?: AllowBroker | undefined
  /**
   * Gives the stream to a broker in place of a TCP connection: through a proxy, a tunnel, a mesh. Names are its own
   * business then; `ssl` is put on top of what it gives. The signal is aborted when connectTimeoutMs has passed or
   * nobody waits any more, and what comes then is destroyed. Default: TCP.
   *
   * Allowed: a function of { host, port } and a signal that gives a Duplex stream, or a promise of one.
   */
  createConnection?: CreateConnection | undefined
  /**
   * The codec of batches. The fallback stands in where a broker does not take it, or this Node has it not: zstd needs
   * Kafka 2.1, and Node 22.15.
   *
   * Allowed: 'none', 'gzip', 'snappy', 'lz4', 'zstd', or { type, level?, fallback? }. In Kafka: `compression.type`,
   * `compression.codec`.
   * @default 'none'
   */
  compression?: CompressionOption | undefined
  /**
   * Where not empty, only these topics are compressed.
   *
   * Allowed: a list of topics. In Kafka: `compressed.topics`.
   * @default []
   */
  compressedTopics?: readonly string[] | undefined
  /**
   * Codecs of single topics; goes before the two above.
   *
   * Allowed: an object of topics, each with what `compression` may be.
   * @default {}
   */
  topicCompression?: Readonly<Record<string, CompressionOption>> | undefined
  /**
   * Codecs of your own, which `compression` then can name.
   *
   * Allowed: a list of codecs.
   * @default []
   */
  codecs?: readonly Codec[] | undefined
  /**
   * Chooses the partition of a message that does not name its own; a function does so only where it has a key or a
   * partition key. Default: murmur2 of the key, as in Java; without a key by bytes.
   *
   * Allowed: a name, a function or a Partitioner. In Kafka: `partitioner.class`.
   */
  partitioner?: PartitionerOption | undefined
  /**
   * Makes bytes of values. Default: bytes as they are, strings as UTF-8.
   *
   * Allowed: an object with a method encode(). In Kafka: `value.serializer`, `serializer.class`.
   * @default new DefaultEncoder()
   */
  encoder?: Encoder<V> | undefined
  /**
   * Makes bytes of keys. Default: the encoder of values.
   *
   * Allowed: an object with a method encode(). In Kafka: `key.serializer`, `key.serializer.class`.
   */
  keyEncoder?: Encoder<K> | undefined
  /**
   * Whether keys, values and headers given as bytes are copied, so that the caller may change its own at once.
   *
   * Allowed: true or false.
   * @default false
   */
  copyBytes?: boolean | undefined
  /**
   * See each message before anything is made of it, where they may put another in its place, and how it ended. One that
   * throws harms nothing.
   *
   * Allowed: a list of objects with the methods onSend, onAcknowledgement or both.
   * @default []
   */
  interceptors?: readonly ProducerInterceptor<Fixed<K>, Fixed<V>>[] | undefined
  /**
   * Async: called with the fate of each message.
   *
   * Allowed: a function.
   */
  onDelivery?: OnDelivery<K, V> | undefined
  /**
   * Told of retries, throttling, leaders that moved, lost connections and the like, a line each, with fields; a storm
   * of one kind is a line a second. Nothing of a message is in it. Default: the namespace `kafka-producer:event` of
   * `DEBUG`.
   *
   * Allowed: an object with the methods debug, info, warn and error, such as console or a pino.
   */
  logger?: Logger | undefined
  /**
   * Called with what `stats()` gives, every statsIntervalMs, and a last time when the producer is closed.
   *
   * Allowed: a function.
   */
  onStats?: OnStats | undefined
  /**
   * How often onStats is called.
   *
   * Allowed: a whole number from 1, in milliseconds.
   * @default 60_000
   */
  statsIntervalMs?: number | undefined
  /**
   * Whether brokers get metrics of this producer, where the cluster subscribes to them (Kafka 3.7, KIP-714):
   * connections, latencies, throttling, waiting; nothing of messages and topics.
   *
   * Allowed: true or false. In Kafka: `enable.metrics.push`.
   * @default true
   */
  enableMetricsPush?: boolean | undefined
}

/**
 * Types of keys and values are inferred from encoders, and not from what is given here. As `NoInfer` does, which older
 * versions of TypeScript have not, and an editor does not show it.
 */
export type Fixed<T> = [T][T extends unknown ? 0 : never]

/** What the promise of `send()` is: the acknowledgement, or that the messages are queued. */
export type ProducerType = 'sync' | 'async'

/** Options of whatever kind. */
export type AnyProducerOptions = ProducerOptions<unknown, unknown, ProducerType>

export type OptionName = keyof AnyProducerOptions

/** Options that go beside a properties file: none is required, undefined is not given. */
export type Beside<O> = { [N in keyof O]?: O[N] | undefined }
