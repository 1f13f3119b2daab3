import { EventEmitter } from 'node:events'
import { inspect, type InspectOptions } from 'node:util'
import { Deadline } from '../clock.js'
import { ASYNC_DISPOSE } from '../dispose-symbols.js'
import { FlushTimeoutError, InvalidConfigError, KafkaProducerError, ProducerClosedError } from '../errors.js'
import { readable } from '../given.js'
import { SessionFactory } from '../network/session/session.js'
import { formatAddress } from '../network/streams/connect.js'
import type { Observer, Observers, OnEnd, SendEnd } from '../stats/observer.js'
import type { ProducerStats } from '../stats/producer-stats.js'
import { SYSTEM, type Surroundings } from '../surroundings.js'
import { toldToCaller } from '../told-to-caller.js'
import { isTopicName } from '../topic-name.js'
import { TurnBudget } from '../turn-budget.js'
import { VERSION } from '../version.js'
import { shown } from '../wording/shown.js'
import { AnyBroker } from './brokers/any-broker.js'
import { BrokerPartitionInfo } from './brokers/broker-partition-info.js'
import { ProducerPool } from './brokers/producer-pool.js'
import type { PartitionMetadata } from './brokers/topic-metadata.js'
import { beginStackAtCaller } from './calls/begin-stack-at-caller.js'
import { callOptions, signalOf } from './calls/signal-listeners.js'
import { ProducerConfig } from './config/producer-config.js'
import type { ProducerOptions, ProducerType } from './config/producer-options.js'
import { DefaultEventHandler } from './default-event-handler.js'
import { DeliveryReporter, type DeliveryReport } from './delivery-report.js'
import { PatientOptions, type SendOptions } from './event-handler.js'
import { Interceptors, type Replacement } from './interceptors.js'
import { isList, unreadable, wrongTopic, type Given, type KeyedMessage } from './messages/keyed-message.js'
import type { KafkaProducerWarning, Listeners, Warnings } from './observing/kafka-producer-warning.js'
import { SendTracing, type TracedSend } from './observing/send-trace.js'
import { Watchers } from './observing/watchers.js'
import { ProducerSendLoop } from './producer-send-loop.js'
import { CONNECT_TIMEOUT_MS, Readiness, type ConnectOptions, type ProducerHealth } from './readiness.js'
import type { RecordMetadata } from './record-metadata.js'
import { EndingStreams } from './sinks/ending-streams.js'
import { IterableSends } from './sinks/iterable-sends.js'
import {
  MessageWritable,
  WRITABLE_OPTIONS,
  type MessageSink,
  type WritableMessage,
  type WritableOptions,
} from './sinks/message-writable.js'
import type { TransactionGate, TransactionSends } from './transactions/transaction-manager.js'

/** What the brokers may make this client hold of answers that are not whole yet, on all connections together. */
const MAX_RESPONSE_BYTES = 64 * 1024 * 1024

const SEND_ALL_OPTIONS = [...WRITABLE_OPTIONS, 'signal'] as const

export interface FlushOptions {
  /** How long to wait; without a limit by default, since every message has its own deadline. */
  readonly timeoutMs?: number | undefined
}

export interface CloseOptions {
  /**
   * How long to wait for messages under way; `deliveryTimeoutMs` by default, in which all have their fate anyway. Sockets
   * have a second after that to end, so that what was written can arrive.
   */
  readonly timeoutMs?: number | undefined
}

/** What `flush()` tells. */
export interface FlushResult {
  /** How many messages have failed since the producer was made: as `stats().failed`, and with those just waited for. */
  readonly failed: number
}

/** What `close()` tells. */
export interface CloseResult<K = unknown, V = unknown> extends FlushResult {
  /** The messages that it did not wait for, as they were given: they failed with a ProducerClosedError. */
  readonly unsent: readonly KeyedMessage<K, V>[]
}

/**
 * What the promise of `send()` resolves with: the metadata, a tuple of one for one message; or in async mode nothing but
 * that the messages are queued.
 *
 * @typeParam M the metadata of what was given
 */
export type SendResult<T extends ProducerType, M extends RecordMetadata[] = RecordMetadata[]> = T extends 'async'
  ? void
  : M

