import type { Codec } from '../../compression/codec.js'
import { InvalidConfigError } from '../../errors.js'
import { given } from '../../given.js'
import { isRecord } from '../../is-record.js'
import { makeMechanism, type SaslOptions } from '../../network/sasl/sasl-options.js'
import { Secret } from '../../network/secret.js'
import type { AllowBroker } from '../../network/session/broker-filter.js'
import type { CreateConnection } from '../../network/streams/given-stream.js'
import { checkTlsOptions } from '../../network/streams/tls-options.js'
import type { SslOption } from '../../network/streams/tls.js'
import { MAX_TIMER_MS } from '../../timer-delay.js'
import { isTopicName, TOPIC_NAMES } from '../../topic-name.js'
import { shown } from '../../wording/shown.js'
import type { OnDelivery } from '../delivery-report.js'
import { DefaultEncoder, type Encoder, type RawData } from '../encoder.js'
import type { ProducerInterceptor } from '../interceptors.js'
import type { Logger } from '../observing/event-log.js'
import type { OnStats } from '../observing/stats-reports.js'
import type { PartitionerOption } from '../partitioners/partitioner-by-name.js'
import type { CompressionOption } from '../queues/topic-compression.js'
import { parseBrokers } from './broker-list.js'

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
   * Allowed: a string without control characters, of at most 32,767 bytes. In Kafka: `client.id`.
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
   * Chooses the partition of a message that does not name its own. Default: murmur2 of the key, as in Java; without a
   * key by bytes.
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

interface OptionRow {
  /** Taken where the option is not given; undefined is required or none. */
  readonly fallback: unknown
  /** What is allowed, in words; the documentation and the error messages use it. */
  readonly allowed: string
  readonly text: string
  /** Of a number. */
  readonly range?: { readonly min: number; readonly max: number }
  /** @throws InvalidConfigError */
  readonly parse: (value: unknown, name: string) => unknown
}

export const DEFAULT_ENCODER: Encoder = new DefaultEncoder()

const CODEC_NAMES = "'none', 'gzip', 'snappy', 'lz4', 'zstd'"

const MAX_INT32 = 0x7fffffff
const MAX_INT16 = 0x7fff

