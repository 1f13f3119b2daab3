import {
  AbortedError,
  DeliveryError,
  DeliveryTimeoutError,
  KafkaProducerError,
  ProducerClosedError,
  QueueFullError,
  SerializationError,
  type InvalidPartitionError,
} from '../errors.js'
import type { ProducePartitionResponse, ProduceResponse } from '../protocol/apis/produce.js'
import { brokerResponseError, errorCode, ErrorCodes } from '../protocol/error-codes.js'
import type { ProducerStats } from '../stats/producer-stats.js'
import { StatsCounters } from '../stats/producer-stats.js'
import { Admission } from './admission.js'
import { tell, type Batch } from './batch.js'
import type { BrokerPartitionInfo, TopicMetadata } from './broker-partition-info.js'
import { BrokerSender, type BrokerSenderConfig, type SenderContext } from './broker-sender.js'
import { BufferBound } from './buffer-bound.js'
import { whyFormatCantHold, type Magic } from './collate.js'
import { DeliveryDeadlines } from './delivery-deadlines.js'
import type { Encoder } from './encoder.js'
import type { EventHandler, SendOptions } from './event-handler.js'
import { checkMessage, type KeyedMessage } from './keyed-message.js'
import { MetadataWatch } from './metadata-watch.js'
import type { PartitionQueue } from './partition-queue.js'
import type { ResolvedPartitioner } from './partitioners/partitioner-by-name.js'
import { leaderAddresses } from './produce-answer.js'
import type { ProducerPool } from './producer-pool.js'
import type { RecordMetadata } from './record-metadata.js'
import { RetryPolicy, type RetrySettings } from './retry-policy.js'
import { SendCall } from './send-call.js'
import type { SerializedMessage } from './serialized-message.js'
import { Serializer } from './serializer.js'
import { TopicQueue } from './topic-queue.js'

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
  readonly batchBytes: number
  readonly queueMessages: number
  readonly queueBytes: number
  readonly enqueueTimeoutMs: number
  readonly metadataRefreshIntervalMs: number
}

/**
 * Answers after which the broker may have written the batch all the same: it gave up waiting for replicas, or failed
 * at nobody knows what.
 */
const MAY_HAVE_BEEN_WRITTEN = new Set<number>([-1, ErrorCodes.REQUEST_TIMED_OUT, ErrorCodes.NOT_ENOUGH_REPLICAS_AFTER_APPEND])
/** Answers to a batch that a smaller one may not get. */
const TOO_LARGE = new Set<number>([ErrorCodes.MESSAGE_TOO_LARGE, ErrorCodes.RECORD_LIST_TOO_LARGE])
/** How long sockets may take to close after all is settled. */
const SOCKET_GRACE_MS = 1_000

/**
 * The path of a message, from `send()` to its fate (Kafka 0.8's DefaultEventHandler):
 *
 *  1. {@link handle} makes a {@link SendCall} of the messages, which settles when all of them have their fate;
 *  2. {@link serialize} runs the encoders, all of a call before any of it goes on;
 *  3. {@link Admission} lets them in, in order, as far as there is room;
 *  4. {@link partitionAndCollate} chooses each message's partition and appends it to that partition's queue of batches;
 *  5. the leader's {@link BrokerSender} takes a batch of each of its partitions into a request;
 *  6. each partition's answer settles its batch ({@link acknowledged}), or puts it back at the head of its queue until
 *     {@link RetryPolicy} lets it go again ({@link refused}, {@link unanswered}).
 */
export class DefaultEventHandler<K, V> implements EventHandler<K, V>, SenderContext {
  private readonly serializer: Serializer<K, V>
  private readonly bound: BufferBound
  private readonly admission: Admission
  private readonly policy: RetryPolicy
  private readonly deadlines = new DeliveryDeadlines((call) => this.expire(call))
  private readonly watch: MetadataWatch
  private readonly topics = new Map<string, TopicQueue>()
  private readonly senders = new Map<number, BrokerSender>()
  private readonly calls = new Set<SendCall>()
  private readonly validTopics = new Set<string>()
  private readonly counters = new StatsCounters()
  private idleWaiters: (() => void)[] = []

