import type { ProducerConfig } from './config/producer-config.js'
import type { Fixed, ProducerOptions, ProducerType } from './config/producer-options.js'
import type {
  TransactionalProducerConfig,
  TransactionalProducerOptions,
} from './config/transactional-producer-config.js'
import type { Encoder, RawData } from './encoder.js'
import type { KeyedMessage as AnyKeyedMessage } from './messages/keyed-message.js'
import { Producer as ProducerClass } from './producer.js'
import { TransactionalProducer as TransactionalProducerClass } from './transactional-producer.js'

/** A message as it is given, for the default encoders where no types are said. */
export type KeyedMessage<K = RawData, V = RawData> = AnyKeyedMessage<K, V>

/** What the default encoder takes. */
type Raw = RawData | null

/** The encoders that must be given for such keys and values: those that no default takes. Keys are encoded like values. */
type NeededEncoders<K, V> = NeededEncoder<V> & NeededKeyEncoder<K, V>
type NeededEncoder<V> = [V] extends [Raw] ? unknown : { readonly encoder: Encoder<V> }
type NeededKeyEncoder<K, V> = [K] extends [V]
  ? unknown
  : [K, V] extends [Raw, Raw]
    ? unknown
    : { readonly keyEncoder: Encoder<K> }

/** Whether an encoder takes null is nothing to a producer: it asks none for that, and takes it as every key and value. */
type Content<T> = Exclude<Fixed<T>, null>

/** Nothing is inferred from where it goes: `const producer: Producer = new Producer({ brokers })` takes bytes, too. */
interface ProducerConstructor {
  new <K, V, T extends ProducerType>(config: ProducerConfig<K, V, T>): Producer<Content<K>, Content<V>, T>
  new <V = RawData, T extends ProducerType = 'sync'>(
    options: ProducerOptions<V, V, T> & { readonly keyEncoder?: undefined } & NeededEncoder<V>,
  ): Producer<Content<V>, Content<V>, T>
  // So that who says types of keys and values need not say the mode twice.
  new <K, V>(
    options: ProducerOptions<K, V, 'async'> & { readonly type: 'async' } & NeededEncoders<K, V>,
  ): Producer<Content<K>, Content<V>, 'async'>
  new <K = RawData, V = RawData, T extends ProducerType = 'sync'>(
    options: ProducerOptions<K, V, T> & NeededEncoders<K, V>,
  ): Producer<Content<K>, Content<V>, T>
  readonly prototype: Producer<unknown, unknown, ProducerType>
}

/**
 * Sends messages to Kafka. Connections are opened at the first `send()` and kept; one producer serves a whole process.
 *
 * @typeParam K what keys are; the key encoder takes it
 * @typeParam V what values are; the encoder takes it
 * @typeParam T the mode, as the option `type` says
 */
export type Producer<K = unknown, V = unknown, T extends ProducerType = 'sync'> = ProducerClass<K, V, T>

/**
 * Sends messages to Kafka. Connections are opened at the first `send()` and kept; one producer serves a whole process.
 *
 * It is the class of `producer.js` with more exact types of its constructor. What a class is without type arguments, and
 * what its constructor makes where nothing tells them, are one and the same in TypeScript. Here they differ: a `Producer`
 * is one of any keys and values, and `new Producer({ brokers })` takes bytes and strings.
 */
export const Producer: ProducerConstructor = ProducerClass

interface TransactionalProducerConstructor {
  new <K, V>(config: TransactionalProducerConfig<K, V>): TransactionalProducer<Content<K>, Content<V>>
  new <V = RawData>(
    options: TransactionalProducerOptions<V, V> & { readonly keyEncoder?: undefined } & NeededEncoder<V>,
  ): TransactionalProducer<Content<V>, Content<V>>
  new <K = RawData, V = RawData>(
    options: TransactionalProducerOptions<K, V> & NeededEncoders<K, V>,
  ): TransactionalProducer<Content<K>, Content<V>>
  readonly prototype: TransactionalProducer<unknown, unknown>
}

/**
 * Sends messages to Kafka in transactions: all of one are seen by those who read committed messages, or none; and so are
 * the offsets of a consumer group that go with them.
 *
 * It has one transaction at a time; who wants another one waits. Nothing is connected before the first.
 *
 * @typeParam K what keys are; the key encoder takes it
 * @typeParam V what values are; the encoder takes it
 */
export type TransactionalProducer<K = unknown, V = unknown> = TransactionalProducerClass<K, V>

/** The class of `transactional-producer.js` with more exact types of its constructor, as {@link Producer} has them. */
export const TransactionalProducer: TransactionalProducerConstructor = TransactionalProducerClass
