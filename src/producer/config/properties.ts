import type { SecureContextOptions } from 'node:tls'
import { InvalidConfigError } from '../../errors.js'
import { nearestName } from '../../nearest-name.js'
import { DefaultEncoder, IntegerEncoder, LongEncoder, NullEncoder, StringEncoder, type Encoder } from '../encoder.js'
import { Murmur2Partitioner } from '../partitioners/murmur2-partitioner.js'
import type { ProducerOptions } from './producer-options.js'
import { parseProperties } from './properties-text.js'

/** What a properties file comes to. */
export interface PropertiesResult {
  readonly options: ProducerOptions
  /** What was read and has no effect here, or another than there, each with the reason. */
  readonly notes: readonly string[]
}

type Options = { -readonly [Name in keyof ProducerOptions]: ProducerOptions[Name] }

/** The options being made, and the whole file. */
interface Reading {
  readonly options: Options
  readonly properties: ReadonlyMap<string, string>
  readonly notes: string[]
  /** What the program gives besides the file, and goes before it. */
  readonly given: Partial<ProducerOptions>
  /** What `ssl.*` comes to. */
  readonly tls: { -readonly [Name in 'ca' | 'cert' | 'key' | 'passphrase']?: string }
}

/** What becomes of a property; throws where it is refused. */
type Row = (value: string, reading: Reading, name: string) => void

/**
 * Every property of Kafka 0.8's producer and of today's Java producer: it maps, or is noted, or is refused.
 */
