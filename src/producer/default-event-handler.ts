import { createDebug } from '../debug.js'
import {
  DeliveryError,
  DeliveryTimeoutError,
  type KafkaProducerError,
  ProducerClosedError,
  QueueFullError,
} from '../errors.js'
import { StatsCounters } from '../stats/producer-stats.js'
import { TurnBudget } from '../turn-budget.js'
import type { BrokerPartitionInfo } from './brokers/broker-partition-info.js'
import type { ProducerPool } from './brokers/producer-pool.js'
import type { TopicMetadata } from './brokers/topic-metadata.js'
import { Admission, type AdmittedMessages } from './calls/admission.js'
import { CallSerializer } from './calls/call-serializer.js'
import { ListCall } from './calls/list-call.js'
import type { MessageCall } from './calls/message-call.js'
import { OutstandingCalls } from './calls/outstanding-calls.js'
import { QueueCall } from './calls/queue-call.js'
import { SendCall } from './calls/send-call.js'
import { handled, Serializer } from './calls/serializer.js'
import { SharedCall } from './calls/shared-call.js'
import { abortedBy, signalOf, SignalListeners } from './calls/signal-listeners.js'
import { SingleCall } from './calls/single-call.js'
import type { DeliveryReporter } from './delivery-report.js'
import type { Encoder } from './encoder.js'
import type { EventHandler, SendOptions } from './event-handler.js'
import type { KeyedMessage } from './keyed-message.js'
import type { ResolvedPartitioner } from './partitioners/partitioner-by-name.js'
import { tell, type Batch } from './queues/batch.js'
import { BufferBound } from './queues/buffer-bound.js'
import type { PartitionQueue } from './queues/partition-queue.js'
import { RetryPolicy, type RetrySettings } from './queues/retry-policy.js'
import { SendClock, type SendMoment } from './queues/send-clock.js'
import { SerializedMessage } from './queues/serialized-message.js'
import type { CompressionChoice } from './queues/topic-compression.js'
import type { TopicQueue } from './queues/topic-queue.js'
import { TopicRouter } from './queues/topic-router.js'
import type { RecordMetadata } from './record-metadata.js'
import { BatchOutcomes } from './sending/batch-outcomes.js'
import { BrokerSender, type BrokerSenderConfig } from './sending/broker-sender.js'
import { DeadlineErrors } from './sending/deadline-errors.js'
import { tellUser } from './tell-user.js'

const debug = createDebug('kafka-producer:handler')

/** The five parts that a handler is made of; each can be replaced. */
export interface EventHandlerParts<K, V> {
  readonly partitioner: ResolvedPartitioner
  readonly encoder: Encoder<V>
  readonly keyEncoder: Encoder<K>
  readonly topicPartitionInfos: BrokerPartitionInfo
  readonly producerPool: ProducerPool
}

export interface EventHandlerConfig extends BrokerSenderConfig, RetrySettings {
  readonly deliveryTimeoutMs: number
  readonly compressionChoice: CompressionChoice
  readonly queueMessages: number
  readonly queueBytes: number
  readonly enqueueTimeoutMs: number
  readonly metadataRefreshIntervalMs: number
  readonly copyBytes: boolean
}

/** What `send()` answers where all is queued at once. */
const QUEUED = Promise.resolve()

/** How long sockets may take to close after all is settled. */
const SOCKET_GRACE_MS = 1_000

/**
 * The path of a message, from `send()` to its fate (Kafka 0.8's DefaultEventHandler):
 *
 *  1. {@link handle} makes a {@link SendCall} of the messages, which settles when all of them have their fate
 *     (async mode: {@link enqueue} and a {@link QueueCall}, which settles when they are queued, or a {@link SharedCall}
 *     where they are queued at once);
 *  2. {@link serialize} runs the encoders, all of a call before any of it goes on;
 *  3. {@link Admission} lets them in, in order, as far as there is room (async mode: into the send loop's queue, which
 *     releases them);
 *  4. {@link partitionAndCollate} chooses each message's partition and appends it to that partition's queue of batches;
 *  5. the leader's {@link BrokerSender} takes a batch of each of its partitions into a request;
 *  6. {@link BatchOutcomes} settles each batch by its partition's answer, or puts it back at the head of its queue until
 *     {@link RetryPolicy} lets it go again.
 */