/** One metadata for each message of a list, a tuple where the list is one. */
export type MetadataOf<L extends readonly unknown[]> = { -readonly [I in keyof L]: RecordMetadata }

/** What a TransactionalProducer gives the Producer inside it. */
export interface TransactionsOf {
  /** Hears of warnings instead of the producer. */
  readonly events: Listeners
  /** How long the TransactionalProducer may take to close; this producer has what is left of that. */
  readonly closesWithinMs: () => number
  readonly gate: (parts: {
    readonly anyBroker: AnyBroker
    readonly askForBrokers: () => Promise<void>
    readonly sessions: SessionFactory
    readonly sends: TransactionSends
    readonly warnings: Warnings
    readonly observers: Observers
  }) => TransactionGate
}

/** What a producer emits. */
export interface ProducerEvents<K = unknown, V = unknown> {
  /** Async mode: the fate of a message. */
  delivery: [DeliveryReport<K, V>]
  /** Something is wrong though no call fails by it. Where nobody listens, the process prints it. */
  warning: [KafkaProducerWarning]
}

/**
 * Sends messages to Kafka. Connections are opened at the first `send()` and kept; one producer serves a whole process.
 *
 * It emits `'warning'` with a {@link KafkaProducerWarning} where something is wrong though no call fails by it, such as a
 * broker that nobody answers at while messages wait; and in async mode `'delivery'` with the {@link DeliveryReport} of
 * each message.
 *
 * @typeParam K what keys are; the key encoder takes it
 * @typeParam V what values are; the encoder takes it
 * @typeParam T the mode, as the option `type` says
 */
