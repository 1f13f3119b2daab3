import { InvalidConfigError } from '../../errors.js'
import { givenOptions, readable } from '../../given.js'
import type { SaslMechanism } from '../../network/sasl/mechanism.js'
import type { Secret } from '../../network/secret.js'
import type { AllowBroker } from '../../network/session/broker-filter.js'
import type { BrokerAddress } from '../../network/streams/connect.js'
import type { CreateConnection } from '../../network/streams/given-stream.js'
import type { SslOption } from '../../network/streams/tls.js'
import { shown } from '../../wording/shown.js'
import type { OnDelivery } from '../delivery-report.js'
import type { Encoder, RawData } from '../encoder.js'
import type { ProducerInterceptor } from '../interceptors.js'
import type { Logger } from '../observing/event-log.js'
import type { OnStats } from '../observing/stats-reports.js'
import { resolvePartitioner, type ConfiguredPartitioner } from '../partitioners/partitioner-by-name.js'
import { CompressionChoice, type CompressionConfig } from '../queues/topic-compression.js'
import { DEFAULT_ENCODER, OPTIONS } from './option-table.js'
import { unknownOption } from './other-names.js'
import type { OptionName, AnyProducerOptions, Beside, ProducerOptions, ProducerType } from './producer-options.js'
import { readProperties } from './properties.js'

/** {@link OnDelivery} as TypeScript takes methods: a config of certain keys and values is one of any. */
type Listener<K, V> = { told(...report: Parameters<OnDelivery<K, V>>): void }['told']

/** Options that mean nothing without the queue; they may be given all the same, by who chooses the mode at the start. */
const ASYNC_ONLY: readonly OptionName[] = ['lingerMs', 'batchMessages', 'onDelivery']

/**
 * The options of a producer, checked and complete: whatever is wrong with them fails here, with what was given and what
 * is allowed.
 *
 * @throws InvalidConfigError
 */
export class ProducerConfig<K = RawData, V = RawData, T extends ProducerType = 'sync'> {
  readonly type: T
  readonly brokers: readonly BrokerAddress[]
  readonly clientId: string
  readonly acks: -1 | 0 | 1
  readonly requestTimeoutMs: number
  readonly deliveryTimeoutMs: number
  readonly retries: number
  readonly retryBackoffMs: number
  readonly retryBackoffMaxMs: number
  readonly metadataRefreshIntervalMs: number
  readonly metadataMaxIdleMs: number
  readonly allowAutoTopicCreation: boolean
  readonly unknownTopicTimeoutMs: number
  readonly lingerMs: number
  readonly batchMessages: number
  readonly batchBytes: number
  readonly maxRequestBytes: number
  readonly queueMessages: number
  readonly queueBytes: number
  readonly enqueueTimeoutMs: number
  readonly maxInFlight: number
  readonly idempotent: boolean | undefined
  readonly connectTimeoutMs: number
  readonly connectionsMaxIdleMs: number
  readonly brokerVersion: string | undefined
  readonly ssl: Secret<SslOption> | undefined
  readonly sasl: SaslMechanism | undefined
  readonly retryAuthenticationErrors: boolean
  readonly allowBroker: AllowBroker | undefined
  readonly createConnection: CreateConnection | undefined
  readonly partitioner: ConfiguredPartitioner
  readonly encoder: Encoder<V>
  readonly keyEncoder: Encoder<K>
  /** Which topics are compressed, and how: `compression`, `compressedTopics`, `topicCompression` and `codecs` together. */
  readonly compressionChoice: CompressionChoice
  readonly copyBytes: boolean
  readonly interceptors: readonly ProducerInterceptor<unknown, unknown>[]
  readonly onDelivery: Listener<K, V> | undefined
  readonly logger: Logger | undefined
  readonly onStats: OnStats | undefined
  readonly statsIntervalMs: number
  readonly enableMetricsPush: boolean

  /** What was given and has no effect, or from {@link fromProperties} another than there, each with the reason. */
  readonly notes: readonly string[]