/** Every option: its default, its range, its meaning. Checks and documentation are made from this table. */
export const OPTIONS: Readonly<Record<OptionName, OptionRow>> = {
  brokers: row(
    undefined,
    "'host:port,host:port' or a list of 'host:port'",
    'Where the first metadata is asked for; any of the cluster will do. The port is 9092 where none is given.',
    parseBrokers,
  ),
  type: row(
    'sync',
    "'sync' or 'async'",
    'What the promise of `send()` is: the acknowledgement (sync), or that the messages are queued (async).',
    parseType,
  ),
  clientId: row(
    'kafka-producer',
    'a string without control characters, of at most 32,767 bytes',
    'Names this client in the broker’s logs, metrics and quotas. Brokers before Kafka 1.0 take letters, digits, “.”, “_” and “-” alone.',
    parseClientId,
  ),
  acks: row(
    -1,
    "0, 1, -1 or 'all'",
    'Who must have a message before it counts as acknowledged: nobody (0), the leader (1), all in-sync replicas (-1, the same as all).',
    parseAcks,
  ),
  requestTimeoutMs: integer(
    30_000,
    1,
    MAX_TIMER_MS,
    'How long a broker may gather acknowledgements, and answer any request.',
  ),
  deliveryTimeoutMs: integer(
    120_000,
    1,
    MAX_TIMER_MS,
    'From `send()` to the fate of its messages, everything included: metadata, waiting, connecting, retrying.',
  ),
  retries: row(
    Infinity,
    'a whole number from 0, or Infinity',
    'How often a batch is tried again; without a limit deliveryTimeoutMs decides. Waiting for metadata costs none.',
    parseRetries,
  ),
  retryBackoffMs: integer(
    100,
    1,
    MAX_TIMER_MS,
    'The first wait before a batch is tried again; it doubles from time to time, with jitter.',
  ),
  retryBackoffMaxMs: integer(1_000, 1, MAX_TIMER_MS, 'The longest such wait.'),
  metadataRefreshIntervalMs: integer(
    300_000,
    -1,
    MAX_TIMER_MS,
    'How often metadata is asked for anew without need. 0: after each send; -1: only on failure.',
  ),
  metadataMaxIdleMs: integer(
    300_000,
    1,
    MAX_TIMER_MS,
    'After how long a topic that nobody sends to is forgotten, and left out of what is asked for.',
  ),
  allowAutoTopicCreation: row(
    true,
    'true or false',
    'Whether messages for an unknown topic may create it, where the broker does so. A refresh and `partitionsFor()` never create one.',
    parseBoolean,
  ),
  unknownTopicTimeoutMs: integer(
    10_000,
    -1,
    MAX_TIMER_MS,
    'How long brokers may say that a topic does not exist before messages for it fail: creating one takes a moment. 0: no time; -1: until deliveryTimeoutMs. A topic that was seen and is gone is waited for until then, unless no message was under way to it when brokers first said so.',
  ),
  lingerMs: integer(5, 0, MAX_TIMER_MS, 'Async: how long the first of the queued messages may wait for others.'),
  batchMessages: integer(10_000, 1, MAX_INT32, 'Async: how many queued messages are released without waiting longer.'),
  batchBytes: integer(
    1_000_000,
    1,
    MAX_INT32,
    'The most bytes of one partition’s batch; one larger message travels alone. Old brokers refuse more than 1,000,012.',
  ),
  maxRequestBytes: integer(
    1_000_000,
    1,
    MAX_INT32,
    'The most bytes of batches and names in one request; a larger batch travels alone. Azure Event Hubs hangs up above 1,046,528.',
  ),
  queueMessages: integer(500_000, 1, MAX_INT32, 'The most messages held, waiting and in flight together.'),
  queueBytes: integer(
    33_554_432,
    1,
    Number.MAX_SAFE_INTEGER,
    'The most bytes of keys, values and headers held, waiting and in flight together.',
  ),
  enqueueTimeoutMs: integer(
    60_000,
    -1,
    MAX_TIMER_MS,
    'How long a message may wait for room. 0: it fails at once; -1: without limit.',
  ),
  maxInFlight: integer(
    5,
    1,
    1_000,
    'Requests on their way to one broker at a time. A partition has one at a time, so that order is kept; with sequences five.',
  ),
  idempotent: row(
    undefined,
    'true or false; by default it is found out',
    'Whether messages have sequences, by which brokers find what they were sent twice (Kafka 0.11, acks -1). By default they have them where brokers allow it; true: else they fail; false: they have none.',
    (value, name, allowed) => (value === undefined ? value : parseBoolean(value, name, allowed)),
  ),
  connectTimeoutMs: integer(
    10_000,
    1,
    MAX_TIMER_MS,
    'How long it may take to connect to a broker, over all addresses of its name.',
  ),
  connectionsMaxIdleMs: integer(
    180_000,
    1,
    MAX_TIMER_MS,
    'Idle connections are closed after this long. Brokers do so after ten minutes, balancers of clouds drop them without a word after four.',
  ),
  brokerVersion: row(
    undefined,
    "'0.8' or '0.9', with or without the rest of the version",
    'Says that the brokers are older than Kafka 0.10 and can’t be asked what they speak. Others are asked.',
    parseBrokerVersion,
  ),
  ssl: row(
    undefined,
    'true, false, Node’s options of a TLS connection, or a function that gives them',
    'Connects by TLS. The broker’s certificate and name are checked. A function is asked at each connection, so that new certificates need no restart.',
    parseSsl,
  ),
  sasl: row(
    undefined,
    "{ mechanism: 'plain', 'scram-sha-256' or 'scram-sha-512', username, password }, { mechanism: 'oauthbearer', token }, or { mechanism, authenticator }",
    'Who this client is. Names, passwords and tokens may be functions, which are asked at each connection and before a session ends.',
    parseSasl,
  ),
  retryAuthenticationErrors: row(
    false,
    'true or false',
    'Whether wrong credentials and certificates are tried again until deliveryTimeoutMs, instead of failing messages at once.',
    parseBoolean,
  ),
  allowBroker: row(
    undefined,
    'a function of host and port that gives true or false, or a promise of that',
    'Says which addresses that the cluster names may be connected to; those of `brokers` may. Asked each time, before a name is resolved; what is no `true` within connectTimeoutMs is a no. Default: all may.',
    parseFunction,
  ),
  createConnection: row(
    undefined,
    'a function of { host, port } and a signal that gives a Duplex stream, or a promise of one',
    'Gives the stream to a broker in place of a TCP connection: through a proxy, a tunnel, a mesh. Names are its own business then; `ssl` is put on top of what it gives. The signal is aborted when connectTimeoutMs has passed or nobody waits any more, and what comes then is destroyed. Default: TCP.',
    parseFunction,
  ),
  compression: row(
    'none',
    `${CODEC_NAMES}, or { type, level?, fallback? }`,
    'The codec of batches. The fallback stands in where a broker does not take it, or this Node has it not: zstd needs Kafka 2.1, and Node 22.15.',
    parseCompression,
  ),
  compressedTopics: row([], 'a list of topics', 'Where not empty, only these topics are compressed.', parseTopics),
  topicCompression: row(
    {},
    'an object of topics, each with what `compression` may be',
    'Codecs of single topics; goes before the two above.',
    parseTopicCompression,
  ),
  codecs: row([], 'a list of codecs', 'Codecs of your own, which `compression` then can name.', parseCodecs),
  partitioner: row(
    undefined,
    'a name, a function or a Partitioner',
    'Chooses the partition of a message that does not name its own. Default: murmur2 of the key, as in Java; without a key by bytes.',
    (value) => value,
  ),
  encoder: row(
    DEFAULT_ENCODER,
    'an object with a method encode()',
    'Makes bytes of values. Default: bytes as they are, strings as UTF-8.',
    parseEncoder,
  ),
  keyEncoder: row(
    undefined,
    'an object with a method encode()',
    'Makes bytes of keys. Default: the encoder of values.',
    parseEncoder,
  ),
  copyBytes: row(
    false,
    'true or false',
    'Whether keys, values and headers given as bytes are copied, so that the caller may change its own at once.',
    parseBoolean,
  ),
  interceptors: row(
    [],
    'a list of objects with the methods onSend, onAcknowledgement or both',
    'See each message before anything is made of it, where they may put another in its place, and how it ended. One that throws harms nothing.',
    parseInterceptors,
  ),
  onDelivery: row(undefined, 'a function', 'Async: called with the fate of each message.', parseFunction),
  logger: row(
    undefined,
    'an object with the methods debug, info, warn and error, such as console or a pino',
    'Told of retries, throttling, leaders that moved, lost connections and the like, a line each, with fields; a storm of one kind is a line a second. Nothing of a message is in it. Default: the namespace `kafka-producer:event` of `DEBUG`.',
    parseLogger,
  ),
  onStats: row(
    undefined,
    'a function',
    'Called with what `stats()` gives, every statsIntervalMs, and a last time when the producer is closed.',
    parseFunction,
  ),
  statsIntervalMs: integer(60_000, 1, 0x7fffffff, 'How often onStats is called.'),
  enableMetricsPush: row(
    true,
    'true or false',
    'Whether brokers get metrics of this producer, where the cluster subscribes to them (Kafka 3.7, KIP-714): connections, latencies, throttling, waiting; nothing of messages and topics.',
    parseBoolean,
  ),
}

