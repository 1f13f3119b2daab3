import { nearestName } from '../../wording/nearest-name.js'
import { shown } from '../../wording/shown.js'
import { KAFKA_NAMES } from './kafka-names.js'
import { OPTIONS } from './option-table.js'

/** What a ProducerConfig is known by where it is none of this copy's, or stands where no ProducerConfig can. */
export const OF_A_CONFIG = 'compressionChoice'

const OF_TRANSACTIONS = ['transactionalId', 'transactionTimeoutMs']

/**
 * What other clients call it, each with what to do here: kafkajs, librdkafka and what is built on it, kafka-node,
 * @platformatic/kafka, and Kafka itself. A name with `.` means that all of them but ours are written so.
 */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  // What a single option is called elsewhere.
  ...kafkaNames(),
  ...sameAs('brokers', 'broker.list', 'kafkaHost', 'bootstrapBrokers', 'bootstrapServers', 'brokerList', 'hosts'),
  ...sameAs('acks', 'requiredAcks', 'requireAcks'),
  ...sameAs('idempotent', 'idempotence', 'enableIdempotence'),
  ...sameAs('requestTimeoutMs', 'socket.timeout.ms', 'ackTimeoutMs', 'requestTimeout', 'ackTimeout'),
  ...sameAs('deliveryTimeoutMs', 'message.timeout.ms', 'deliveryTimeout', 'messageTimeoutMs'),
  ...sameAs('retries', 'maxRetries', 'maxRetryCount'),
  ...sameAs('retryBackoffMs', 'retryDelay', 'initialRetryTime', 'reconnect.backoff.ms'),
  ...sameAs('retryBackoffMaxMs', 'maxRetryTime', 'reconnect.backoff.max.ms'),
  ...sameAs('metadataRefreshIntervalMs', 'metadataMaxAge', 'metadataMaxAgeMs'),
  ...sameAs('allowAutoTopicCreation', 'allow.auto.create.topics', 'autocreateTopics', 'autoCreateTopics'),
  ...sameAs('unknownTopicTimeoutMs', 'topic.metadata.propagation.max.ms'),
  ...sameAs('lingerMs', 'linger'),
  ...sameAs('batchMessages', 'batchNumMessages'),
  ...sameAs('batchBytes', 'batchSize'),
  ...sameAs('maxRequestBytes', 'message.max.bytes', 'maxRequestSize'),
  ...sameAs('queueBytes', 'bufferMemory'),
  ...sameAs('enqueueTimeoutMs', 'maxBlockMs'),
  ...sameAs('maxInFlight', 'max.in.flight', 'maxInFlightRequests', 'maxInflights'),
  ...sameAs('connectTimeoutMs', 'connectionTimeout', 'connectTimeout', 'authenticationTimeout'),
  ...sameAs('connectionsMaxIdleMs', 'idleConnection', 'maxIdleTime'),
  ...sameAs('brokerVersion', 'broker.version.fallback'),
  ...sameAs('ssl', 'tls', 'sslOptions', 'useTls'),
  ...sameAs('compression', 'compressionType'),
  ...sameAs('partitioner', 'partitionerType', 'createPartitioner', 'defaultPartitioner'),
  ...sameAs('encoder', 'valueSerializer', 'serializer'),
  ...sameAs('keyEncoder', 'keySerializer'),
  ...sameAs('onStats', 'stats_cb'),
  ...sameAs('statsIntervalMs', 'statistics.interval.ms'),
  ...sameAs('interceptors', 'interceptor.classes'),
  ...sameAs('onDelivery', 'dr_cb', 'dr_msg_cb', 'deliveryReport'),

  // What takes other words here.
  'queue.buffering.max.kbytes': 'it is `queueBytes`, in bytes: 1,024 times as many',
  kafkaJS: 'what it holds is given here without it',
  queueSize: 'a number of messages is `queueMessages`, of bytes `queueBytes`',
  retry: 'here are `retries`, `retryBackoffMs`, `retryBackoffMaxMs` and `deliveryTimeoutMs`',
  serializers: 'here are `encoder` and `keyEncoder`',
  timeout: 'here are `requestTimeoutMs`, `deliveryTimeoutMs` and `connectTimeoutMs`',
  enforceRequestTimeout: 'it is always so; `requestTimeoutMs` is the time',
  topic: 'a producer has none of its own; each message names its topic',
  producerType: 'it is `type`',
  'producer.type': 'it is `type`',
  'security.protocol': 'TLS is the option `ssl`, who this client is the option `sasl`',
  'sasl.mechanism': 'here it is sasl: { mechanism }',
  'sasl.mechanisms': 'here it is sasl: { mechanism }',
  'sasl.username': 'here it is sasl: { username }',
  'sasl.password': 'here it is sasl: { password }',
  'sasl.jaas.config': 'here it is sasl: { mechanism, username, password }',
  username: 'here it is sasl: { username }',
  password: 'here it is sasl: { password }',
  mechanism: 'here it is sasl: { mechanism }',
  ca: 'here it is ssl: { ca }',
  cert: 'here it is ssl: { cert }',
  key: 'here it is ssl: { key }',
  rejectUnauthorized: 'here it is ssl: { rejectUnauthorized }',
  'ssl.ca.location': 'here it is ssl: { ca }, the content of the file',
  'ssl.ca.pem': 'here it is ssl: { ca }',
  'ssl.truststore.location': 'here it is ssl: { ca }, certificates as PEM',
  'ssl.certificate.location': 'here it is ssl: { cert }, the content of the file',
  'ssl.certificate.pem': 'here it is ssl: { cert }',
  'ssl.key.location': 'here it is ssl: { key }, the content of the file',
  'ssl.key.pem': 'here it is ssl: { key }',
  'ssl.key.password': 'here it is ssl: { passphrase }',
  'ssl.keystore.location': 'here it is ssl: { pfx }, the content of the file',
  'enable.ssl.certificate.verification': 'here it is ssl: { rejectUnauthorized }',
  'ssl.endpoint.identification.algorithm': 'here it is ssl: { checkServerIdentity }',

  socketFactory: 'here it is `createConnection`, which gives the stream to a broker; `ssl` goes on top of it',

  // What only a configuration that was made has, and is no option.
  [OF_A_CONFIG]:
    'it is of a ProducerConfig that was spread, or that another copy of this package has made, or that is none of a transactional producer; give the options that it was made of, with the others beside them',
  producer:
    'what it holds is given here without it. A TransactionalProducerConfig has it, too: where one was spread, or another copy of this package has made it, give the options that it was made of, with the others beside them',

  // What is not here.
  ...absent(
    'transactions are those of a TransactionalProducer: its options for them are transactionalId and transactionTimeoutMs',
    ...['transactional.id', 'transactionTimeout', 'transaction.timeout.ms', ...OF_TRANSACTIONS],
  ),
  ...absent(
    'DEBUG=kafka-producer:* in the environment shows what goes on',
    'logLevel',
    'logCreator',
    'log_level',
    'debug',
  ),
  ...absent('`stats()` has the figures', 'metrics', 'metricReporters'),
  ...absent('sockets are opened by this package', 'socket.keepalive.enable', 'socket.nagle.disable'),
  ...absent('a producer has no group', 'groupId', 'group.id'),
  ...absent('connections are opened at the first `send()`, or by `connect()`', 'autoConnect'),
  ...absent('sessions are renewed in time by themselves', 'reauthenticationThreshold'),
  ...absent('brokers are asked what they speak', 'api.version.request', 'apiVersion', 'versions'),
}

