import { InvalidConfigError, ProducerClosedError } from '../errors.js'
import { SessionFactory } from '../network/session.js'
import type { ProducerStats } from '../stats/producer-stats.js'
import { VERSION } from '../version.js'
import { BrokerPartitionInfo, type PartitionMetadata } from './broker-partition-info.js'
import { DefaultEventHandler } from './default-event-handler.js'
import type { SendOptions } from './event-handler.js'
import type { KeyedMessage } from './keyed-message.js'
import { ProducerConfig } from './producer-config.js'
import type { ProducerOptions } from './producer-options.js'
import { ProducerPool } from './producer-pool.js'
import type { RecordMetadata } from './record-metadata.js'

/** An answer to Produce or Metadata is far smaller; more is not from a Kafka broker. */
const MAX_RESPONSE_BYTES = 100 * 1024 * 1024

export interface CloseOptions {
  /** How long to wait for messages under way; `deliveryTimeoutMs` by default, in which all have their fate anyway. */
  readonly timeoutMs?: number
}

/**
 * Sends messages to Kafka. Connections are opened at the first `send()` and kept; one producer serves a whole process.
 *
 * @typeParam K what keys are; the key encoder takes it
 * @typeParam V what values are; the encoder takes it
 */
export class Producer<K = unknown, V = unknown> implements AsyncDisposable {
  readonly config: ProducerConfig<K, V>
  private readonly eventHandler: DefaultEventHandler<K, V>
  private readonly topicPartitionInfos: BrokerPartitionInfo
  private closing: Promise<void> | undefined

  /** @throws InvalidConfigError; nothing is connected yet. */
  constructor(options: ProducerOptions<K, V> | ProducerConfig<K, V>) {
    const config = options instanceof ProducerConfig ? options : new ProducerConfig(options)
    this.config = config
    const sessions = new SessionFactory({
      clientId: config.clientId,
      connectTimeoutMs: config.connectTimeoutMs,
      requestTimeoutMs: config.requestTimeoutMs,
      maxResponseBytes: MAX_RESPONSE_BYTES,
      maxIdleMs: config.connectionsMaxIdleMs,
      softwareVersion: VERSION,
      legacyOnly: config.brokerVersion !== undefined,
    })
    this.topicPartitionInfos = new BrokerPartitionInfo(sessions, { ...config, bootstrap: config.brokers })
    this.eventHandler = new DefaultEventHandler(
      {
        partitioner: config.partitioner,
        encoder: config.encoder,
        keyEncoder: config.keyEncoder,
        topicPartitionInfos: this.topicPartitionInfos,
        producerPool: new ProducerPool(sessions, config),
      },
      config,
    )
  }

  /**
   * Sends one message or several. Calls made in the same turn of the event loop travel together.
   *
   * @returns one metadata per message, in the order given, once all are acknowledged
   * @throws FailedToSendMessageError whose `results` has each message's metadata or own error
   * @throws InvalidMessageError, SerializationError: nothing of this call was sent
   * @throws ProducerClosedError, AbortedError
   */
  send(messages: KeyedMessage<K, V> | readonly KeyedMessage<K, V>[], options?: SendOptions): Promise<RecordMetadata[]> {
    if (this.closing !== undefined) return Promise.reject(new ProducerClosedError())
    return this.eventHandler.handle(isList(messages) ? messages : [messages], options)
  }

  /** Resolves when every message given so far has its fate; it does not tell which. */
  flush(): Promise<void> {
    return this.eventHandler.settledSoFar()
  }

  /** The partitions of a topic and their leaders, as the brokers tell them now. */
  async partitionsFor(topic: string): Promise<readonly PartitionMetadata[]> {
    if (this.closing !== undefined) throw new ProducerClosedError()
    await this.topicPartitionInfos.lookUp(topic)
    const metadata = this.topicPartitionInfos.topic(topic)
    if (metadata?.error !== undefined) throw metadata.error
    return metadata?.partitions ?? []
  }

  /** What this producer has counted. */
  stats(): ProducerStats {
    return this.eventHandler.stats()
  }

  /**
   * Takes no more messages, waits for those under way, and leaves no socket and no timer behind. What has no fate by
   * then fails with a ProducerClosedError. Closing twice is harmless.
   */
  close({ timeoutMs = this.config.deliveryTimeoutMs }: CloseOptions = {}): Promise<void> {
    if (!(Number.isInteger(timeoutMs) && timeoutMs >= 0)) {
      return Promise.reject(new InvalidConfigError(`timeoutMs: given was ${timeoutMs}, allowed is a whole number from 0`))
    }
    this.closing ??= this.eventHandler.close(timeoutMs)
    return this.closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

function isList<K, V>(messages: KeyedMessage<K, V> | readonly KeyedMessage<K, V>[]): messages is readonly KeyedMessage<K, V>[] {
  return Array.isArray(messages)
}
