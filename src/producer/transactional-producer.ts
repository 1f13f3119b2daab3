import { EventEmitter } from 'node:events'
import { inspect, type InspectOptions } from 'node:util'
import { BoundedMap } from '../bounded-map.js'
import { ASYNC_DISPOSE } from '../dispose-symbols.js'
import { InvalidConfigError, ProducerClosedError } from '../errors.js'
import { readable } from '../given.js'
import { orAborted } from '../network/or-aborted.js'
import { formatAddress } from '../network/streams/connect.js'
import type { ProducerStats } from '../stats/producer-stats.js'
import { SYSTEM, type Surroundings } from '../surroundings.js'
import { toldToCaller } from '../told-to-caller.js'
import { shown } from '../wording/shown.js'
import type { PartitionMetadata } from './brokers/topic-metadata.js'
import { refuseGenerator } from './config/option-checks.js'
import {
  TransactionalProducerConfig,
  type TransactionalProducerOptions,
} from './config/transactional-producer-config.js'
import type { SendOptions } from './event-handler.js'
import type { KeyedMessage } from './messages/keyed-message.js'
import {
  closeTimeout,
  Producer,
  type CloseOptions,
  type CloseResult,
  type MetadataOf,
  type ProducerEvents,
  type SendResult,
  type TransactionsOf,
} from './producer.js'
import { RetryPolicy } from './queues/retry-policy.js'
import type { ConnectOptions, ProducerHealth } from './readiness.js'
import { Coordinator } from './transactions/coordinator.js'
import type { GroupMetadata, GroupOffset } from './transactions/group-offsets.js'
import { TransactionAbortedError } from './transactions/transaction-errors.js'
import { TransactionLine } from './transactions/transaction-line.js'
import { TransactionManager } from './transactions/transaction-manager.js'
import { TransactionRequests } from './transactions/transaction-requests.js'
import { OpenTransaction } from './transactions/transaction.js'

/** The first wait for what is over in a moment, such as the end of the last transaction; as in Java. */
const SHORT_BACKOFF_MS = 20

type CommonParts = Parameters<TransactionsOf['gate']>[0]

/** A transaction, as the function sees it that was given to {@link TransactionalProducer.transaction}. */
export class Transaction<K = unknown, V = unknown> {
  readonly #open: OpenTransaction
  readonly #producer: Producer<K, V, 'sync'>

  /** @internal */
  constructor(open: OpenTransaction, producer: Producer<K, V, 'sync'>) {
    this.#open = open
    this.#producer = producer
  }

  /**
   * Sends one message or several as part of the transaction; like {@link Producer.send} in sync mode. It need not be awaited
   * before the commit, which waits for all. If it fails, the transaction can only be aborted, and the commit does that.
   *
   * @throws what {@link Producer.send} throws; TransactionEndedError, TransactionAbortedError, ProducerFencedError,
   *   ProducerUnusableError
   */
  send<const L extends readonly unknown[] = [unknown]>(
    given: KeyedMessage<K, V> | readonly [...{ [I in keyof L]: KeyedMessage<K, V> }],
    options?: SendOptions,
  ): Promise<SendResult<'sync', MetadataOf<L>>> {
    return this.#open.send(() => this.#producer.send<L>(given, options))
  }

  /**
   * Commits how far a consumer group has come, as part of the transaction: what was read counts as read exactly if what was
   * made of it is committed. Offsets are those of the next messages to be read.
   *
   * @throws InvalidConfigError; TransactionEndedError, TransactionAbortedError (such as for a consumer that is in the group
   *   no more), ProducerFencedError, ProducerUnusableError
   */
  sendOffsets(groupMetadata: GroupMetadata, offsets: readonly GroupOffset[]): Promise<void> {
    return this.#open.sendOffsets(groupMetadata, offsets)
  }
}

/** A transaction whose end is its program's business: what {@link TransactionalProducer.begin} gives. */
export class ManualTransaction<K = unknown, V = unknown> extends Transaction<K, V> implements AsyncDisposable {
  readonly #open: OpenTransaction

  /** @internal */
  constructor(open: OpenTransaction, producer: Producer<K, V, 'sync'>) {
    super(open, producer)
    this.#open = open
  }

  /**
   * Waits for all that was sent in the transaction, and commits it. Where any of it failed, it is aborted instead.
   *
   * @throws TransactionAbortedError, TransactionTimeoutError: nothing of it will be seen
   * @throws OutcomeUnknownError: nobody knows; ProducerFencedError, ProducerUnusableError: this producer can't go on
   * @throws TransactionEndedError
   */
  commit(): Promise<void> {
    return this.#open.commit()
  }

  /**
   * Aborts it; messages that are not written yet fail with a TransactionAbortedError. Nothing where it was aborted before.
   *
   * @throws TransactionEndedError after a commit; ProducerFencedError, ProducerUnusableError
   */
  abort(): Promise<void> {
    return this.#open.abort()
  }