const ROWS: Readonly<Record<string, Row>> = {
  // Both columns.
  'client.id': (value, { options }) => (options.clientId = value),
  'request.timeout.ms': integer('requestTimeoutMs'),
  'retry.backoff.ms': integer('retryBackoffMs'),
  'partitioner.class': (value, { options }, name) => {
    const partitioner = PARTITIONER_CLASSES[value]
    if (partitioner === undefined) throw foreignClass(name, value, 'partitioner')
    options.partitioner = partitioner
  },
  'send.buffer.bytes': noted('Node gives no access to the size of a socket’s buffer; the system chooses it'),

  // Kafka 0.8.
  'metadata.broker.list': (value, { options }) => (options.brokers = value),
  'producer.type': (value, { options }, name) => {
    if (value !== 'sync' && value !== 'async') throw badValue(name, value, "'sync' or 'async'")
    options.type = value
  },
  'request.required.acks': acks,
  'serializer.class': (value, { options, properties }, name) => (options.encoder = encoder(name, value, properties)),
  'key.serializer.class': (value, { options, properties }, name) =>
    (options.keyEncoder = encoder(name, value, properties)),
  'serializer.encoding': (_value, { properties }, name) => {
    const used = [properties.get('serializer.class'), properties.get('key.serializer.class')]
    if (!used.includes('kafka.serializer.StringEncoder'))
      throw new InvalidConfigError(
        `${name}: only kafka.serializer.StringEncoder reads it, and no serializer.class names that`,
      )
  },
  'compression.codec': (value, { options }, name) => {
    const codec = CODEC_NUMBERS[value] ?? value
    if (!CODEC_NAMES.has(codec)) throw badValue(name, value, 'none, gzip, snappy, lz4, or 0 to 3')
    options.compression = codec
  },
  'compressed.topics': (value, { options }) => (options.compressedTopics = list(value)),
  'message.send.max.retries': integer('retries'),
  'topic.metadata.refresh.interval.ms': refreshInterval,
  'queue.buffering.max.ms': queueOption('lingerMs'),
  'queue.buffering.max.messages': integer('queueMessages'),
  'queue.enqueue.timeout.ms': (value, reading, name) => {
    reading.options.enqueueTimeoutMs = Math.max(-1, parseInteger(name, value))
  },
  'batch.num.messages': queueOption('batchMessages'),

  // Today's Java producer.
  'bootstrap.servers': (value, { options }) => (options.brokers = value),
  acks,
  'compression.type': (value, { options, properties }) => {
    const level = properties.get(`compression.${value}.level`)
    options.compression =
      level === undefined ? value : { type: value, level: parseInteger(`compression.${value}.level`, level) }
  },
  'compression.gzip.level': levelOf('gzip'),
  'compression.lz4.level': levelOf('lz4'),
  'compression.zstd.level': levelOf('zstd'),
  retries: (value, { options }, name) => {
    const retries = parseInteger(name, value)
    // Java's default, which means: the delivery time-out decides.
    options.retries = retries === 0x7fffffff ? Infinity : retries
  },
  'retry.backoff.max.ms': integer('retryBackoffMaxMs'),
  'delivery.timeout.ms': integer('deliveryTimeoutMs'),
  'linger.ms': queueOption('lingerMs'),
  'batch.size': (value, { options, notes }, name) => {
    const size = parseInteger(name, value)
    options.batchBytes = Math.max(1, size)
    if (size < 1) notes.push(`${name}=0: every message is then a batch of its own`)
  },
  'buffer.memory': integer('queueBytes'),
  'max.block.ms': integer('enqueueTimeoutMs'),
  'max.request.size': integer('maxRequestBytes'),
  'max.in.flight.requests.per.connection': integer('maxInFlight'),
  'metadata.max.age.ms': refreshInterval,
  'metadata.max.idle.ms': integer('metadataMaxIdleMs'),
  'connections.max.idle.ms': integer('connectionsMaxIdleMs'),
  'socket.connection.setup.timeout.ms': integer('connectTimeoutMs'),
  'key.serializer': (value, { options, properties }, name) => (options.keyEncoder = encoder(name, value, properties)),
  'value.serializer': (value, { options, properties }, name) => (options.encoder = encoder(name, value, properties)),
  'partitioner.ignore.keys': (value, { options }, name) => {
    if (parseBoolean(name, value)) options.partitioner = new Murmur2Partitioner({ ignoreKeys: true })
  },
  'enable.idempotence': (value, { notes }, name) => {
    if (parseBoolean(name, value)) throw new InvalidConfigError(`${name}: this release has no idempotent producer`)
    notes.push(`${name}=false: as it is here`)
  },
  'transactional.id': refused('this release has no transactions'),
  'security.protocol': (value, { given, notes }, name) => {
    if (value === 'PLAINTEXT') notes.push(`${name}=PLAINTEXT: as it is here`)
    else if (!['SSL', 'SASL_PLAINTEXT', 'SASL_SSL'].includes(value))
      throw badValue(name, value, 'PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL')
    else if (value.startsWith('SASL') && given.sasl === undefined)
      throw new InvalidConfigError(`${name}=${value}: ${SASL_REMEDY}`)
  },
  'ssl.truststore.type': storeType,
  'ssl.keystore.type': storeType,
  'ssl.truststore.certificates': pem('ca'),
  'ssl.keystore.certificate.chain': pem('cert'),
  'ssl.keystore.key': pem('key'),
  'ssl.key.password': pem('passphrase'),
  'ssl.truststore.location': pemFile('ssl.truststore.type', ['ca']),
  'ssl.keystore.location': pemFile('ssl.keystore.type', ['cert', 'key']),
  'ssl.truststore.password': storePassword,
  'ssl.keystore.password': storePassword,
  'ssl.endpoint.identification.algorithm': (value, { given, notes }, name) => {
    if (value.toLowerCase() !== 'https' && given.ssl === undefined)
      throw new InvalidConfigError(
        `${name}: the broker’s name is always checked, unless \`checkServerIdentity\` of the option \`ssl\` says otherwise`,
      )
    notes.push(`${name}: the broker’s name is checked as \`ssl\` has it`)
  },
  'ssl.protocol': noted('Node takes TLS 1.2 and 1.3; `minVersion` and `maxVersion` of the option `ssl` say otherwise'),
  'ssl.enabled.protocols': noted(
    'Node takes TLS 1.2 and 1.3; `minVersion` and `maxVersion` of the option `ssl` say otherwise',
  ),
  'ssl.cipher.suites': noted('Node’s ciphers are taken; `ciphers` of the option `ssl` says otherwise'),
  'ssl.keymanager.algorithm': noted('there is no JVM'),
  'ssl.trustmanager.algorithm': noted('there is no JVM'),
  'ssl.secure.random.implementation': noted('there is no JVM'),
  'sasl.mechanism': (value, { given, notes }, name) => {
    if (given.sasl === undefined) throw new InvalidConfigError(`${name}: ${SASL_REMEDY}`)
    if (given.sasl.mechanism.toUpperCase() !== value.toUpperCase())
      throw new InvalidConfigError(
        `${name}: the file has '${value}', the option \`sasl\` has '${given.sasl.mechanism}'`,
      )
    notes.push(`${name}: as the option \`sasl\` has it`)
  },
  'sasl.jaas.config': (_value, { given, notes }, name) => {
    if (given.sasl === undefined) throw new InvalidConfigError(`${name}: only a JVM reads it; ${SASL_REMEDY}`)
    notes.push(`${name}: the option \`sasl\` stands in for it`)
  },
  'partitioner.adaptive.partitioning.enable': noted(
    'messages without a key always avoid partitions with a backlog; give StickyByBytes with adaptive: false to a partitioner for another',
  ),
  'partitioner.availability.timeout.ms': noted('partitions with a backlog are chosen less often, without a time limit'),
  'receive.buffer.bytes': noted('Node gives no access to the size of a socket’s buffer; the system chooses it'),
  'reconnect.backoff.ms': noted('connections are tried again after retryBackoffMs'),
  'reconnect.backoff.max.ms': noted('connections are tried again after retryBackoffMaxMs at the most'),
  'socket.connection.setup.timeout.max.ms': noted('connectTimeoutMs does not grow'),
  'client.dns.lookup': noted('every address of a name is tried'),
  'metadata.recovery.strategy': noted('the bootstrap list is asked again whenever no known broker answers'),
  'metadata.recovery.rebootstrap.trigger.ms': noted(
    'the bootstrap list is asked again whenever no known broker answers',
  ),
  'enable.metrics.push': noted('nothing is pushed to the brokers; stats() has the figures'),
  'metrics.num.samples': noted('stats() has the figures'),
  'metrics.recording.level': noted('stats() has the figures'),
  'metrics.sample.window.ms': noted('stats() has the figures'),
  'auto.include.jmx.reporter': noted('there is no JVM; stats() has the figures'),
  'interceptor.classes': refused('a Java class can’t run here'),
  'metric.reporters': refused('a Java class can’t run here; stats() has the figures'),
  'security.providers': refused('a Java class can’t run here'),
  'config.providers': refused('values must stand in the file itself'),
}

