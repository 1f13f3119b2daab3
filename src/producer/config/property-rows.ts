import { InvalidConfigError } from '../../errors.js'
import { MAX_TIMER_MS } from '../../timer-delay.js'
import { DefaultEncoder, IntegerEncoder, LongEncoder, NullEncoder, StringEncoder, type Encoder } from '../encoder.js'
import { Murmur2Partitioner } from '../partitioners/murmur2-partitioner.js'
import { LISTENER_NAME } from './broker-list.js'
import { OPTIONS } from './option-table.js'
import type { OptionName, AnyProducerOptions } from './producer-options.js'
import { noted, type Reading, type Row, type Rows } from './property-reading.js'
import { badValue, isEndless, listOf, parseBoolean, parseWhole, shownName, type WholeType } from './property-values.js'

/**
 * Every property of Kafka 0.8's producer and of today's Java producer, but those of TLS and SASL: it maps, or is noted,
 * or is refused. What Java's client takes is taken: what is beyond the range of an option here is brought into it.
 */
export const ROWS: Rows = {
  // Both columns.
  'client.id': checked('clientId'),
  'request.timeout.ms': whole('requestTimeoutMs', 'int'),
  'retry.backoff.ms': whole('retryBackoffMs', 'long'),
  'partitioner.class': (value, { options, given, notes }, name) => {
    const partitioner = Object.hasOwn(PARTITIONER_CLASSES, value) ? PARTITIONER_CLASSES[value] : undefined
    if (partitioner !== undefined) options.partitioner = partitioner
    else if (given.partitioner === undefined) throw foreignClass(name, value, 'partitioner')
    else notes.push(`${name}: the option \`partitioner\` stands in for it`)
  },
  'send.buffer.bytes': noted('Node gives no access to the size of a socket’s buffer; the system chooses it'),

  // Kafka 0.8.
  'metadata.broker.list': servers,
  'producer.type': (value, { options }, name) => {
    if (value !== 'sync' && value !== 'async') throw badValue(name, value, "'sync' or 'async'")
    options.type = value
  },
  'request.required.acks': acks,
  'serializer.class': encoder('encoder'),
  'key.serializer.class': encoder('keyEncoder'),
  'serializer.encoding': (_value, { properties }, name) => {
    const used = [properties.get('serializer.class'), properties.get('key.serializer.class')]
    if (!used.includes('kafka.serializer.StringEncoder'))
      throw new InvalidConfigError(
        `${name}: only kafka.serializer.StringEncoder reads it, and no serializer.class names that`,
      )
  },
  'compression.codec': (value, { options }, name) => {
    const codec = CODEC_NUMBERS[value] ?? value.toLowerCase()
    if (!CODECS_OF_08.has(codec)) throw badValue(name, value, 'none, gzip, snappy, lz4, or 0 to 3')
    options.compression = codec
  },
  'compressed.topics': (value, { options }) => (options.compressedTopics = listOf(value)),
  'message.send.max.retries': whole('retries', 'int'),
  'topic.metadata.refresh.interval.ms': (value, { options }, name) => {
    options.metadataRefreshIntervalMs = Math.max(-1, parseWhole(name, value, 'int', -(2 ** 31)))
  },
  'queue.buffering.max.ms': queueOption('lingerMs', 'int'),
  'queue.buffering.max.messages': whole('queueMessages', 'int'),
  'queue.enqueue.timeout.ms': (value, { options }, name) => {
    options.enqueueTimeoutMs = Math.max(-1, parseWhole(name, value, 'int', -(2 ** 31)))
  },
  'batch.num.messages': queueOption('batchMessages', 'int'),

  // Today's Java producer.
  'bootstrap.servers': servers,
  acks,
  'compression.type': compression,
  'compression.gzip.level': levelOf('gzip'),
  'compression.lz4.level': levelOf('lz4'),
  'compression.zstd.level': levelOf('zstd'),
  retries: (value, { options }, name) => {
    const retries = parseWhole(name, value, 'int')
    // Java's default, which means: the delivery time-out decides.
    options.retries = retries === 0x7fffffff ? Infinity : retries
  },
  'retry.backoff.max.ms': whole('retryBackoffMaxMs', 'long'),
  'delivery.timeout.ms': whole('deliveryTimeoutMs', 'int'),
  'linger.ms': queueOption('lingerMs', 'long'),
  'batch.size': whole('batchBytes', 'int'),
  'buffer.memory': whole('queueBytes', 'long'),
  'max.block.ms': endless('enqueueTimeoutMs', 0, 'without limit'),
  'max.request.size': whole('maxRequestBytes', 'int'),
  'max.in.flight.requests.per.connection': whole('maxInFlight', 'int', 1),
  'metadata.max.age.ms': endless('metadataRefreshIntervalMs', 0, 'only on failure'),
  'metadata.max.idle.ms': whole('metadataMaxIdleMs', 'long', 5_000),
  'connections.max.idle.ms': (value, reading, name) => {
    // Below 0 Java closes none.
    const ms = parseWhole(name, value, 'long', -(2 ** 53))
    set(reading, name, value, 'connectionsMaxIdleMs', ms < 0 ? MAX_TIMER_MS : ms)
  },
  'socket.connection.setup.timeout.ms': whole('connectTimeoutMs', 'long'),
  'key.serializer': encoder('keyEncoder'),
  'value.serializer': encoder('encoder'),
  'partitioner.ignore.keys': (value, { options }, name) => {
    if (parseBoolean(name, value)) options.partitioner = new Murmur2Partitioner({ ignoreKeys: true })
  },
  'enable.idempotence': (value, { options }, name) => {
    options.idempotent = parseBoolean(name, value)
  },
  'transactional.id': (value, reading, name) => {
    if (reading.transactions === undefined || value === '') noTransactions(value, reading, name)
    else reading.transactions.transactionalId = value
  },
  'transaction.timeout.ms': (value, reading, name) => {
    if (reading.transactions === undefined) unusedTimeout(value, reading, name)
    else reading.transactions.transactionTimeoutMs = parseWhole(name, value, 'int')
  },
  'transaction.two.phase.commit.enable': (value, { notes }, name) => {
    if (parseBoolean(name, value)) throw new InvalidConfigError(`${name}: two-phase commit is not here`)
    notes.push(`${name}=false: as it is here`)
  },
  'partitioner.adaptive.partitioning.enable': noted(
    'messages without a key always avoid partitions with a backlog; give StickyByBytes with adaptive: false to a partitioner for another',
  ),
  'partitioner.availability.timeout.ms': noted('partitions with a backlog are chosen less often, without a time limit'),
  'partitioner.rack.aware': noted('racks play no part in the choice of a partition'),
  'client.rack': noted('racks play no part in the choice of a partition'),
  'receive.buffer.bytes': noted('Node gives no access to the size of a socket’s buffer; the system chooses it'),
  'buffer.memory.allocation.strategy': noted('memory is taken as messages come'),
  'reconnect.backoff.ms': noted('connections are tried again after retryBackoffMs'),
  'reconnect.backoff.max.ms': noted('connections are tried again after retryBackoffMaxMs at the most'),
  'socket.connection.setup.timeout.max.ms': noted('connectTimeoutMs does not grow'),
  'bootstrap.resolve.timeout.ms': noted('names are looked up when a connection is needed, within connectTimeoutMs'),
  'client.dns.lookup': noted('every address of a name is tried'),
  'metadata.cluster.check.enable': noted('a cluster is known by its brokers’ addresses'),
  'metadata.recovery.strategy': noted('the bootstrap list is asked again whenever no known broker answers'),
  'metadata.recovery.rebootstrap.trigger.ms': noted(
    'the bootstrap list is asked again whenever no known broker answers',
  ),
  'enable.metrics.push': (value, { options }, name) => {
    options.enableMetricsPush = parseBoolean(name, value)
  },
  'metrics.num.samples': noted('stats() has the figures'),
  'metrics.recording.level': noted('stats() has the figures'),
  'metrics.sample.window.ms': noted('stats() has the figures'),
  'metric.reporters': noted('stats() has the figures'),
  'auto.include.jmx.reporter': noted('there is no JVM; stats() has the figures'),
  'security.providers': noted('there is no JVM'),
  'interceptor.classes': (value, { given, notes }, name) => {
    if (value === '') notes.push(`${name}: it is empty`)
    else if (given.interceptors === undefined) throw foreignClass(name, value, 'interceptors')
    else notes.push(`${name}: the option \`interceptors\` stands in for it`)
  },
  'config.providers': (_value, { properties, notes }, name) => {
    if ([...properties.values()].some((value) => value.includes('${')))
      throw new InvalidConfigError(`${name}: values must stand in the file itself`)
    notes.push(`${name}: no value asks for one`)
  },
}