  constructor(
    private readonly parts: EventHandlerParts<K, V>,
    private readonly config: EventHandlerConfig,
  ) {
    this.serializer = new Serializer(parts.encoder, parts.keyEncoder, parts.partitioner.keyUse)
    this.bound = new BufferBound(config.queueMessages, config.queueBytes)
    this.admission = new Admission(
      this.bound,
      config.enqueueTimeoutMs,
      (message) => this.partitionAndCollate(message),
      (message, cause) => this.refuse(message, cause),
    )
    this.policy = new RetryPolicy(config)
    this.watch = new MetadataWatch(parts.topicPartitionInfos, this.policy, this.topics)
    parts.topicPartitionInfos.listen({
      onBrokers: (brokers) => parts.producerPool.updateProducers(brokers),
      onTopics: (topics) => this.onTopics(topics),
    })
  }

  handle(messages: readonly KeyedMessage<K, V>[], { signal }: SendOptions = {}): Promise<RecordMetadata[]> {
    if (signal?.aborted) return Promise.reject(new AbortedError(signal.reason))
    if (messages.length === 0) return Promise.resolve([])
    const call: SendCall = new SendCall(messages, performance.now() + this.config.deliveryTimeoutMs, () => this.finished(call))
    let serialized: SerializedMessage[] | Promise<SerializedMessage[]>
    try {
      for (const message of messages) checkMessage(message, this.validTopics)
      serialized = this.serialize(messages, call)
    } catch (error) {
      if (error instanceof SerializationError) this.counters.serializationErrors++
      return Promise.reject(error as Error)
    }
    this.calls.add(call)
    this.deadlines.watch(call)
    if (Array.isArray(serialized)) call.serialized = serialized
    else serialized = this.whenSerialized(call, serialized)
    if (signal !== undefined) this.heed(signal, call)
    this.admission.submit(serialized)
    return call.promise
  }

  /** Encodes all messages of a call; the promise is there only where an encoder gave one. */
  serialize(messages: readonly KeyedMessage<K, V>[], call: SendCall): SerializedMessage[] | Promise<SerializedMessage[]> {
    const now = Date.now()
    const serialized: (SerializedMessage | Promise<SerializedMessage>)[] = new Array<SerializedMessage>(messages.length)
    let isAsync = false
    for (let i = 0; i < messages.length; i++) {
      const one = this.serializer.serialize(messages[i] as KeyedMessage<K, V>, i, call, now)
      if (one instanceof Promise) isAsync = true
      serialized[i] = one
    }
    return isAsync ? Promise.all(serialized) : (serialized as SerializedMessage[])
  }

  private async whenSerialized(call: SendCall, pending: Promise<SerializedMessage[]>): Promise<SerializedMessage[]> {
    try {
      const serialized = await pending
      if (call.isDone) for (const message of serialized) message.settled = true
      call.serialized = serialized
      return serialized
    } catch (error) {
      this.counters.serializationErrors++
      call.failWhole(error as KafkaProducerError)
      throw error
    }
  }

  /** Appends a message to its partition's queue, or lets it wait for the metadata of its topic. */
  partitionAndCollate(message: SerializedMessage): void {
    this.counters.messages++
    this.counters.bytes += message.bytes
    let topic = this.topics.get(message.topic)
    if (topic === undefined) {
      topic = new TopicQueue(message.topic, this.parts.partitioner, this.config.batchBytes)
      this.topics.set(message.topic, topic)
      this.lookUp(topic)
    }
    if (topic.queues.length > 0 && topic.waiting.length === 0 && topic.metadata?.error === undefined) {
      this.append(topic, message)
    } else {
      topic.waiting.push(message)
      if (topic.waiting.length === 1) this.watch.start()
    }
  }

  private append(topic: TopicQueue, message: SerializedMessage): void {
    let queue: PartitionQueue
    try {
      queue = topic.queueFor(message)
    } catch (error) {
      this.bound.release(1, message.bytes)
      this.fail(message, error as InvalidPartitionError)
      return
    }
    queue.append(message)
    this.enlist(queue)
  }