/** Names with a part that varies, such as `ssl.keystore.location`. */
const PREFIXES: Readonly<Record<string, string>> = {
  'ssl.': 'only a JVM could use it; give what Node takes as the option `ssl`',
  'sasl.': 'only a JVM could use it; give what is meant as the option `sasl`',
}

const SASL_REMEDY = 'give { mechanism, username, password }, or what else your mechanism wants, as the option `sasl`'

const PARTITIONER_CLASSES: Readonly<Record<string, ProducerOptions['partitioner']>> = {
  'kafka.producer.DefaultPartitioner': 'java_hash',
  'kafka.producer.ByteArrayPartitioner': 'byte_array',
  'org.apache.kafka.clients.producer.internals.DefaultPartitioner': 'default',
  'org.apache.kafka.clients.producer.RoundRobinPartitioner': 'round_robin',
  'org.apache.kafka.clients.producer.UniformStickyPartitioner': new Murmur2Partitioner({ ignoreKeys: true }),
}

const ENCODER_CLASSES: Readonly<Record<string, (properties: ReadonlyMap<string, string>) => Encoder>> = {
  'kafka.serializer.DefaultEncoder': () => new DefaultEncoder(),
  'kafka.serializer.NullEncoder': () => new NullEncoder(),
  'kafka.serializer.StringEncoder': (properties) => stringEncoder(properties.get('serializer.encoding')),
  'org.apache.kafka.common.serialization.ByteArraySerializer': () => new DefaultEncoder(),
  'org.apache.kafka.common.serialization.ByteBufferSerializer': () => new DefaultEncoder(),
  'org.apache.kafka.common.serialization.BytesSerializer': () => new DefaultEncoder(),
  'org.apache.kafka.common.serialization.StringSerializer': () => stringEncoder(undefined),
  'org.apache.kafka.common.serialization.IntegerSerializer': () => anEncoder(new IntegerEncoder()),
  'org.apache.kafka.common.serialization.LongSerializer': () => anEncoder(new LongEncoder()),
  'org.apache.kafka.common.serialization.VoidSerializer': () => new NullEncoder(),
}