const PARTITIONER_CLASSES: Readonly<Record<string, AnyProducerOptions['partitioner']>> = {
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
const CODECS_OF_08 = new Set(['none', 'gzip', 'snappy', 'lz4'])

/** Java's levels, each with its default. */
const LEVELS: Readonly<Record<string, { readonly min: number; readonly max: number; readonly usual: number }>> = {
  gzip: { min: 1, max: 9, usual: -1 },
  lz4: { min: 1, max: 17, usual: 9 },
  zstd: { min: -131_072, max: 22, usual: 3 },
}

type NumberOption = {
  [Name in OptionName]-?: NonNullable<AnyProducerOptions[Name]> extends number ? Name : never
}[OptionName]

/** Brings a number into the range of the option, and says so where it was outside. */
function set({ options, notes }: Reading, name: string, value: string, option: NumberOption, number: number): void {
  const { min, max } = OPTIONS[option].range ?? { min: 0, max: Infinity }
  const taken = Math.min(Math.max(number, min), max)
  options[option] = taken
  if (taken !== number) notes.push(`${name}=${value}: ${option} is ${taken}, which comes closest`)
}

function whole(option: NumberOption, type: WholeType, least = 0): Row {
  return (value, reading, name) => set(reading, name, value, option, parseWhole(name, value, type, least))
}

/** Of an option where -1 is without an end, as a number of Java's is that nobody lives to see. */
function endless(option: NumberOption, min: number, text: string): Row {
  return (value, reading, name) => {
    const ms = parseWhole(name, value, 'long', min)
    if (!isEndless(ms)) return set(reading, name, value, option, ms)
    reading.options[option] = -1
    reading.notes.push(`${name}=${value}: ${text}`)
  }
}

/** Options of the queue mean something in async mode only; Java's files have them whatever the program does. */
function queueOption(option: 'lingerMs' | 'batchMessages', type: WholeType): Row {
  return (value, reading, name) => {
    const number = parseWhole(name, value, type)
    const { given, properties, notes } = reading
    if ((given.type ?? properties.get('producer.type')) === 'async') set(reading, name, value, option, number)
    else
      notes.push(
        `${name}: what is sent in one turn of the event loop travels together; for more give producer.type=async, and ${option}`,
      )
  }
}

/** A value that the option takes as it stands; what is wrong with it is told by the property's name. */
function checked(option: 'clientId'): Row {
  return (value, { options }, name) => {
    OPTIONS[option].parse(value, name)
    options[option] = value
  }
}

/** Java lets the name of a listener stand before an address, and an empty item in the list. */
function servers(value: string, { options, notes }: Reading, name: string): void {
  const items = listOf(value)
  const addresses = items.map((item) => item.replace(LISTENER_NAME, ''))
  OPTIONS.brokers.parse(addresses, name)
  if (addresses.some((address, index) => address !== items[index]))
    notes.push(`${name}: names of listeners before the addresses say nothing; security.protocol does`)
  options.brokers = addresses
}

function acks(value: string, { options }: Reading, name: string): void {
  const known = { '0': 0, '1': 1, '-1': -1, all: -1 } as const
  if (!Object.hasOwn(known, value)) throw badValue(name, value, '0, 1, -1 or all')
  options.acks = known[value as keyof typeof known]
}

const noTransactions = refused(
  'transactions are those of a TransactionalProducer, whose TransactionalProducerConfig.fromProperties() takes it',
)
const unusedTimeout = noted('a TransactionalProducer takes it, as transactionTimeoutMs')

function compression(value: string, { options, properties, given }: Reading, name: string): void {
  const own = (given.codecs ?? []).map((codec) => codec.name)
  const names = ['none', 'gzip', 'snappy', 'lz4', 'zstd', ...own]
  if (!names.includes(value)) throw badValue(name, value, names.join(', '))
  const level = properties.get(`compression.${value}.level`)
  const number = level === undefined ? undefined : parseLevel(value, level)
  // lz4 has one level here; what is the default in Java is the codec's own.
  const isTaken = number !== undefined && value !== 'lz4' && number !== LEVELS[value]?.usual
  options.compression = isTaken ? { type: value, level: number } : value
}

function levelOf(codec: string): Row {
  return (value, { properties, notes }, name) => {
    parseLevel(codec, value)
    if (properties.get('compression.type') !== codec) notes.push(`${name}: compression.type is not ${codec}`)
    else if (codec === 'lz4') notes.push(`${name}: lz4 has one level here`)
  }
}

function parseLevel(codec: string, value: string): number {
  const name = `compression.${codec}.level`
  const level = parseWhole(name, value, 'int', -(2 ** 31))
  const { min, max, usual } = LEVELS[codec] ?? { min: -Infinity, max: Infinity, usual: 0 }
  if (level !== usual && (level < min || level > max)) throw badValue(name, value, `${min} to ${max}, or ${usual}`)
  return level
}

function refused(reason: string): Row {
  return (value, { notes }, name) => {
    if (value !== '') throw new InvalidConfigError(`${name}: ${reason}`)
    notes.push(`${name}: it is empty`)
  }
}

function encoder(option: 'encoder' | 'keyEncoder'): Row {
  return (value, { options, given, properties, notes }, name) => {
    const make = Object.hasOwn(ENCODER_CLASSES, value) ? ENCODER_CLASSES[value] : undefined
    if (make !== undefined) options[option] = make(properties)
    else if (given[option] === undefined) throw foreignClass(name, value, option)
    else notes.push(`${name}: the option \`${option}\` stands in for it`)
  }
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
    `${name}: the Java class ${shownName(value)} can't run here; give its like as the option ${option}`,
  )
}
