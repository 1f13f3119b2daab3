import { MAX_TIMER_MS } from '../../timer-delay.js'
import { DefaultEncoder, type Encoder } from '../encoder.js'
import { parseBrokers } from './broker-list.js'
import {
  COMPRESSION,
  refused,
  parseAcks,
  parseBoolean,
  parseBrokerVersion,
  parseClientId,
  parseCodecs,
  parseCompression,
  parseEncoder,
  parseFunction,
  parseInterceptors,
  parseLogger,
  parseRetries,
  parseSasl,
  parseSsl,
  parseTopicCompression,
  parseTopics,
  parseType,
} from './option-checks.js'
import type { OptionName } from './producer-options.js'

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

const MAX_INT32 = 0x7fffffff

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
    'a string without control characters and lone surrogates, of at most 32,767 bytes',
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
    COMPRESSION,
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
    'Chooses the partition of a message that does not name its own; a function does so only where it has a key or a partition key. Default: murmur2 of the key, as in Java; without a key by bytes.',
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