export class Producer<K = unknown, V = unknown, T extends ProducerType = 'sync'>
  extends EventEmitter<ProducerEvents<K, V>>
  implements AsyncDisposable
{
  readonly config: ProducerConfig<K, V, T>
  // Not to be walked to: the rest leads to messages, connections and keys.
  readonly #eventHandler: DefaultEventHandler<K, V>
  /** Async mode only. */
  readonly #sendLoop: ProducerSendLoop | undefined
  readonly #reporter: DeliveryReporter
  /** Undefined where there are none. */
  readonly #interceptors: Interceptors | undefined
  readonly #iterableSends = new IterableSends()
  readonly #endingStreams: EndingStreams
  readonly #sessions: SessionFactory
  readonly #topicPartitionInfos: BrokerPartitionInfo
  readonly #readiness: Readiness
  readonly #tracing: SendTracing
  readonly #watchers: Watchers
  readonly #observers: Observers
  #closing: Promise<CloseResult<K, V>> | undefined
  /** Undefined where there are no transactions. */
  readonly #transactions: TransactionsOf | undefined

  readonly #surroundings: Surroundings

  /** @throws InvalidConfigError; nothing is connected yet. */
  constructor(options: ProducerOptions<K, V, T> | ProducerConfig<K, V, T>)
  /** @internal */
  constructor(
    options: ProducerOptions<K, V, T> | ProducerConfig<K, V, T>,
    surroundings: Surroundings,
    observer?: Observer,
    transactions?: TransactionsOf,
  )
  constructor(
    options: ProducerOptions<K, V, T> | ProducerConfig<K, V, T>,
    surroundings = SYSTEM,
    observer: Observer = {},
    transactions?: TransactionsOf,
  ) {
    super()
    const config = readable(
      () => (options instanceof ProducerConfig ? options : new ProducerConfig(options)),
      () => 'the options',
    )
    this.config = config
    this.#surroundings = surroundings
    this.#transactions = transactions
    const { clock } = surroundings
    this.#endingStreams = new EndingStreams(clock)
    this.#watchers = new Watchers(config, surroundings, transactions?.events ?? this, observer)
    const { counters, observers, warnings } = this.#watchers
    this.#observers = observers
    const sessionOptions = {
      brokers: config.brokers,
      clientId: config.clientId,
      connectTimeoutMs: config.connectTimeoutMs,
      requestTimeoutMs: config.requestTimeoutMs,
      maxResponseBytes: MAX_RESPONSE_BYTES,
      maxIdleMs: config.connectionsMaxIdleMs,
      softwareVersion: VERSION,
      legacyOnly: config.brokerVersion !== undefined,
      ssl: config.ssl,
      sasl: config.sasl,
      retryAuthenticationErrors: config.retryAuthenticationErrors,
      allowBroker: config.allowBroker,
      createConnection: config.createConnection,
    }
    this.#sessions = new SessionFactory(sessionOptions, surroundings, observers)
    const anyBroker = new AnyBroker(this.#sessions, config.brokers, surroundings)
    this.#watchers.pushMetrics(anyBroker)
    this.#topicPartitionInfos = new BrokerPartitionInfo(this.#sessions, anyBroker, config, surroundings, observers)
    const producerPool = new ProducerPool(this.#sessions, config, surroundings)
    const { retryBackoffMs } = config
    this.#tracing = new SendTracing(config, this.#topicPartitionInfos)
    this.#readiness = new Readiness(this.#sessions, this.#topicPartitionInfos, producerPool, clock, retryBackoffMs)
    const turn = new TurnBudget(clock)
    const sendLoop =
      config.type === 'async'
        ? new ProducerSendLoop(
            config,
            turn,
            (messages, from, to) => this.#eventHandler.partitionAndCollate(messages, from, to),
            (message) => this.#eventHandler.measure(message),
            clock,
          )
        : undefined
    this.#sendLoop = sendLoop
    this.#reporter = new DeliveryReporter(config.onDelivery, this, warnings, turn)
    if (config.interceptors.length > 0)
      this.#interceptors = new Interceptors(config.interceptors, warnings, turn, config.copyBytes)
    this.#eventHandler = new DefaultEventHandler(
      {
        partitioner: config.partitioner.anew(),
        encoder: config.encoder,
        keyEncoder: config.keyEncoder,
        topicPartitionInfos: this.#topicPartitionInfos,
        producerPool,
        transactions: transactions?.gate({
          anyBroker,
          askForBrokers: () => this.#topicPartitionInfos.reach(),
          sessions: this.#sessions,
          sends: {
            takeOut: (cause) => this.#eventHandler.takeOut(cause),
            isDrained: () => this.#eventHandler.held.messages === 0,
            drained: () => this.#eventHandler.drained(),
          },
          warnings,
          observers,
        }),
      },
      config,
      { counters, warnings, turn, lingering: sendLoop, surroundings, observers },
    )
    this.#watchers.report(() => this.stats())
  }

  /**
   * Sends one message or several. Calls made in the same turn of the event loop travel together.
   *
   * In sync mode the promise is the acknowledgement: one metadata per message, in the order given, once all are
   * acknowledged. In async mode it says that the messages are queued; their fates are told to `onDelivery`.
   *
   * @throws DeliveryError (one message) whose `code` is that of its cause
   * @throws FailedToSendMessageError (sync, a list) whose `results` has each message's metadata or own error
   * @throws NotQueuedError (async, a list) that names the messages that were not taken in
   * @throws QueueFullError: there was no room for any of it, in async mode for some of it
   * @throws InvalidMessageError, and in sync mode SerializationError: nothing of this call was sent
   * @throws InvalidConfigError for a `signal` that is none: nothing of this call was sent
   * @throws ProducerClosedError, AbortedError: it was too late already
   */
  send<const L extends readonly unknown[] = [unknown]>(
    given: KeyedMessage<K, V> | readonly [...{ [I in keyof L]: KeyedMessage<K, V> }],
    options?: SendOptions,
  ): Promise<SendResult<T, MetadataOf<L>>> {
    let messages: Given<K, V>
    try {
      // A copy: the list is looked at again when the messages have their fate.
      messages = isList(given) ? given.slice() : given
    } catch (cause) {
      return Promise.reject(unreadable(given, cause))
    }
    const trace = this.#tracing.isWatched ? this.#tracing.begin(messages) : undefined
    const sent = trace === undefined ? this.#send(messages, options) : this.#sendUnder(trace, messages, options)
    return sent as Promise<SendResult<T, MetadataOf<L>>>
  }

  /** Apart, so that what it keeps for its function is not kept by each `send()` that is not traced. */
  #sendUnder(trace: TracedSend, messages: Given<K, V>, options: SendOptions | undefined): Promise<unknown> {
    return trace.run((instead) => this.#send(messages, options, instead))
  }

  #send(messages: Given<K, V>, options: SendOptions | undefined, traced?: Replacement): Promise<unknown> {
    const { sends } = this.#observers
    const onEnd = sends.isWatched ? sends.begin({ messages: isList(messages) ? messages.length : 1 }) : undefined
    const sent: Promise<unknown> =
      this.#interceptors === undefined
        ? this.#handOver(messages, options, traced)
        : this.#intercept(this.#interceptors, messages, options, traced)
    return onEnd === undefined ? sent : tellEnd(sent, onEnd)
  }

  /** Apart, so that what it keeps for the interceptors is made for them alone. */
  #intercept(
    interceptors: Interceptors,
    messages: Given<K, V>,
    options: SendOptions | undefined,
    traced: Replacement | undefined,
  ): Promise<RecordMetadata[] | void> {
    return interceptors.send(isList(messages) ? messages : [messages], traced, (instead) =>
      this.#handOver(messages, options, instead),
    )
  }

  #handOver(
    messages: Given<K, V>,
    options: SendOptions | undefined,
    instead?: Replacement,
  ): Promise<RecordMetadata[] | void> {
    try {
      if (this.#closing !== undefined && !this.#endingStreams.maySend(options)) throw new ProducerClosedError()
      return this.#sendLoop === undefined
        ? this.#eventHandler.handle(messages, options, instead)
        : this.#eventHandler.enqueue(messages, this.#reporter, options, instead)
    } catch (error) {
      // eslint-disable-next-line @typescript-eslint/unbound-method -- it is not called
      if (error instanceof KafkaProducerError) beginStackAtCaller(error, Producer.prototype.send, this.#handOver)
      return Promise.reject(error)
    }
  }

  /**
   * Resolves when every message given so far has its fate, and tells how many have failed. In async mode nothing lingers
   * meanwhile.
   *
   * @throws FlushTimeoutError
   */
  async flush(options: FlushOptions = {}): Promise<FlushResult> {
    const { timeoutMs } = callOptions(options, ['timeoutMs'])
    if (timeoutMs !== undefined) checkTimeout(timeoutMs)
    const settled = this.#settledSoFar()
    void this.#sendLoop?.hurry(settled)
    if (timeoutMs === undefined) return settled.then(() => this.#result())
    const { clock } = this.#surroundings
    let deadline: Deadline | undefined
    const late = new Promise<never>((_, reject) => {
      deadline = new Deadline(clock, timeoutMs, () => reject(new FlushTimeoutError(timeoutMs)))
    })
    try {
      await Promise.race([settled, late])
      return this.#result()
    } catch (error) {
      throw toldToCaller(error)
    } finally {
      deadline?.cancel()
    }
  }

  /** Resolves when every message given so far has its fate, and whoever is told of it has been. */
  #settledSoFar(): Promise<unknown> {
    const settled = this.#eventHandler.settledSoFar()
    return this.#interceptors === undefined ? settled : Promise.all([settled, this.#interceptors.toldSoFar()])
  }

  #result(): FlushResult {
    return { failed: this.#watchers.counters.failed }
  }

  /**
   * A stream into Kafka, for `pipeline()` and `pipe()`. It waits for room as long as it takes, and holds back whoever writes.
   *
   * @throws InvalidConfigError
   */
  writable(options: WritableOptions = {}): MessageWritable<K, V> {
    return this.#writable(callOptions(options, WRITABLE_OPTIONS), undefined)
  }

  #writable(options: WritableOptions, signal: AbortSignal | undefined): MessageWritable<K, V> {
    const patient = new PatientOptions(signal)
    const sink: MessageSink<K, V> = {
      copyBytes: this.config.copyBytes,
      send: (messages, before) => this.send(messages, patient.behind(before)),
      // In sync mode what was sent has its fate, and what others sent is no concern of the stream.
      flush: () => (this.#sendLoop === undefined ? Promise.resolve() : this.flush()),
      ended: () => this.#endingStreams.add(patient),
      destroyed: () => this.#endingStreams.remove(patient),
      hasLine: () => this.#eventHandler.hasLineFor(patient),
      awaitTurn: (goOn) => this.#eventHandler.awaitTurn(goOn),
    }
    return new MessageWritable<K, V>(sink, options)
  }

  /**
   * Sends what an iterable yields, taking no more from it than is on its way, until it ends and all have arrived. With a
   * `topic` in the options they may be messages without one, or values alone. A `signal` ends it, and takes out what waits.
   *
   * @throws what `send()` threw first; the iterable is closed then
   * @throws what the iterable threw; AbortedError, and ProducerClosedError, were it in the midst of it
   * @throws InvalidMessageError for what is no iterable, InvalidConfigError for options that there are not, and for a
   *   `signal` that is none
   */
  sendAll(
    messages: AsyncIterable<WritableMessage<K, V>> | Iterable<WritableMessage<K, V>>,
    options: WritableOptions & SendOptions & { readonly topic: string },
  ): Promise<void>
  sendAll(
    messages: AsyncIterable<KeyedMessage<K, V>> | Iterable<KeyedMessage<K, V>>,
    options?: WritableOptions & SendOptions,
  ): Promise<void>
  async sendAll(
    messages: AsyncIterable<WritableMessage<K, V>> | Iterable<WritableMessage<K, V>>,
    options: WritableOptions & SendOptions = {},
  ): Promise<void> {
    const read = callOptions(options, SEND_ALL_OPTIONS)
    const { topic, inFlight } = read
    const signal = signalOf(read)
    if (this.#closing !== undefined) throw new ProducerClosedError()
    await this.#iterableSends.send(messages, this.#writable({ topic, inFlight }, signal), signal)
  }

  /**
   * The partitions of a topic and their leaders, as the brokers tell them now. It never creates the topic; one that is
   * just being created, by anybody or by this producer's own messages, it waits for, `enqueueTimeoutMs` at most.
   *
   * @throws BrokerResponseError, such as `UNKNOWN_TOPIC_OR_PARTITION`; MetadataUnavailableError, ProducerClosedError
   * @throws InvalidMessageError for what no topic can be called
   */
  async partitionsFor(topic: string): Promise<readonly PartitionMetadata[]> {
    if (this.#closing !== undefined) throw new ProducerClosedError()
    if (!isTopicName(topic)) throw wrongTopic(topic)
    const { enqueueTimeoutMs } = this.config
    // Nothing else keeps the process alive for it: connections never do.
    const { clock } = this.#surroundings
    const alive = clock.setInterval(() => undefined, this.config.requestTimeoutMs)
    this.#sessions.retain()
    try {
      const giveUpAt = enqueueTimeoutMs < 0 ? Infinity : clock.now() + enqueueTimeoutMs
      return await this.#topicPartitionInfos.partitionsOf(topic, giveUpAt, () => this.#eventHandler.isWaitingFor(topic))
    } catch (error) {
      throw toldToCaller(this.#closing === undefined ? error : new ProducerClosedError())
    } finally {
      this.#sessions.release()
      clock.clearInterval(alive)
    }
  }

  /**
   * Finds out whether brokers answer with these addresses and credentials: for the start of a program, which better ends
   * than waits. It need not be called, `send()` connects by itself; calling it again asks again.
   *
   * It fails as soon as each broker of the list was tried once, with what is wrong: nobody listens, the name is unknown,
   * TLS or SASL is missing on one side, the credentials are refused, it is no Kafka.
   *
   * @throws MetadataUnavailableError (retriable: the brokers may just be starting); TlsError, AuthenticationError,
   *   ConnectionFailedError, UnsupportedVersionError
   * @throws AbortedError, ProducerClosedError, InvalidConfigError
   */
  async connect(options: ConnectOptions = {}): Promise<void> {
    if (this.#closing !== undefined) throw new ProducerClosedError()
    const { timeoutMs = CONNECT_TIMEOUT_MS, signal } = callOptions(options, ['timeoutMs', 'signal'])
    checkTimeout(timeoutMs)
    try {
      await this.#readiness.reach(timeoutMs, { signal })
    } catch (error) {
      throw toldToCaller(error)
    }
  }

  /**
   * Whether brokers answer, as far as is known at this moment: for readiness probes. It waits for nothing. Not healthy is
   * a producer that had no answer yet (`connect()` gets one), or none to its last question, or whose messages wait while no
   * connection for them can be had. While it is not, a call sends a question after it, for the next call to know more:
   * `retryBackoffMs` after the last one that failed, at the earliest.
   */
  health(): ProducerHealth {
    if (this.#closing !== undefined) return { healthy: false, problem: new ProducerClosedError() }
    return this.#readiness.health(this.#eventHandler.held.messages > 0)
  }

  /** What this producer has counted and measured, from its start on. */
  stats(): ProducerStats {
    return this.#watchers.stats(this.#eventHandler.held)
  }

  /**
   * Takes no more messages, waits for those under way and for streams that were ended, and leaves no socket and no timer
   * behind. What has no fate by then fails with a ProducerClosedError. Tells these, and how many have failed in all. Closing
   * twice is harmless.
   */
  close(options: CloseOptions = {}): Promise<CloseResult<K, V>> {
    if (this.#closing === undefined) {
      let timeoutMs: number
      try {
        timeoutMs = closeTimeout(options, this.config.deliveryTimeoutMs)
      } catch (error) {
        return Promise.reject(error)
      }
      const closed = this.#endingStreams.isEmpty ? this.#end(timeoutMs, timeoutMs) : this.#endBehindStreams(timeoutMs)
      this.#closing = closed.then(async (unsent) => {
        await this.#interceptors?.toldSoFar()
        this.#iterableSends.close()
        this.#watchers.close()
        return { ...this.#result(), unsent }
      })
      void this.#sendLoop?.hurry(this.#closing)
    }
    return this.#closing
  }

  async #endBehindStreams(timeoutMs: number): Promise<KeyedMessage<K, V>[]> {
    const { clock } = this.#surroundings
    const endsAt = clock.now() + timeoutMs
    await this.#endingStreams.through(timeoutMs)
    return this.#end(Math.max(0, endsAt - clock.now()), timeoutMs)
  }

  #end(timeLeftMs: number, timeoutMs: number): Promise<KeyedMessage<K, V>[]> {
    const last = (leftMs: number) => this.#watchers.pushLast(leftMs)
    return this.#eventHandler.close(timeLeftMs, last, this.#transactions?.closesWithinMs() ?? timeoutMs)
  }

  async [ASYNC_DISPOSE](): Promise<void> {
    await this.close()
  }

  /** What a logger shows of it. */
  toJSON(): Readonly<Record<string, unknown>> {
    const { clientId, type } = this.config
    const brokers = this.config.brokers.map(formatAddress)
    const { messages, bytes } = this.#eventHandler.held
    return { clientId, brokers, type, state: this.#closing === undefined ? 'open' : 'closed', messages, bytes }
  }

  [inspect.custom](_depth: number, options: InspectOptions): string {
    return `Producer ${inspect(this.toJSON(), options)}`
  }
}

/** The promise that is given on, so that a rejection which nobody handles stays one. */
async function tellEnd<T>(sent: Promise<T>, onEnd: OnEnd<SendEnd>): Promise<T> {
  try {
    const result = await sent
    onEnd({ error: undefined })
    return result
  } catch (error) {
    onEnd({ error })
    throw error
  }
}

/**
 * How long a `close()` may wait.
 *
 * @throws InvalidConfigError
 */
export function closeTimeout(options: CloseOptions, byDefault: number): number {
  const { timeoutMs = byDefault } = callOptions(options, ['timeoutMs'])
  checkTimeout(timeoutMs)
  return timeoutMs
}

/** @throws InvalidConfigError */
function checkTimeout(timeoutMs: number): void {
  if (Number.isInteger(timeoutMs) && timeoutMs >= 0 && timeoutMs <= 0x7fffffff) return
  throw new InvalidConfigError(
    `timeoutMs: given was ${shown(timeoutMs)}, allowed is a whole number from 0 to ${0x7fffffff}`,
  )
}