  /** Aborts it, unless it has ended; waits for a commit that is under way. */
  [ASYNC_DISPOSE](): Promise<void> {
    return this.#open.leave()
  }
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
export class TransactionalProducer<K = unknown, V = unknown>
  extends EventEmitter<Pick<ProducerEvents<K, V>, 'warning'>>
  implements AsyncDisposable
{
  readonly config: TransactionalProducerConfig<K, V>
  // Not to be walked to: the rest leads to messages, connections and keys.
  readonly #producer: Producer<K, V, 'sync'>
  readonly #manager: TransactionManager
  readonly #line = new TransactionLine()
  readonly #surroundings: Surroundings
  readonly #pacing: RetryPolicy
  readonly #shortPacing: RetryPolicy
  readonly #beginning = new AbortController()
  /** What the last begin asked is no longer asked. */
  #begun: Promise<void> | undefined
  #open: OpenTransaction | undefined
  #closing: Promise<CloseResult<K, V>> | undefined
  #closesWithinMs = 0

  /** @throws InvalidConfigError; nothing is connected yet. */
  constructor(options: TransactionalProducerOptions<K, V> | TransactionalProducerConfig<K, V>)
  /** @internal */
  constructor(
    options: TransactionalProducerOptions<K, V> | TransactionalProducerConfig<K, V>,
    surroundings: Surroundings,
  )
  constructor(options: TransactionalProducerOptions<K, V> | TransactionalProducerConfig<K, V>, surroundings = SYSTEM) {
    super()
    const config = readable(
      () => (options instanceof TransactionalProducerConfig ? options : new TransactionalProducerConfig(options)),
      () => 'the options',
    )
    this.config = config
    this.#surroundings = surroundings
    const { retryBackoffMs } = config.producer
    const short = { retryBackoffMs: Math.min(SHORT_BACKOFF_MS, retryBackoffMs), retryBackoffMaxMs: retryBackoffMs }
    this.#pacing = new RetryPolicy(config.producer, surroundings)
    this.#shortPacing = new RetryPolicy({ retries: Infinity, ...short }, surroundings)
    const made: { manager?: TransactionManager } = {}
    this.#producer = new Producer<K, V, 'sync'>(config.producer, surroundings, undefined, {
      events: this,
      closesWithinMs: () => this.#closesWithinMs,
      gate: (parts) => (made.manager = this.#manage(parts)),
    })
    this.#manager = made.manager as TransactionManager
  }