export class DefaultEventHandler<K, V> implements EventHandler<K, V> {
  private readonly serializer: CallSerializer<K, V>
  private readonly bound: BufferBound
  private readonly admission: Admission
  private readonly policy: RetryPolicy
  private readonly outcomes: BatchOutcomes
  private readonly calls: OutstandingCalls
  private readonly clock = new SendClock()
  /** The newest call of those that messages of async mode share. */
  private sharedCall: SharedCall | undefined
  private readonly topics: TopicRouter
  private readonly senders = new Map<number, BrokerSender>()
  private readonly signals = new SignalListeners()
  /** One function for all calls. */
  private readonly onDone = (call: MessageCall) => this.finished(call)

  /**
   * @param route where admitted messages go: on to their partitions at once, or through the queue of async mode, which
   *   hands them to {@link partitionAndCollate} later
   */
  constructor(
    private readonly parts: EventHandlerParts<K, V>,
    private readonly config: EventHandlerConfig,
    readonly counters: StatsCounters = new StatsCounters(),
    private readonly turn: TurnBudget = new TurnBudget(),
    route: AdmittedMessages = (messages, from, to) => this.partitionAndCollate(messages, from, to),
  ) {
    this.calls = new OutstandingCalls(config.deliveryTimeoutMs, parts.producerPool, (calls) => this.expire(calls))
    this.serializer = new CallSerializer(
      new Serializer(parts.encoder, parts.keyEncoder, parts.partitioner.keyUse, config.copyBytes),
      turn,
      counters,
    )
    this.bound = new BufferBound(config.queueMessages, config.queueBytes)
    this.policy = new RetryPolicy(config)
    const { bound, policy } = this
    const shared = {
      ...parts,
      compression: config.compressionChoice,
      policy,
      bound,
      counters,
      onRoom: () => this.admission.pump(),
    }
    this.outcomes = new BatchOutcomes({
      ...shared,
      codecTimeoutMs: Math.min(config.requestTimeoutMs, config.deliveryTimeoutMs / 2),
      topicId: (topic) => this.topics.get(topic)?.metadata?.id ?? null,
      enlist: (queue) => this.topics.mayHaveToSend(queue),
    })
    this.topics = new TopicRouter({
      ...shared,
      turn,
      enlist: (queue) => this.enlist(queue),
      fail: (message, cause) => this.fail(message, cause),
      giveUp: (queue, cause) => this.outcomes.giveUp(queue, cause),
    })
    this.admission = new Admission(this.bound, turn, config.enqueueTimeoutMs, this.topics, route, (message, cause) =>
      this.refuse(message, cause),
    )
    parts.topicPartitionInfos.listen({
      onBrokers: (brokers) => parts.producerPool.updateProducers(brokers),
      onTopics: (topics, isAnswer) => this.onTopics(topics, isAnswer),
      onIdleCheck: (idleSince) => this.topics.forgetIdle(idleSince),
      isInUse: (topic) => this.topics.get(topic) !== undefined,
    })
  }

  handle(messages: readonly KeyedMessage<K, V>[], options?: SendOptions): Promise<RecordMetadata[]> {
    try {
      const signal = signalOf(options)
      if (signal?.aborted) return Promise.reject(abortedBy(signal))
      if (messages.length === 0) return Promise.resolve([])
      const sentAt = this.clock.now()
      if (messages.length === 1 && signal === undefined) return this.handleOne(messages, sentAt)
      const call = new SendCall(messages, sentAt, this.onDone)
      this.takeInAll(call, messages, signal)
      return call.promise
    } catch (error) {
      return Promise.reject(error)
    }
  }

  private handleOne(messages: readonly KeyedMessage<K, V>[], sentAt: SendMoment): Promise<RecordMetadata[]> {
    const message = messages[0] as KeyedMessage<K, V>
    const serialized = this.serializer.serializeOne(message)
    if (serialized instanceof SerializedMessage) {
      const call = new SingleCall(message, serialized, sentAt, this.onDone)
      this.calls.add(call)
      this.admission.submit([serialized])
      return call.promise
    }
    const call = new SendCall(messages, sentAt, this.onDone)
    this.takeIn(call, this.serializer.handOver(serialized, call))
    return call.promise
  }