const CODEC_NUMBERS: Readonly<Record<string, string>> = { 0: 'none', 1: 'gzip', 2: 'snappy', 3: 'lz4' }
const CODEC_NAMES = new Set(['none', 'gzip', 'snappy', 'lz4'])

/**
 * Turns the dotted names of Kafka 0.8's or of Java's producer into options.
 *
 * @param source the text of a properties file, or its names and values
 * @param given what the program gives besides, which goes before it
 * @throws InvalidConfigError for a name that is unknown, and for what can't be had here, with the reason
 */
export function readProperties(
  source: string | Readonly<Record<string, unknown>>,
  given: Partial<ProducerOptions> = {},
): PropertiesResult {
  const properties = typeof source === 'string' ? parseProperties(source) : stringValues(source)
  const notes: string[] = []
  const options = {} as Options
  const reading: Reading = { options, properties, notes, given, tls: {} }
  for (const [name, value] of properties) rowOf(name)(value.trim(), reading, name)
  readTls(reading)
  if (properties.has('metadata.broker.list')) {
    if (options.partitioner === undefined) {
      options.partitioner = 'java_hash'
      notes.push('partitioner.class is not given: keys go where Kafka 0.8’s default partitioner sent them')
    }
    if (options.acks === undefined) notes.push('request.required.acks is not given: -1 is taken, Kafka 0.8 took 0')
  }
  return { options, notes }
}

function readTls({ options, properties, tls, notes }: Reading): void {
  const protocol = properties.get('security.protocol')?.trim() ?? 'PLAINTEXT'
  const fields: SecureContextOptions = tls
  if (protocol.endsWith('SSL')) options.ssl = Object.keys(fields).length > 0 ? fields : true
  else if (Object.keys(fields).length > 0) notes.push(`ssl.*: without effect, since security.protocol is ${protocol}`)
}

function stringValues(source: Readonly<Record<string, unknown>>): Map<string, string> {
  const entries = Object.entries(source).map(([name, value]): [string, string] => {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      return [name, String(value)]
    throw new InvalidConfigError(
      `${name}: a property must be a string, a number or a boolean, given was ${typeof value}`,
    )
  })
  return new Map(entries)
}

function rowOf(name: string): Row {
  const row = Object.hasOwn(ROWS, name) ? ROWS[name] : undefined
  if (row !== undefined) return row
  const prefix = Object.keys(PREFIXES).find((start) => name.startsWith(start))
  if (prefix !== undefined) return refused(PREFIXES[prefix] as string)
  throw new InvalidConfigError(`unknown property '${name}': did you mean '${nearestName(name, Object.keys(ROWS))}'?`)
}

// What rows do. Those of secrets tell names, never values.

function pem(field: keyof Reading['tls']): Row {
  return (value, { tls }) => {
    tls[field] = value
  }
}

function pemFile(typeName: string, fields: readonly (keyof Reading['tls'])[]): Row {
  return (value, { properties, tls, given, notes }, name) => {
    if (properties.get(typeName)?.trim() !== 'PEM') {
      if (given.ssl === undefined) throw javaStore(name)
      notes.push(`${name}: the option \`ssl\` stands in for it`)
      return
    }
    let text: string
    try {
      text = process.getBuiltinModule('node:fs').readFileSync(value, 'utf8')
    } catch (cause) {
      throw new InvalidConfigError(`${name}: can't read the file: ${(cause as Error).message}`, { cause })
    }
    for (const field of fields) tls[field] = text
  }
}

