import { InvalidConfigError } from '../../errors.js'
import { nearestName } from '../../nearest-name.js'
import type { BrokerAddress } from '../../network/connect.js'
import type { SaslMechanism } from '../../network/sasl/mechanism.js'
import type { Secret } from '../../network/secret.js'
import type { SslOption } from '../../network/tls.js'
import type { OnDelivery } from '../delivery-report.js'
import type { Encoder } from '../encoder.js'
import { resolvePartitioner, type ResolvedPartitioner } from '../partitioners/partitioner-by-name.js'
import { CompressionChoice } from '../queues/topic-compression.js'
import {
  DEFAULT_ENCODER,
  OPTIONS,
  type OptionName,
  type ProducerOptions,
  type ProducerType,
} from './producer-options.js'
import { readProperties } from './properties.js'

/** Options that mean nothing without the queue. */
const ASYNC_ONLY: readonly OptionName[] = ['lingerMs', 'batchMessages', 'onDelivery']

/** Everything that may be given; anything else is refused. */
const NAMES = Object.keys(OPTIONS) as OptionName[]

/**
 * The options of a producer, checked and complete: whatever is wrong with them fails here, with what was given and what
 * is allowed.
 *
 * @throws InvalidConfigError
 */
export class ProducerConfig<K = unknown, V = unknown, T extends ProducerType = ProducerType> {
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
  readonly allowAutoTopicCreation: boolean
  readonly lingerMs: number
  readonly batchMessages: number
  readonly batchBytes: number
  readonly maxRequestBytes: number
  readonly queueMessages: number
  readonly queueBytes: number
  readonly enqueueTimeoutMs: number
  readonly maxInFlight: number
  readonly connectTimeoutMs: number
  readonly connectionsMaxIdleMs: number
  readonly brokerVersion: string | undefined
  readonly ssl: Secret<SslOption> | undefined
  readonly sasl: SaslMechanism | undefined
  readonly retryAuthenticationErrors: boolean
  readonly partitioner: ResolvedPartitioner
  readonly encoder: Encoder<V>
  readonly keyEncoder: Encoder<K>
  /** Which topics are compressed, and how: `compression`, `compressedTopics`, `topicCompression` and `codecs` together. */
  readonly compressionChoice: CompressionChoice
  readonly copyBytes: boolean
  readonly onDelivery: OnDelivery<K, V> | undefined

  /** From {@link fromProperties}: what was read and has no effect here, or another than there, each with the reason. */
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
    options: Partial<ProducerOptions<K, V, T>> = {},
  ): ProducerConfig<K, V, T> {
    const { options: read, notes } = readProperties(source, options as Partial<ProducerOptions>)
    return new ProducerConfig({ ...(read as ProducerOptions<K, V, T>), ...options }, notes)
  }

  constructor(options: ProducerOptions<K, V, T>, notes: readonly string[] = []) {
    this.notes = notes
    if (typeof options !== 'object' || options === null)
      throw new InvalidConfigError('the options must be an object with brokers')
    refuseUnknown(options)
    const read = <T>(name: OptionName): T => {
      const { parse, fallback } = OPTIONS[name]
      const given = (options as unknown as Record<string, unknown>)[name]
      return parse(given === undefined ? fallback : given, name) as T
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
    this.allowAutoTopicCreation = read('allowAutoTopicCreation')
    this.lingerMs = read('lingerMs')
    this.batchMessages = read('batchMessages')
    this.batchBytes = read('batchBytes')
    this.maxRequestBytes = read('maxRequestBytes')
    this.queueMessages = read('queueMessages')
    this.queueBytes = read('queueBytes')
    this.enqueueTimeoutMs = read('enqueueTimeoutMs')
    this.maxInFlight = read('maxInFlight')
    this.connectTimeoutMs = read('connectTimeoutMs')
    this.connectionsMaxIdleMs = read('connectionsMaxIdleMs')
    this.brokerVersion = read('brokerVersion')
    this.ssl = read('ssl')
    this.sasl = read('sasl')
    this.retryAuthenticationErrors = read('retryAuthenticationErrors')
    this.encoder = read('encoder')
    // As in Kafka 0.8, keys are encoded like values unless they have an encoder of their own.
    this.keyEncoder = options.keyEncoder === undefined ? (this.encoder as unknown as Encoder<K>) : read('keyEncoder')
    if (options.keyEncoder === undefined && options.encoder === undefined) this.keyEncoder = DEFAULT_ENCODER
    this.compressionChoice = new CompressionChoice(
      {
        compression: read('compression'),
        compressedTopics: read('compressedTopics'),
        topicCompression: read('topicCompression'),
        codecs: read('codecs'),
      },
      this.batchBytes,
    )
    this.copyBytes = read('copyBytes')
    this.onDelivery = read('onDelivery')
    this.partitioner = resolvePartitioner(options.partitioner)
    this.checkTogether(options)
  }

  /** Rules between options. */
  private checkTogether(given: object): void {
    const { retryBackoffMs, retryBackoffMaxMs, batchMessages, queueMessages, batchBytes, maxRequestBytes, queueBytes } =
      this
    const queueOption = this.type === 'sync' ? ASYNC_ONLY.find((name) => Object.hasOwn(given, name)) : undefined
    if (queueOption !== undefined) {
      throw new InvalidConfigError(`${queueOption}: is about the queue of async mode, allowed only with type 'async'`)
    }
    if (this.type === 'async' && batchMessages > queueMessages && Object.hasOwn(given, 'batchMessages')) {
      throw new InvalidConfigError(
        `batchMessages: given was ${batchMessages}, allowed is at most queueMessages, which is ${queueMessages}`,
      )
    }
    if (retryBackoffMs > retryBackoffMaxMs) {
      throw new InvalidConfigError(
        `retryBackoffMs: given was ${retryBackoffMs}, allowed is at most retryBackoffMaxMs, which is ${retryBackoffMaxMs}`,
      )
    }
    if (batchBytes > queueBytes) {
      throw new InvalidConfigError(
        `batchBytes: given was ${batchBytes}, allowed is at most queueBytes, which is ${queueBytes}`,
      )
    }
    if (batchBytes > maxRequestBytes) {
      throw new InvalidConfigError(
        `batchBytes: given was ${batchBytes}, allowed is at most maxRequestBytes, which is ${maxRequestBytes}`,
      )
    }
  }
}

function refuseUnknown(options: object): void {
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(OPTIONS, name)) {
      throw new InvalidConfigError(`unknown option '${name}': did you mean '${nearestName(name, NAMES)}'?`)
    }
  }
}