  /**
   * Takes the configuration of Kafka 0.8's producer or of today's Java producer, by their dotted names. Every property
   * maps, or stands in `notes` with a reason, or is refused.
   *
   * @param source the text of a properties file, or an object of its names and values
   * @param options what such a file can't say; goes before what it says
   * @throws InvalidConfigError
   */
  static fromProperties<K = unknown, V = unknown, T extends ProducerType = ProducerType>(
    source: string | Readonly<Record<string, unknown>>,
    options: Beside<ProducerOptions<K, V, T>> = {},
  ): ProducerConfig<K, V, T> {
    const beside = givenOptions(options) as Partial<ProducerOptions<K, V, T>>
    const { options: read, notes } = readProperties(source, beside as Partial<AnyProducerOptions>)
    return new ProducerConfig({ ...(read as ProducerOptions<K, V, T>), ...beside }, notes)
  }

  constructor(all: ProducerOptions<K, V, T>, notes: readonly string[] = []) {
    const options = optionsOf(all)
    const given: unknown = notes
    if (!Array.isArray(given))
      throw new InvalidConfigError(`notes: given was ${shown(given)}, allowed is a list of texts`)
    const fallbacks = fallbacksFor(options as Partial<AnyProducerOptions>)
    const read = <T>(name: OptionName): T => {
      const value = options[name] === undefined ? fallbacks[name] : options[name]
      return readable(
        () => OPTIONS[name].parse(value, name),
        () => name,
      ) as T
    }
    this.brokers = read('brokers')
    this.type = read('type')
    this.clientId = read('clientId')
    this.acks = read('acks')
    this.requestTimeoutMs = read('requestTimeoutMs')
    this.deliveryTimeoutMs = read('deliveryTimeoutMs')
    this.retries = read('retries')
    this.retryBackoffMs = read('retryBackoffMs')
    this.retryBackoffMaxMs = read('retryBackoffMaxMs')
    this.metadataRefreshIntervalMs = read('metadataRefreshIntervalMs')
    this.metadataMaxIdleMs = read('metadataMaxIdleMs')
    this.allowAutoTopicCreation = read('allowAutoTopicCreation')
    this.unknownTopicTimeoutMs = read('unknownTopicTimeoutMs')
    this.lingerMs = read('lingerMs')
    this.batchMessages = read('batchMessages')
    this.batchBytes = read('batchBytes')
    this.maxRequestBytes = read('maxRequestBytes')
    this.queueMessages = read('queueMessages')
    this.queueBytes = read('queueBytes')
    this.enqueueTimeoutMs = read('enqueueTimeoutMs')
    this.maxInFlight = read('maxInFlight')
    this.idempotent = read('idempotent')
    this.connectTimeoutMs = read('connectTimeoutMs')
    this.connectionsMaxIdleMs = read('connectionsMaxIdleMs')
    this.brokerVersion = read('brokerVersion')
    this.ssl = read('ssl')
    this.sasl = read('sasl')
    this.retryAuthenticationErrors = read('retryAuthenticationErrors')
    this.allowBroker = read('allowBroker')
    this.createConnection = read('createConnection')
    this.encoder = read('encoder')
    // As in Kafka 0.8, keys are encoded like values unless they have an encoder of their own.
    this.keyEncoder = options.keyEncoder === undefined ? (this.encoder as unknown as Encoder<K>) : read('keyEncoder')
    if (options.keyEncoder === undefined && options.encoder === undefined) this.keyEncoder = DEFAULT_ENCODER
    const compression: CompressionConfig = {
      compression: read('compression'),
      compressedTopics: read('compressedTopics'),
      topicCompression: read('topicCompression'),
      codecs: read('codecs'),
    }
    this.compressionChoice = readable(
      () => new CompressionChoice(compression, this.batchBytes, this.acks !== 0),
      () => 'codecs',
    )
    this.copyBytes = read('copyBytes')
    this.interceptors = read('interceptors')
    this.onDelivery = read('onDelivery')
    this.logger = read('logger')
    this.onStats = read('onStats')
    this.statsIntervalMs = read('statsIntervalMs')
    this.enableMetricsPush = read('enableMetricsPush')
    this.partitioner = readable(
      () => resolvePartitioner(options.partitioner),
      () => 'partitioner',
    )
    const ofMode = this.type === 'sync' ? notesOnQueueOptions(options) : []
    this.notes = Object.freeze([...notes, ...ofMode, ...this.compressionChoice.notes])
    this.checkTogether()
    for (const list of [this.brokers, this.interceptors]) Object.freeze(list)
    for (const address of this.brokers) Object.freeze(address)
    // What was assigned later would count for some parts of a producer and not for others, and is checked by nobody.
    if (new.target === ProducerConfig) Object.freeze(this)
  }