function storeType(value: string, { given, notes }: Reading, name: string): void {
  if (value !== 'PEM' && given.ssl === undefined) throw javaStore(name)
  notes.push(value === 'PEM' ? `${name}=PEM: as it is here` : `${name}: the option \`ssl\` stands in for it`)
}

function storePassword(_value: string, { given, notes }: Reading, name: string): void {
  if (given.ssl === undefined) throw javaStore(name)
  notes.push(`${name}: the option \`ssl\` stands in for it`)
}

function javaStore(name: string): InvalidConfigError {
  return new InvalidConfigError(
    `${name}: a Java key store can't be read here; give certificates and keys in PEM, or PKCS12 as \`pfx\`, as the option \`ssl\`: { ca, cert, key }`,
  )
}

type IntegerOption = {
  [Name in keyof Options]-?: number extends Options[Name] ? Name : never
}[keyof Options]

function integer(option: IntegerOption): Row {
  return (value, { options }, name) => {
    options[option] = parseInteger(name, value)
  }
}

/** Options of the queue mean something in async mode only; Java's files have them whatever the program does. */
function queueOption(option: 'lingerMs' | 'batchMessages'): Row {
  return (value, { options, properties, notes }, name) => {
    const number = parseInteger(name, value)
    if (properties.get('producer.type') === 'async') options[option] = number
    else
      notes.push(
        `${name}: what is sent in one turn of the event loop travels together; for more give producer.type=async, and ${option}`,
      )
  }
}

function acks(value: string, { options }: Reading, name: string): void {
  const known = { '0': 0, '1': 1, '-1': -1, all: -1 } as const
  if (!Object.hasOwn(known, value)) throw badValue(name, value, '0, 1, -1 or all')
  options.acks = known[value as keyof typeof known]
}

function refreshInterval(value: string, { options }: Reading, name: string): void {
  options.metadataRefreshIntervalMs = Math.max(-1, parseInteger(name, value))
}

function levelOf(codec: string): Row {
  return (_value, { properties, notes }, name) => {
    if (properties.get('compression.type') !== codec) notes.push(`${name}: compression.type is not ${codec}`)
  }
}

function noted(reason: string): Row {
  return (_value, { notes }, name) => {
    notes.push(`${name}: ${reason}`)
  }
}

function refused(reason: string): Row {
  return (_value, _reading, name) => {
    throw new InvalidConfigError(`${name}: ${reason}`)
  }
}

function encoder(name: string, value: string, properties: ReadonlyMap<string, string>): Encoder {
  const make = Object.hasOwn(ENCODER_CLASSES, value) ? ENCODER_CLASSES[value] : undefined
  if (make === undefined) throw foreignClass(name, value, name.startsWith('key') ? 'keyEncoder' : 'encoder')
  return make(properties)
}

function stringEncoder(encoding: string | undefined): Encoder {
  return anEncoder(new StringEncoder(encoding))
}

/** The values that a program hands over are checked by the encoder itself. */
function anEncoder<T>(typed: Encoder<T>): Encoder {
  return typed
}

function foreignClass(name: string, value: string, option: string): InvalidConfigError {
  return new InvalidConfigError(
    `${name}: the Java class '${value}' can't run here; give its like as the option ${option}`,
  )
}

function badValue(name: string, value: string, allowed: string): InvalidConfigError {
  return new InvalidConfigError(`${name}: given was '${value}', allowed is ${allowed}`)
}

function list(value: string): string[] {
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

function parseInteger(name: string, value: string): number {
  if (/^-?\d{1,15}$/.test(value)) return Number(value)
  throw badValue(name, value, 'a whole number')
}

function parseBoolean(name: string, value: string): boolean {
  if (value === 'true' || value === 'false') return value === 'true'
  throw badValue(name, value, 'true or false')
}