function row(
  fallback: unknown,
  allowed: string,
  text: string,
  parse: (value: unknown, name: string, allowed: string) => unknown,
): OptionRow {
  return { fallback, allowed, text, parse: (value, name) => parse(value, name, allowed) }
}

function integer(fallback: number, min: number, max: number, text: string): OptionRow {
  const allowed = `a whole number from ${min} to ${max}`
  const parse = (value: unknown, name: string) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
    throw refused(name, value, allowed)
  }
  return { ...row(fallback, allowed, text, parse), range: { min, max } }
}

function refused(name: string, value: unknown, allowed: string): InvalidConfigError {
  return new InvalidConfigError(`${name}: given was ${shown(value)}, allowed is ${allowed}`)
}

function parseClientId(value: unknown, name: string, allowed: string): string {
  // Since KIP-190 any string; the protocol has 16 bits for its size. Line ends would forge lines of a broker's log.
  if (typeof value === 'string' && !/\p{Cc}/u.test(value) && Buffer.byteLength(value) <= MAX_INT16) return value
  throw refused(name, value, allowed)
}

function parseAcks(value: unknown, name: string, allowed: string): number {
  if (value === 'all') return -1
  if (value === 0 || value === 1 || value === -1) return value
  throw refused(name, value, allowed)
}

function parseRetries(value: unknown, name: string, allowed: string): number {
  if (value === Infinity || (typeof value === 'number' && Number.isInteger(value) && value >= 0)) return value
  throw refused(name, value, allowed)
}

function parseType(value: unknown, name: string, allowed: string): ProducerType {
  if (value === 'sync' || value === 'async') return value
  throw refused(name, value, allowed)
}

function parseFunction(value: unknown, name: string, allowed: string): unknown {
  if (value === undefined || typeof value === 'function') return value
  throw refused(name, value, allowed)
}

function parseLogger(value: unknown, name: string, allowed: string): unknown {
  if (value === undefined) return value
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) throw refused(name, value, allowed)
  // Mostly it is some other logger's: NestJS's has no `info`.
  const lacking = ['debug', 'info', 'warn', 'error'].find(
    (method) => typeof (value as Record<string, unknown>)[method] !== 'function',
  )
  if (lacking === undefined) return value
  throw new InvalidConfigError(`${name}: given was ${shown(value)} without a method ${lacking}, allowed is ${allowed}`)
}

const NAME_OF_CODEC = "the name of a codec, such as 'gzip'"

