import { InvalidConfigError } from '../../errors.js'
import { givenOptions } from '../../given.js'
import { hasLoneSurrogate } from '../../lone-surrogate.js'
import { MAX_TIMER_MS } from '../../timer-delay.js'
import { shown } from '../../wording/shown.js'
import type { RawData } from '../encoder.js'
import { OF_A_CONFIG, unknownOption } from './other-names.js'
import { ProducerConfig } from './producer-config.js'
import type { AnyProducerOptions, Beside, ProducerOptions } from './producer-options.js'
import { readProperties } from './properties.js'
import type { TransactionProperties } from './property-reading.js'

/**
 * What `new TransactionalProducer()` takes: the options of a producer, but those that a transaction settles, and who it
 * is.
 */
export interface TransactionalProducerOptions<K = RawData, V = RawData> extends Omit<
  ProducerOptions<K, V, 'sync'>,
  'type' | 'acks' | 'idempotent'
> {
  /**
   * Names this producer across its restarts: when another one begins with the same, the open transaction of the one before
   * is aborted, and nothing of that is taken any more. One for each instance of a program that runs at a time.
   *
   * Allowed: a string without control characters and lone surrogates, of 1 to 32,767 bytes. In Kafka: `transactional.id`.
   */
  transactionalId: string
  /**
   * How long a transaction may be open. After that it is aborted: by this producer, or by the brokers where it is gone. They
   * allow at most their `transaction.max.timeout.ms`, 15 minutes by default.
   *
   * Allowed: a whole number from 1, in milliseconds. In Kafka: `transaction.timeout.ms`.
   * @default 60_000
   */
  transactionTimeoutMs?: number | undefined
}

const DEFAULT_TRANSACTION_TIMEOUT_MS = 60_000
const MAX_INT16 = 0x7fff

/** Options that a transaction settles, and what it makes of them. */
const SETTLED: Readonly<Record<string, string>> = {
  type: 'a transactional producer has none: commit is what waits',
  acks: 'a transactional producer has -1, allowed is nothing else',
  idempotent: 'a transactional producer is, allowed is nothing else',
}

/**
 * The options of a transactional producer, checked and complete.
 *
 * @throws InvalidConfigError
 */
export class TransactionalProducerConfig<K = unknown, V = unknown> {
  readonly transactionalId: string
  readonly transactionTimeoutMs: number
  /** The options that every producer has. */
  readonly producer: ProducerConfig<K, V, 'sync'>

  /**
   * Takes the configuration of a transactional Java producer, by its dotted names, as {@link ProducerConfig.fromProperties}
   * does.
   *
   * @param source the text of a properties file, or an object of its names and values
   * @param options what such a file can't say; goes before what it says
   * @throws InvalidConfigError
   */
  static fromProperties<K = unknown, V = unknown>(
    source: string | Readonly<Record<string, unknown>>,
    options: Beside<TransactionalProducerOptions<K, V>> = {},
  ): TransactionalProducerConfig<K, V> {
    const beside = givenOptions(options)
    const transactions: TransactionProperties = {}
    const { options: all, notes } = readProperties(source, beside as Partial<AnyProducerOptions>, transactions)
    const { type, acks, idempotent, ...read } = all
    // What a file says that a transaction settles so anyhow is as good as unsaid.
    const unsettled = {
      ...(type === 'async' ? { type } : {}),
      ...(acks === undefined || acks === -1 ? {} : { acks }),
      ...(idempotent === false ? { idempotent } : {}),
    }
    const both = { ...read, ...unsettled, ...transactions, ...beside }
    return new TransactionalProducerConfig(both as TransactionalProducerOptions<K, V>, notes)
  }

  constructor(options: TransactionalProducerOptions<K, V>, notes: readonly string[] = []) {
    if (typeof options !== 'object' || (options as unknown) === null)
      throw new InvalidConfigError('the options must be an object with brokers and transactionalId')
    const { transactionalId, transactionTimeoutMs = DEFAULT_TRANSACTION_TIMEOUT_MS, ...others } = givenOptions(options)
    // It has a type and acks that nobody gave.
    if (OF_A_CONFIG in others) throw new InvalidConfigError(unknownOption(OF_A_CONFIG))
    for (const [name, why] of Object.entries(SETTLED))
      if ((others as Record<string, unknown>)[name] !== undefined) throw new InvalidConfigError(`${name}: ${why}`)
    if (!isTransactionalId(transactionalId))
      throw new InvalidConfigError(
        `transactionalId: given was ${shown(transactionalId)}, allowed is a string without control characters and lone surrogates, of 1 to 32,767 bytes`,
      )
    if (!Number.isInteger(transactionTimeoutMs) || transactionTimeoutMs < 1 || transactionTimeoutMs > MAX_TIMER_MS)
      throw new InvalidConfigError(
        `transactionTimeoutMs: given was ${shown(transactionTimeoutMs)}, allowed is a whole number from 1 to ${MAX_TIMER_MS}`,
      )
    this.transactionalId = transactionalId
    this.transactionTimeoutMs = transactionTimeoutMs
    this.producer = new ProducerConfig<K, V, 'sync'>(others, notes)
    // As with that of a producer.
    if (new.target === TransactionalProducerConfig) Object.freeze(this)
  }
}

function isTransactionalId(value: unknown): value is string {
  if (typeof value !== 'string' || value === '' || /\p{Cc}/u.test(value)) return false
  // In UTF-8 it would be another id, whose coordinator nobody is told.
  return !hasLoneSurrogate(value) && Buffer.byteLength(value) <= MAX_INT16
}