  #manage({ anyBroker, askForBrokers, sessions, sends, warnings, observers }: CommonParts): TransactionManager {
    const { transactionalId, transactionTimeoutMs, producer } = this.config
    const { requestTimeoutMs, deliveryTimeoutMs: stepTimeoutMs } = producer
    const { clock } = this.#surroundings
    const pacing = this.#pacing
    const shortPacing = this.#shortPacing
    const tellsLate = (): boolean => manager.tellsLate
    const asking = { anyBroker, askForBrokers, sessions, clock, requestTimeoutMs, pacing, shortPacing, observers }
    const parts = { ...asking, tellsLate }
    const groups = new BoundedMap<string, Coordinator>()
    const groupCoordinator = (groupId: string) => {
      const known = groups.get(groupId) ?? new Coordinator('group', groupId, parts)
      groups.set(groupId, known)
      return known
    }
    const coordinator = new Coordinator('transaction', transactionalId, parts)
    const requests = new TransactionRequests({
      transactionalId,
      transactionTimeoutMs,
      stepTimeoutMs,
      clock,
      coordinator,
      groupCoordinator,
      needed: sessions,
      warn: (message, cause) => warnings.warn('KAFKA_PRODUCER_MESSAGES_WAIT', message, cause),
    })
    const manager = new TransactionManager(requests, sends, clock, observers)
    return manager
  }

  /**
   * Runs a function in a transaction: commits when it is done, aborts when it throws, and gives what it gave. The function
   * is never run again: whoever wants that calls again, after errors whose `kind` is `'abortable'`, and after what the
   * function itself threw, such as the error of a message that it awaited, which has no `kind`.
   *
   * Another transaction of the same producer waits until this one has ended, so one within another waits until the outer
   * one's `transactionTimeoutMs` is over, which ends both that and the wait.
   *
   * @throws what the function throws; and like {@link begin} and {@link ManualTransaction.commit}
   * @throws InvalidConfigError for what is no function, and for a generator, which would run nothing
   */
  async transaction<Result>(work: (tx: Transaction<K, V>) => Result | Promise<Result>): Promise<Result> {
    if (typeof work !== 'function')
      throw new InvalidConfigError(`transaction(): given was ${shown(work)}, allowed is a function`)
    // It would run nothing, and nothing would be committed.
    refuseGenerator(work, 'transaction()')
    const open = await this.#begin()
    let result: Result
    try {
      const done = (async () => work(new Transaction(open, this.#producer)))()
      result = await orAborted(done, open.ends)
    } catch (error) {
      // What the function threw is what counts; where this producer can't go on, the next transaction says so.
      await open.abort().catch(() => undefined)
      throw open.ends.aborted && error === open.ends.reason ? toldToCaller(error) : error
    }
    await open.commit()
    return result
  }

  /**
   * Begins a transaction that its program commits or aborts itself. Waits until the one before has ended.
   *
   * @throws ProducerFencedError, ProducerUnusableError; where it may be called again, DeliveryTimeoutError,
   *   TransactionAbortedError; UnsupportedVersionError for brokers before Kafka 0.11, and what {@link connect} throws
   * @throws ProducerClosedError
   */
  async begin(): Promise<ManualTransaction<K, V>> {
    return new ManualTransaction(await this.#begin(), this.#producer)
  }

  async #begin(): Promise<OpenTransaction> {
    this.#checkOpen()
    this.#open?.keepAlive()
    const { signal } = this.#beginning
    let isMyTurn = false
    try {
      await this.#line.enter()
      isMyTurn = true
      const begun = this.#manager.begin(signal)
      this.#begun = begun.catch(() => undefined)
      await orAborted(begun, signal)
      // It may have been closed in the moment between.
      signal.throwIfAborted()
    } catch (error) {
      if (isMyTurn) this.#line.leave()
      throw toldToCaller(error)
    }
    const { transactionTimeoutMs } = this.config
    const { clock } = this.#surroundings
    const onEnded = () => {
      this.#open = undefined
      this.#line.leave()
    }
    this.#open = new OpenTransaction({ manager: this.#manager, transactionTimeoutMs, clock, onEnded })
    if (this.#line.isWaitedFor) this.#open.keepAlive()
    return this.#open
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new ProducerClosedError()
  }

  /** Like {@link Producer.connect}. */
  async connect(options?: ConnectOptions): Promise<void> {
    this.#checkOpen()
    return this.#producer.connect(options)
  }

  /** Like {@link Producer.health}; not healthy is one that can't go on, too. */
  health(): ProducerHealth {
    // The producer inside closes only behind the transaction that is open.
    const problem = this.#closing === undefined ? this.#manager.unusable : new ProducerClosedError()
    return problem === undefined ? this.#producer.health() : { healthy: false, problem }
  }

  /** Like {@link Producer.partitionsFor}. */
  async partitionsFor(topic: string): Promise<readonly PartitionMetadata[]> {
    this.#checkOpen()
    return this.#producer.partitionsFor(topic)
  }

  /** What this producer has counted. */
  stats(): ProducerStats {
    return this.#producer.stats()
  }

  /**
   * Aborts the transaction that is open, waits for one that its program is committing, takes no more of them, and leaves no
   * socket and no timer behind. Closing twice is harmless.
   */
  close(options: CloseOptions = {}): Promise<CloseResult<K, V>> {
    if (this.#closing === undefined) {
      let timeoutMs: number
      try {
        timeoutMs = closeTimeout(options, this.config.producer.deliveryTimeoutMs)
      } catch (error) {
        return Promise.reject(error)
      }
      this.#closing = this.#close(timeoutMs)
    }
    return this.#closing
  }

  async #close(timeoutMs: number): Promise<CloseResult<K, V>> {
    const { clock } = this.#surroundings
    const cause = new ProducerClosedError()
    const aborted = new TransactionAbortedError(cause)
    const endsAt = clock.now() + timeoutMs
    this.#closesWithinMs = timeoutMs
    this.#beginning.abort(cause)
    this.#line.close(cause)
    const late = new AbortController()
    const timer = clock.setTimeout(() => late.abort(cause), timeoutMs)
    try {
      await orAborted(this.#leave(aborted), late.signal).catch(() => undefined)
    } finally {
      clock.clearTimeout(timer)
    }
    if (late.signal.aborted) await this.#abandon(aborted)
    this.#pacing.close()
    this.#shortPacing.close()
    return this.#producer.close({ timeoutMs: Math.max(0, Math.ceil(endsAt - clock.now())) })
  }

  /** What is open is waited for no longer. */
  async #abandon(cause: TransactionAbortedError): Promise<void> {
    void this.#open?.cut(cause)
    this.#manager.abandon()
    // Until it is written, which is then waited for as other requests are.
    await new Promise<void>((resolve) => this.#surroundings.clock.setImmediate(resolve))
  }

  async #leave(cause: TransactionAbortedError): Promise<void> {
    await this.#open?.close(cause)
    await this.#begun
    await this.#manager.leave()
  }

  async [ASYNC_DISPOSE](): Promise<void> {
    await this.close()
  }

  /** What a logger shows of it. */
  toJSON(): Readonly<Record<string, unknown>> {
    const { transactionalId, producer } = this.config
    const state = this.#closing === undefined ? this.#manager.state : 'closed'
    return { clientId: producer.clientId, transactionalId, brokers: producer.brokers.map(formatAddress), state }
  }

  [inspect.custom](_depth: number, options: InspectOptions): string {
    return `TransactionalProducer ${inspect(this.toJSON(), options)}`
  }
}