function parseCompression(value: unknown, name: string, allowed: string): CompressionOption {
  if (typeof value === 'string') return value
  if (!isRecord(value)) throw refused(name, value, allowed)
  const { type, level, fallback, ...others } = given(value as Record<string, unknown>)
  const [other] = Object.keys(others)
  if (other !== undefined)
    throw new InvalidConfigError(`${name}: there is no field ${shown(other)}; it has type, level and fallback`)
  if (typeof type !== 'string') throw refused(`${name}.type`, type, NAME_OF_CODEC)
  if (level !== undefined && typeof level !== 'number') throw refused(`${name}.level`, level, 'a number')
  if (fallback !== undefined && typeof fallback !== 'string') throw refused(`${name}.fallback`, fallback, NAME_OF_CODEC)
  // What was checked is what is used, whatever becomes of what was given.
  return { type, level, fallback }
}

function parseTopics(value: unknown, name: string, allowed: string): readonly string[] {
  return parseList(value, name, allowed, isTopicName, `a topic: ${TOPIC_NAMES}`)
}

function parseTopicCompression(
  value: unknown,
  name: string,
  allowed: string,
): Readonly<Record<string, CompressionOption>> {
  // Nothing would be compressed.
  if (!isRecord(value)) throw refused(name, value, allowed)
  const { allowed: allowedOption } = OPTIONS.compression
  const read: [string, CompressionOption][] = []
  for (const [topic, option] of Object.entries(given(value as Record<string, unknown>))) {
    // No message is ever sent to another, and those that were meant would go uncompressed.
    if (!isTopicName(topic))
      throw new InvalidConfigError(`${name}: given was one of ${shown(topic)}, allowed are topics: ${TOPIC_NAMES}`)
    read.push([topic, parseCompression(option, `${name} of ${shown(topic)}`, allowedOption)])
  }
  return Object.fromEntries(read)
}

function parseCodecs(value: unknown, name: string, allowed: string): readonly Codec[] {
  return parseList(value, name, allowed, isCodec, 'a codec: an object with a name and the method compress')
}

function parseInterceptors(value: unknown, name: string, allowed: string): readonly ProducerInterceptor[] {
  return parseList(value, name, allowed, isInterceptor, 'an object with the methods onSend, onAcknowledgement or both')
}

function parseList<One>(
  value: unknown,
  name: string,
  allowed: string,
  isOne: (one: unknown) => one is One,
  allowedOne: string,
): readonly One[] {
  if (!Array.isArray(value)) throw refused(name, value, allowed)
  const list: readonly unknown[] = value
  // By index: `every` passes over holes, which are undefined to all who read them.
  for (let i = 0; i < list.length; i++) if (!isOne(list[i])) throw refused(`${name}[${i}]`, list[i], allowedOne)
  return list.slice() as One[]
}

function parseBoolean(value: unknown, name: string, allowed: string): boolean {
  if (typeof value === 'boolean') return value
  throw refused(name, value, allowed)
}

function parseBrokerVersion(value: unknown, name: string, allowed: string): string | undefined {
  if (value === undefined || (typeof value === 'string' && /^0\.[89](\.\d+)*$/.test(value))) return value
  throw refused(name, value, allowed)
}

/** What it says is never told in an error, and is held where nothing prints it. */
function parseSsl(value: unknown, name: string, allowed: string): Secret<SslOption> | undefined {
  if (value === undefined || value === false) return undefined
  const isObject = isRecord(value)
  if (value !== true && typeof value !== 'function' && !isObject) {
    const shape = typeof value === 'string' ? 'a text' : shown(value)
    throw new InvalidConfigError(`${name}: given was ${shape}, allowed is ${allowed}`)
  }
  return new Secret(isObject ? checkTlsOptions(value, name) : value)
}

function parseSasl(value: unknown, name: string): unknown {
  return value === undefined ? undefined : makeMechanism(value, name)
}

function parseEncoder(value: unknown, name: string, allowed: string): Encoder {
  if (typeof (value as Partial<Encoder> | null)?.encode === 'function') return value as Encoder
  throw refused(name, value, allowed)
}

function isInterceptor(value: unknown): value is ProducerInterceptor {
  if (typeof value !== 'object' || value === null) return false
  const { onSend, onAcknowledgement } = value as Partial<Record<keyof ProducerInterceptor, unknown>>
  const methods = [onSend, onAcknowledgement].filter((method) => method !== undefined)
  return methods.length > 0 && methods.every((method) => typeof method === 'function')
}

function isCodec(value: unknown): value is Codec {
  const codec = value as Partial<Codec> | null
  return typeof codec === 'object' && typeof codec?.name === 'string' && typeof codec.compress === 'function'
}