function kafkaNames(): Record<string, string> {
  const names = Object.keys(KAFKA_NAMES) as (keyof typeof KAFKA_NAMES)[]
  return Object.assign({}, ...names.map((option) => sameAs(option, ...(KAFKA_NAMES[option] ?? [])))) as Record<
    string,
    string
  >
}

function sameAs(option: keyof typeof OPTIONS, ...names: string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, `did you mean '${option}'?`]))
}

function absent(instead: string, ...names: string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, instead]))
}

/** Words as names of options have them, where what is shown of other texts ends at half of that. */
const OF_WORDS = /^(?=.{1,64}$)[a-z]+(?:[A-Z][a-z]*|[._-][a-z]+)*$/

/** An unknown option by its name, and what to do about it where no guess would be far off. */
export function unknownOption(name: string): string {
  // What others call an option is none of what a mistake may have put there: it may be told at any length.
  if (Object.hasOwn(OTHER_NAMES, name)) return `unknown option '${name}': ${OTHER_NAMES[name]}`
  const unknown = `unknown option ${OF_WORDS.test(name) ? `'${name}'` : shown(name)}`
  const near = nearestName(name, [...Object.keys(OPTIONS), ...OF_TRANSACTIONS])
  if (near !== undefined) return `${unknown}: did you mean '${near}'?`
  return name.includes('.')
    ? `${unknown}: names with dots are those of properties, which ProducerConfig.fromProperties() takes`
    : unknown
}