  /** Puts a partition on its leader's list, where it is not yet. */
  private enlist(queue: PartitionQueue): void {
    if (!queue.isReady) {
      if (queue.leader < 0) this.watch.start()
      return
    }
    if (queue.listedAt === queue.leader) return
    let sender = this.senders.get(queue.leader)
    if (sender === undefined) {
      sender = new BrokerSender(queue.leader, this.parts.producerPool, this.config, this)
      this.senders.set(queue.leader, sender)
    }
    sender.enlist(queue)
  }

  private lookUp(topic: TopicQueue): void {
    const known = this.parts.topicPartitionInfos.topic(topic.name)
    if (known !== undefined && known.error === undefined) {
      topic.update(known)
      return
    }
    // A failure is no concern of its own: the watch goes on asking for as long as a message waits.
    this.parts.topicPartitionInfos.lookUp(topic.name).catch(() => this.watch.start())
  }

  private onTopics(updates: readonly TopicMetadata[]): void {
    for (const metadata of updates) {
      const topic = this.topics.get(metadata.topic)
      if (topic !== undefined) this.update(topic, metadata)
    }
    this.parts.partitioner.onMetadataRefresh(updates.map(({ topic }) => topic))
    this.admission.pump()
    this.watch.start()
  }

  private update(topic: TopicQueue, metadata: TopicMetadata): void {
    topic.update(metadata)
    const { error } = metadata
    if (error === undefined) {
      const waiting = topic.waiting
      topic.waiting = []
      for (const message of waiting) {
        if (!message.settled) this.append(topic, message)
      }
      for (const queue of topic.queues) if (!queue.isEmpty) this.enlist(queue)
    } else if (!error.retriable) {
      for (const message of topic.waiting) {
        if (message.settled) continue
        this.bound.release(1, message.bytes)
        this.fail(message, error)
      }
      topic.waiting = []
    }
    this.forgetIfGone(topic)
  }

  /** A topic that is in error and that nobody waits for: the next message is a first look-up again, which may create it. */
  private forgetIfGone(topic: TopicQueue): void {
    if (topic.metadata?.error === undefined || !topic.isEmpty) return
    this.topics.delete(topic.name)
    this.parts.topicPartitionInfos.forget(topic.name)
  }

  // What the senders need and tell.

  topicId(topic: string): Buffer | null {
    return this.topics.get(topic)?.metadata?.id ?? null
  }

  metadataGeneration(): number {
    return this.parts.topicPartitionInfos.generation
  }

  prepare(batch: Batch, magic: Magic): void {
    if (magic < 2) {
      for (const message of batch.messages) {
        const cause = message.settled ? undefined : whyFormatCantHold(message, magic)
        if (cause !== undefined) this.failInBatch(batch, message, cause)
      }
    }
    this.release(batch.queue, batch.dropSettled())
  }

  acknowledged(batch: Batch, answer: ProducePartitionResponse | undefined, magic: Magic): void {
    const { topic, partition } = batch.queue
    this.leaveFlight(batch)
    this.counters.acknowledged += batch.acknowledge(
      {
        topic,
        partition,
        baseOffset: answer?.baseOffset ?? -1n,
        logAppendTime: answer?.logAppendTimeMs ?? -1,
        acknowledged: answer !== undefined,
      },
      magic > 0,
    )
    this.release(batch.queue, batch.messages)
    this.enlist(batch.queue)
  }

  refused(batch: Batch, answer: ProducePartitionResponse, response: ProduceResponse, generation: number): void {
    const { queue } = batch
    const { leaderId, leaderEpoch } = answer.currentLeader
    const subject = `${batch.messages.length} messages for ${queue.topic}-${queue.partition}`
    const cause = brokerResponseError(answer.errorCode, subject, answer.errorMessage)
    if (MAY_HAVE_BEEN_WRITTEN.has(answer.errorCode)) batch.mayHaveBeenWritten = true
    const isNews =
      leaderId >= 0 &&
      this.parts.topicPartitionInfos.learnLeader(queue.topic, queue.partition, leaderId, leaderEpoch, leaderAddresses(response))
    if (TOO_LARGE.has(answer.errorCode) && batch.messages.length > 1) return this.split(batch)
    if (answer.recordErrors.length > 0 && answer.recordErrors.length < batch.messages.length) {
      for (const { batchIndex, batchIndexErrorMessage } of answer.recordErrors) {
        const message = batch.messages[batchIndex]
        if (message !== undefined) this.failInBatch(batch, message, brokerResponseError(answer.errorCode, subject, batchIndexErrorMessage))
      }
      // The others were not written either, and are good: that costs no attempt.
      batch.attempts--
      return this.sendAgain(batch)
    }
    if (isNews && cause.retriable) {
      // The answer told the new leader (KIP-951): nothing to wait for.
      if (this.mayTryAgain(batch, cause)) this.sendAgain(batch)
      return
    }
    this.retry([batch], cause, errorCode(answer.errorCode).refreshMetadata, generation)
  }