  /** Rules between options. */
  private checkTogether(): void {
    if (this.type === 'async') {
      this.checkAtMost('batchMessages', 'queueMessages')
      // Whatever lingers so long has failed before it is sent.
      if (this.lingerMs >= this.deliveryTimeoutMs) {
        throw new InvalidConfigError(
          `lingerMs: given was ${this.lingerMs}, allowed is less than deliveryTimeoutMs, which is ${this.deliveryTimeoutMs}`,
        )
      }
    }
    if (this.idempotent === true && this.acks !== -1)
      throw new InvalidConfigError(
        `idempotent: given was true, allowed is that only with acks -1, which is ${this.acks}`,
      )
    if (this.idempotent === true && this.brokerVersion !== undefined) {
      throw new InvalidConfigError(
        `idempotent: given was true, which needs Kafka 0.11 or later; brokerVersion is ${this.brokerVersion}`,
      )
    }
    this.checkAtMost('retryBackoffMs', 'retryBackoffMaxMs')
    this.checkAtMost('batchBytes', 'queueBytes')
    this.checkAtMost('batchBytes', 'maxRequestBytes')
  }

  private checkAtMost(name: NumberName, limit: NumberName): void {
    if (this[name] <= this[limit]) return
    throw new InvalidConfigError(
      `${name}: given was ${this[name]}, allowed is at most ${limit}, which is ${this[limit]}`,
    )
  }
}

function notesOnQueueOptions(options: object): string[] {
  const names = ASYNC_ONLY.filter((name) => Object.hasOwn(options, name))
  return names.map((name) => `${name} is about the queue of async mode, and has no effect with type 'sync'`)
}

type NumberName =
  | 'batchMessages'
  | 'queueMessages'
  | 'retryBackoffMs'
  | 'retryBackoffMaxMs'
  | 'batchBytes'
  | 'queueBytes'
  | 'maxRequestBytes'

/**
 * The defaults beside what was given. Where a rule binds two options and one of them is given, the other's default
 * gives way: nobody has to hear of a number that he did not give.
 */
function fallbacksFor(options: Partial<AnyProducerOptions>): Record<OptionName, unknown> {
  const fallbacks = Object.fromEntries(
    Object.entries(OPTIONS).map(([name, { fallback }]) => [name, fallback]),
  ) as Record<OptionName, unknown> & Record<NumberName | 'lingerMs', number>
  const {
    type,
    deliveryTimeoutMs,
    retryBackoffMs,
    retryBackoffMaxMs,
    batchMessages,
    batchBytes,
    queueBytes,
    queueMessages,
    maxRequestBytes,
  } = options
  // What is no such number is refused where it is read.
  const isLimit = (limit: number | undefined): limit is number => Number.isSafeInteger(limit) && Number(limit) > 0
  const atMost = (name: NumberName, ...limits: (number | undefined)[]) => {
    fallbacks[name] = Math.min(fallbacks[name], ...limits.filter(isLimit))
  }
  const atLeast = (name: NumberName, limit: number | undefined) => {
    if (isLimit(limit)) fallbacks[name] = Math.max(fallbacks[name], limit)
  }
  if (isLimit(deliveryTimeoutMs)) fallbacks.lingerMs = Math.min(fallbacks.lingerMs, deliveryTimeoutMs - 1)
  atMost('batchMessages', queueMessages)
  // In sync mode it has no effect.
  if (type === 'async') atLeast('queueMessages', batchMessages)
  atMost('batchBytes', queueBytes, maxRequestBytes)
  atLeast('queueBytes', batchBytes)
  atLeast('maxRequestBytes', batchBytes)
  atMost('retryBackoffMs', retryBackoffMaxMs)
  atLeast('retryBackoffMaxMs', retryBackoffMs)
  return fallbacks
}

function optionsOf<O extends object>(all: O): O {
  return readable(
    () => {
      if (typeof all !== 'object' || (all as unknown) === null || Array.isArray(all))
        throw new InvalidConfigError(
          "the options must be an object with brokers, such as { brokers: 'localhost:9092' }",
        )
      refuseUnknown(all)
      return givenOptions(all)
    },
    () => 'the options',
  )
}

function refuseUnknown(options: object): void {
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(OPTIONS, name)) throw new InvalidConfigError(unknownOption(name))
  }
}