  /** Async mode: settles when the messages are queued or refused; their fates are reported. */
  enqueue(messages: readonly KeyedMessage<K, V>[], reporter: DeliveryReporter, options?: SendOptions): Promise<void> {
    try {
      const signal = signalOf(options)
      if (signal?.aborted) return Promise.reject(abortedBy(signal))
      if (messages.length === 0) return Promise.resolve()
      const sentAt = this.clock.now()
      if (messages.length === 1 && signal === undefined) return this.enqueueOne(messages, reporter, sentAt)
      const call = new QueueCall(messages, sentAt, this.onDone, reporter)
      this.takeInAll(call, messages, signal)
      return call.queued()
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Mostly one message is encoded and has room at once: then it needs no call of its own. */
  private enqueueOne(
    messages: readonly KeyedMessage<K, V>[],
    reporter: DeliveryReporter,
    sentAt: SendMoment,
  ): Promise<void> {
    const message = messages[0] as KeyedMessage<K, V>
    const serialized = this.serializer.serializeOne(message)
    if (serialized instanceof SerializedMessage && this.admission.hasRoomNow(serialized)) {
      let call = this.sharedCall
      if (call?.isOpenAt(sentAt) !== true) {
        call = this.sharedCall = new SharedCall(sentAt, this.onDone, reporter)
        this.calls.add(call)
      }
      call.join(message, serialized)
      this.admission.admitNow(serialized)
      return QUEUED
    }
    const call = new QueueCall(messages, sentAt, this.onDone, reporter)
    this.takeIn(call, this.serializer.handOver(serialized, call))
    return call.queued()
  }

  private takeInAll(call: ListCall, messages: readonly KeyedMessage<K, V>[], signal: AbortSignal | undefined): void {
    // Before the encoders, one of which may abort it.
    if (signal !== undefined) this.heed(signal, call)
    try {
      this.takeIn(call, this.serialize(messages, call))
    } catch (error) {
      // Nobody would hear of both.
      if (call.isDone) return
      call.onEnd?.()
      throw error
    }
  }

  private takeIn(call: ListCall, serialized: SerializedMessage[] | Promise<SerializedMessage[]>): void {
    if (call.isDone) {
      // An encoder aborted the call's signal.
      if (!Array.isArray(serialized)) void handled(serialized)
      return
    }
    this.calls.add(call)
    if (Array.isArray(serialized)) {
      call.serialized = serialized
      this.admission.submit(serialized)
      this.tellFailures(call)
    } else {
      const ready = this.serializer.whenReady(call, serialized)
      this.admission.submit(ready)
      // After the others were handed on: what hears of it and sends comes behind them.
      void ready.then(() => this.tellFailures(call))
    }
  }

  private tellFailures(call: ListCall): void {
    const told = call.tellFailures()
    this.counters.failed += told
  }

  /** Checks and encodes all messages of a call: see {@link CallSerializer}. */
  serialize(
    messages: readonly KeyedMessage<K, V>[],
    call: ListCall,
  ): SerializedMessage[] | Promise<SerializedMessage[]> {
    return this.serializer.serialize(messages, call)
  }

  /** Appends messages to their partitions' queues, or lets them wait for the metadata of their topic. */
  partitionAndCollate(messages: readonly SerializedMessage[], from: number, to: number): void {
    this.topics.place(messages, from, to)
  }

  /** Puts a partition on its leader's list. */
  private enlist(queue: PartitionQueue): void {
    let sender = this.senders.get(queue.leader)
    if (sender === undefined) {
      sender = new BrokerSender(queue.leader, this.parts.producerPool, this.config, this.turn, this.outcomes)
      this.senders.set(queue.leader, sender)
    }
    sender.enlist(queue)
  }

  /** Whether messages wait for the metadata of a topic. */
  isWaitingFor(topic: string): boolean {
    return this.topics.get(topic)?.needsMetadata === true
  }

  private onTopics(updates: readonly TopicMetadata[], isAnswer: boolean): void {
    this.topics.update(updates, isAnswer)
    const { onMetadataRefresh } = this.parts.partitioner
    const names = updates.map(({ topic }) => topic)
    tellUser(onMetadataRefresh, names, (error) => {
      this.counters.throwingCallbacks++
      debug("the partitioner's onMetadataRefresh threw: %O", error)
    })
    this.admission.pump()
  }

  // How messages end before an answer says so.

  private fail(message: SerializedMessage, cause: KafkaProducerError): void {
    this.counters.failed++
    const { topic, placement } = message
    const partition = placement === null || placement.partition < 0 ? undefined : placement.partition
    tell(message, new DeliveryError(cause, { topic, partition, attempts: 0, mayHaveBeenWritten: false }))
  }

  private refuse(message: SerializedMessage, cause: KafkaProducerError): void {
    if (cause instanceof QueueFullError) this.counters.drop(message.topic)
    this.fail(message, cause)
  }

  private expire(calls: readonly MessageCall[]): void {
    const { deliveryTimeoutMs } = this.config
    const { topicPartitionInfos } = this.parts
    const { senders } = this
    const topic = (name: string) => this.topics.get(name)
    const errors = new DeadlineErrors({ deliveryTimeoutMs, topicPartitionInfos, topic, senders })
    this.end(calls, (message) =>
      message === undefined
        ? new DeliveryTimeoutError(`an encoder did not finish within ${deliveryTimeoutMs} ms`)
        : errors.of(message),
    )
    for (const sender of senders.values()) sender.giveUpUnneeded()
    this.admission.pump()
  }

  /** Ends calls ahead of any answer. The cause is asked for without a message where an encoder still works. */
  private end(calls: readonly MessageCall[], cause: (message?: SerializedMessage) => KafkaProducerError): void {
    const serialized: SerializedMessage[] = []
    for (const call of calls) {
      if (call instanceof ListCall && call.serialized === undefined) this.endUnserialized(call, cause())
      else for (const message of call.serialized ?? []) serialized.push(message)
    }
    this.endEarly(serialized, cause)
  }

  private endUnserialized(call: ListCall, cause: KafkaProducerError): void {
    this.counters.failed += call.unsettled
    call.failAllUnserialized(cause)
  }

  /** Tells messages that have no fate yet one ahead of any answer, and gives back the room of those not in flight. */
  private endEarly(
    messages: readonly SerializedMessage[],
    cause: (message: SerializedMessage) => KafkaProducerError,
  ): void {
    const batches = new Set<Batch>()
    const topics = new Map<TopicQueue, number>()
    for (const message of messages) {
      if (message.settled) continue
      const { batch } = message
      const topic = this.topics.get(message.topic)
      if (topic !== undefined) topics.set(topic, (topics.get(topic) ?? 0) + (batch === null ? 1 : 0))
      if (batch === null) {
        this.fail(message, cause(message))
      } else {
        this.outcomes.failOne(batch, message, cause(message))
        if (!batch.inFlight) batches.add(batch)
      }
    }
    for (const batch of batches) {
      this.outcomes.releaseSettled(batch)
      batch.queue.dropEmpty()
    }
    for (const [topic, count] of topics) this.topics.dropSettled(topic, count)
  }

  private heed(signal: AbortSignal, call: ListCall): void {
    const onAbort = () => {
      const cause = abortedBy(signal)
      if (call.serialized === undefined) this.endUnserialized(call, cause)
      else
        this.endEarly(
          call.serialized.filter((message) => message.batch?.closed !== true),
          () => cause,
        )
      this.admission.pump()
    }
    call.onEnd = this.signals.add(signal, onAbort)
  }

  private finished(call: MessageCall): void {
    this.calls.done(call)
    if (this.config.metadataRefreshIntervalMs === 0) {
      this.parts.topicPartitionInfos.refresh({ isDue: true }).catch(() => undefined)
    }
  }

  /** Messages and bytes waiting or in flight now. */
  get held(): { readonly messages: number; readonly bytes: number } {
    return this.bound
  }

  /** Resolves when every call made so far has its fate. */
  settledSoFar(): Promise<void> {
    // What comes later is no concern of who waits now.
    this.sharedCall = undefined
    return this.calls.settledSoFar()
  }

  async close(timeoutMs: number): Promise<KeyedMessage<K, V>[]> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, timeoutMs)))
    await Promise.race([this.settledSoFar(), late])
    clearTimeout(timer)
    this.policy.close()
    this.parts.topicPartitionInfos.close()
    const cause = new ProducerClosedError(`the producer was closed, and did not wait longer than ${timeoutMs} ms`)
    const calls = this.calls.all()
    const unsent = calls.flatMap((call) => call.messagesWithoutFate() as KeyedMessage<K, V>[])
    this.end(calls, () => cause)
    this.calls.close()
    this.admission.close()
    for (const sender of this.senders.values()) sender.close()
    await this.parts.producerPool.close(SOCKET_GRACE_MS)
    return unsent
  }
}