  unanswered(batches: readonly Batch[], cause: KafkaProducerError, written: boolean, generation: number): void {
    if (batches.length === 0) return
    if (written) for (const batch of batches) batch.mayHaveBeenWritten = true
    this.retry(batches, cause, true, generation)
  }

  answered(): void {
    if (!this.admission.isIdle) this.admission.pump()
  }

  /** Half the messages at a time, both halves ahead of later batches: a smaller batch may pass. */
  private split(batch: Batch): void {
    const rest = batch.splitHalf()
    batch.attempts--
    rest.attempts--
    batch.queue.putBack(rest)
    this.sendAgain(batch)
  }

  private sendAgain(batch: Batch): void {
    this.leaveFlight(batch)
    this.counters.resends++
    batch.queue.putBack(batch)
    this.enlist(batch.queue)
  }

  /** Puts what failed together back at the head of its queues, to go out again after a wait. */
  private retry(batches: readonly Batch[], cause: KafkaProducerError, needsMetadata: boolean, generation: number): void {
    const queues: PartitionQueue[] = []
    let failures = 1
    for (const batch of batches) {
      if (!this.mayTryAgain(batch, cause)) continue
      const { queue } = batch
      this.leaveFlight(batch)
      failures = Math.max(failures, batch.attempts)
      queue.putBack(batch)
      queue.backingOff = true
      queues.push(queue)
    }
    const info = this.parts.topicPartitionInfos
    const refreshed = info.refresh({ newerThan: generation })
    refreshed.catch(() => undefined)
    if (queues.length === 0) return
    const attempt = async (): Promise<void> => {
      if (needsMetadata) await info.refresh({ newerThan: generation })
    }
    void this.policy.retryAfter(cause, failures, attempt).then((goesOn: boolean) => {
      if (!goesOn) return
      this.counters.resends += queues.length
      for (const queue of queues) {
        queue.backingOff = false
        this.enlist(queue)
      }
    })
  }

  /** False where the batch failed for good, which its messages have then been told. */
  private mayTryAgain(batch: Batch, cause: KafkaProducerError): boolean {
    batch.lastError = cause
    this.release(batch.queue, batch.dropSettled())
    const mayTry = cause.retriable && this.policy.allowsAttemptAfter(batch.attempts) && batch.messages.length > 0
    if (!mayTry) {
      this.leaveFlight(batch)
      this.counters.failed += batch.fail(cause)
      this.release(batch.queue, batch.messages)
      this.enlist(batch.queue)
    }
    return mayTry
  }

  private leaveFlight(batch: Batch): void {
    if (!batch.inFlight) return
    batch.inFlight = false
    batch.queue.inFlight--
  }

  /** Gives back the room of messages that are gone from their batch. */
  private release(queue: PartitionQueue, messages: readonly SerializedMessage[]): void {
    let bytes = 0
    for (let i = 0; i < messages.length; i++) bytes += (messages[i] as SerializedMessage).bytes
    queue.backlogBytes -= bytes
    this.bound.release(messages.length, bytes)
  }

  // How messages end before an answer says so.

  private fail(message: SerializedMessage, cause: KafkaProducerError): void {
    this.counters.failed++
    const { batch, topic, partition } = message
    tell(
      message,
      batch?.deliveryError(cause) ??
        new DeliveryError(cause, { topic, partition: partition < 0 ? undefined : partition, attempts: 0, mayHaveBeenWritten: false }),
    )
  }

  private failInBatch(batch: Batch, message: SerializedMessage, cause: KafkaProducerError): void {
    if (batch.settle(message, batch.deliveryError(cause))) this.counters.failed++
  }

  private refuse(message: SerializedMessage, cause: KafkaProducerError): void {
    if (cause instanceof QueueFullError) this.counters.drop(message.topic)
    this.fail(message, cause)
  }

  private expire(call: SendCall): void {
    const { deliveryTimeoutMs } = this.config
    if (call.serialized === undefined) {
      call.failUnserialized(new DeliveryTimeoutError(`an encoder did not finish within ${deliveryTimeoutMs} ms`))
      return
    }
    const overdue = call.serialized.filter((message) => !message.settled)
    this.endEarly(overdue, (message) => {
      const lastError = message.batch?.lastError ?? this.topics.get(message.topic)?.problem ?? this.parts.topicPartitionInfos.lastFailure
      const reason = lastError === undefined ? '' : `; the last failure: ${lastError.message}`
      return new DeliveryTimeoutError(`not acknowledged within ${deliveryTimeoutMs} ms${reason}`, lastError ? { cause: lastError } : {})
    })
    this.answered()
  }

  /** Tells messages their fate ahead of any answer. The room of one in flight is given back only with that answer. */
  private endEarly(messages: readonly SerializedMessage[], cause: (message: SerializedMessage) => KafkaProducerError): void {
    const batches = new Set<Batch>()
    const topics = new Set<TopicQueue>()
    for (const message of messages) {
      const { batch } = message
      const topic = this.topics.get(message.topic)
      if (topic !== undefined) topics.add(topic)
      if (batch === null) {
        this.fail(message, cause(message))
      } else {
        this.failInBatch(batch, message, cause(message))
        if (!batch.inFlight) batches.add(batch)
      }
    }
    for (const batch of batches) {
      this.release(batch.queue, batch.dropSettled())
      batch.queue.dropEmpty()
    }
    for (const topic of topics) {
      const gone = topic.dropSettledWaiting()
      for (const message of gone) this.bound.release(1, message.bytes)
      this.forgetIfGone(topic)
    }
  }

  private heed(signal: AbortSignal, call: SendCall): void {
    const onAbort = () => {
      const cause = new AbortedError(signal.reason)
      if (call.serialized === undefined) call.failUnserialized(cause)
      else {
        const open = call.serialized.filter((message) => !message.settled && message.batch?.closed !== true)
        this.endEarly(open, () => cause)
      }
      this.answered()
    }
    signal.addEventListener('abort', onAbort, { once: true })
    const stop = () => signal.removeEventListener('abort', onAbort)
    call.promise.then(stop, stop)
  }

  private finished(call: SendCall): void {
    if (!this.calls.delete(call)) return
    this.deadlines.done()
    if (this.config.metadataRefreshIntervalMs === 0) {
      this.parts.topicPartitionInfos.refresh({ background: true }).catch(() => undefined)
    }
    if (this.calls.size === 0) {
      for (const waiter of this.idleWaiters) waiter()
      this.idleWaiters = []
    }
  }

  stats(): ProducerStats {
    return this.counters.snapshot(this.bound.messages, this.bound.bytes)
  }

  /** Resolves when every call made so far has its fate. */
  async settledSoFar(): Promise<void> {
    await Promise.allSettled([...this.calls].map(({ promise }) => promise))
  }

  async close(timeoutMs: number): Promise<void> {
    if (this.calls.size > 0) {
      const idle = new Promise<void>((resolve) => this.idleWaiters.push(resolve))
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, timeoutMs)))
      await Promise.race([idle, late])
      clearTimeout(timer)
    }
    this.policy.close()
    this.parts.topicPartitionInfos.close()
    const cause = new ProducerClosedError(`the producer was closed, and did not wait longer than ${timeoutMs} ms`)
    this.admission.close(cause)
    for (const call of this.calls) {
      if (call.serialized === undefined) call.failUnserialized(cause)
      else this.endEarly(call.serialized.filter((message) => !message.settled), () => cause)
    }
    for (const sender of this.senders.values()) sender.close()
    this.deadlines.close()
    await this.parts.producerPool.close(SOCKET_GRACE_MS)
  }
}
