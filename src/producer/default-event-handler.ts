import type { Timer } from '../clock.js'
import { DeliveryError, ProducerClosedError, QueueFullError, type KafkaProducerError } from '../errors.js'
import { Failures } from '../stats/failures.js'
import type { Observers } from '../stats/observer.js'
import type { StatsCounters } from '../stats/producer-stats.js'
import type { Surroundings } from '../surroundings.js'
import type { TurnBudget } from '../turn-budget.js'
import type { BrokerPartitionInfo } from './brokers/broker-partition-info.js'
import type { ProducerPool } from './brokers/producer-pool.js'
import type { TopicMetadata } from './brokers/topic-metadata.js'
import { Admission, type AdmittedMessages } from './calls/admission.js'
import { CallSerializer } from './calls/call-serializer.js'
import { EarlyEnds } from './calls/early-ends.js'
import { EncoderLine } from './calls/encoder-line.js'
import { Endings } from './calls/endings.js'
import type { ListCall } from './calls/list-call.js'
import { ListIntake, topicsOf } from './calls/list-intake.js'
import type { MessageCall } from './calls/message-call.js'
import { OutstandingCalls } from './calls/outstanding-calls.js'
import { QueueCall } from './calls/queue-call.js'
import { SendCall } from './calls/send-call.js'
import { Serializer } from './calls/serializer.js'
import { SharedCall } from './calls/shared-call.js'
import { signalOfSend } from './calls/signal-listeners.js'
import { SingleCall } from './calls/single-call.js'
import type { DeliveryReporter } from './delivery-report.js'
import type { Encoder } from './encoder.js'
import { PatientOptions, type EventHandler, type SendOptions } from './event-handler.js'
import type { Replacement } from './interceptors.js'
import type { Warnings } from './kafka-producer-warning.js'
import { isList, type Given, type KeyedMessage } from './keyed-message.js'
import { LongWaits } from './long-waits.js'
import type { ResolvedPartitioner } from './partitioners/partitioner-by-name.js'
import { abortedBy } from './queues/abortion.js'
import type { Freed } from './queues/batch.js'
import { OutgoingMessage } from './queues/outgoing-message.js'
import type { PartitionQueue } from './queues/partition-queue.js'
import { RetryPolicy, type RetrySettings } from './queues/retry-policy.js'
import { Room } from './queues/room.js'
import { SendClock, type SendMoment } from './queues/send-clock.js'
import { Thinning } from './queues/thinning.js'
import type { CompressionChoice } from './queues/topic-compression.js'
import { TopicRouter } from './queues/topic-router.js'
import type { RecordMetadata } from './record-metadata.js'
import { BrokerSender, type BrokerSenderConfig, type SenderParts } from './sending/broker-sender.js'
import { DeadlineErrors } from './sending/deadline-errors.js'
import { Idempotence, type IdempotenceConfig, type Sequencing } from './sending/idempotence.js'
import { Outcomes } from './sending/outcomes.js'
import { Preparation } from './sending/preparation.js'
import { TransactionSequencing } from './sending/transaction-sequencing.js'
import { WaitReasons } from './sending/wait-reasons.js'
import { tellUser } from './tell-user.js'
import type { TransactionGate } from './transactions/transaction-manager.js'

/** The five parts that a handler is made of; each can be replaced. */
export interface EventHandlerParts<K, V> {
  readonly partitioner: ResolvedPartitioner
  readonly encoder: Encoder<V>
  readonly keyEncoder: Encoder<K>
  readonly topicPartitionInfos: BrokerPartitionInfo
  readonly producerPool: ProducerPool
  /** Undefined where messages are in no transactions. */
  readonly transactions?: TransactionGate | undefined
}

export interface EventHandlerConfig extends BrokerSenderConfig, IdempotenceConfig, RetrySettings {
  readonly deliveryTimeoutMs: number
  readonly compressionChoice: CompressionChoice
  readonly queueMessages: number
  readonly queueBytes: number
  readonly enqueueTimeoutMs: number
  readonly unknownTopicTimeoutMs: number
  readonly metadataRefreshIntervalMs: number
  readonly copyBytes: boolean
}

/** The queue of async mode, in front of the partitions. */
export interface LingeringQueue {
  put: AdmittedMessages
  releaseAll(): void
}

/** What a handler shares with the rest of its producer. */
export interface EventHandlerShared {
  readonly counters: StatsCounters
  readonly warnings: Warnings
  readonly turn: TurnBudget
  /**
   * Where admitted messages wait in async mode: it hands them to {@link DefaultEventHandler.partitionAndCollate} later.
   * Undefined: they go on to their partitions at once.
   */
  readonly lingering: LingeringQueue | undefined
  readonly surroundings: Surroundings
  readonly observers: Observers
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
 *  6. {@link Outcomes} settles each batch by its partition's answer, or puts it back at the head of its queue until
 *     {@link RetryPolicy} lets it go again.
 */
export class DefaultEventHandler<K, V> implements EventHandler<K, V> {
  private readonly serializer: CallSerializer<K, V>
  private readonly line: EncoderLine
  private readonly room: Room
  private readonly admission: Admission
  private readonly policy: RetryPolicy
  private readonly calls: OutstandingCalls
  private readonly earlyEnds: EarlyEnds
  private readonly reasons: WaitReasons
  private readonly longWaits: LongWaits
  private readonly sendClock: SendClock
  /** The newest call of those that messages of async mode share. */
  private sharedCall: SharedCall | undefined
  private readonly topics: TopicRouter
  private readonly outcomes: Outcomes
  private readonly senderParts: SenderParts
  private readonly intake: ListIntake
  private readonly senders = new Map<number, BrokerSender>()
  private readonly failures: Failures
  private isClosed = false
  private readonly transactions: TransactionSequencing | undefined
  private readonly whenDrained: (() => void)[] = []
  /** One function for all calls. */
  private readonly onDone = (call: MessageCall) => this.finished(call)

  constructor(
    private readonly parts: EventHandlerParts<K, V>,
    private readonly config: EventHandlerConfig,
    private readonly shared: EventHandlerShared,
  ) {
    const { counters, warnings, turn, lingering, surroundings, observers } = shared
    const { clock } = surroundings
    this.sendClock = new SendClock(clock)
    this.failures = new Failures(counters, observers)
    const { topicPartitionInfos, producerPool, partitioner } = parts
    const { compressionChoice: compression, deliveryTimeoutMs } = config
    const release = (freed: Freed) => this.room.release(freed)
    const enlist = (queue: PartitionQueue) => this.topics.mayHaveToSend(queue)
    this.serializer = new CallSerializer(
      new Serializer(parts.encoder, parts.keyEncoder, partitioner.keyUse, config.copyBytes),
      turn,
      counters,
    )
    this.room = new Room(config.queueMessages, config.queueBytes, () => {
      this.admission.onRoom()
      if (this.room.messages === 0) for (const resolve of this.whenDrained.splice(0)) resolve()
    })
    this.policy = new RetryPolicy(config, surroundings)
    this.line = new EncoderLine((messages) => this.admission.submit(messages))
    this.reasons = new WaitReasons({
      topicPartitionInfos,
      senders: this.senders,
      topic: (name) => this.topics.get(name),
      joiningBy: (queue) => this.transactions?.joiningBy(queue),
    })
    this.longWaits = new LongWaits({
      clock,
      oldest: () => this.calls.first,
      reasonOf: (at) => this.reasons.of(at),
      warn: (message, cause) => warnings.warn('KAFKA_PRODUCER_MESSAGES_WAIT', message, cause),
    })
    const connections = {
      retain: () => {
        producerPool.retain()
        this.longWaits.watch()
      },
      release: () => producerPool.release(),
    }
    this.calls = new OutstandingCalls(deliveryTimeoutMs, connections, (calls) => this.earlyEnds.expire(calls), clock)
    this.transactions =
      parts.transactions &&
      new TransactionSequencing({
        gate: parts.transactions,
        giveUp: (queue, cause) => this.outcomes.giveUp(queue, cause),
        enlist,
      })
    const sequencing: Sequencing =
      this.transactions ??
      new Idempotence(config, {
        counters,
        pacing: this.policy,
        isNeeded: () => this.room.messages > 0,
        warn: (message, cause) => warnings.warn('KAFKA_PRODUCER_NOT_IDEMPOTENT', message, cause),
        clusterId: () => topicPartitionInfos.clusterId,
        onOtherCluster: () => this.startOver(),
      })
    if (sequencing.isTransactional) counters.idempotent = true
    this.outcomes = new Outcomes({
      idempotence: sequencing,
      clock,
      topicPartitionInfos,
      policy: this.policy,
      counters,
      observers,
      compression,
      release,
      enlist,
    })
    this.topics = new TopicRouter({
      ...parts,
      clock,
      compression,
      policy: this.policy,
      unknownTopicTimeoutMs: config.unknownTopicTimeoutMs,
      room: this.room,
      counters,
      turn,
      enlist: (queue) => this.enlist(queue),
      fail: (message, cause) => this.fail(message, cause),
      giveUp: (queue, cause) => this.outcomes.giveUp(queue, cause),
      keeps: (identity) => sequencing.keeps(identity),
      leave: (identity) => sequencing.leave(identity),
    })
    const thinning = new Thinning({
      room: this.room,
      topics: this.topics,
      turn,
      lacksRoom: () => this.admission.lacksRoom,
      goOn: (queue) => this.outcomes.goOn(queue),
    })
    this.admission = new Admission({
      clock,
      room: this.room,
      turn,
      enqueueTimeoutMs: config.enqueueTimeoutMs,
      topics: this.topics,
      admit: (messages, from, to) =>
        lingering === undefined ? this.partitionAndCollate(messages, from, to) : lingering.put(messages, from, to),
      isEnding: (owner) => this.earlyEnds.isEnding(owner),
      refuse: (message, cause) => this.refuse(message, cause),
      onWaiting: (isNews) => {
        const { messages, bytes } = this.room
        // Nobody waits where it is refused at once.
        if (isNews && observers.wantsEvents && config.enqueueTimeoutMs !== 0)
          observers.happened({ type: 'queue-full', messages, bytes })
        lingering?.releaseAll()
        thinning.thinAll()
      },
    })
    const causesOfDelay = () => new DeadlineErrors(deliveryTimeoutMs, this.reasons)
    const endings = new Endings({
      clock,
      failures: this.failures,
      turn,
      thin: (batch) => thinning.thin(batch),
      dropped: (message) => {
        this.room.leave(message)
        this.topics.noteEnded(message)
      },
      onEnded: () => {
        for (const sender of this.senders.values()) sender.giveUpUnneeded()
        // Some of them may have stood in line.
        this.admission.pump()
      },
    })
    this.earlyEnds = new EarlyEnds({ clock, endings, deliveryTimeoutMs, causesOfDelay })
    this.intake = new ListIntake({
      clock,
      turn,
      failures: this.failures,
      calls: this.calls,
      line: this.line,
      earlyEnds: this.earlyEnds,
      serializer: this.serializer,
      serialize: (call) => this.serialize(call.sent as readonly KeyedMessage<K, V>[], call),
      isClosed: () => this.isClosed,
    })
    this.senderParts = {
      clock,
      pool: producerPool,
      turn,
      preparation: new Preparation({
        clock,
        compression,
        failures: this.failures,
        turn,
        deliveryTimeoutMs,
        codecTimeoutMs: Math.min(config.requestTimeoutMs, deliveryTimeoutMs / 2),
        codecFailed: (codec, error) => warnings.codecFailed(codec, error),
        whyLate: (batch) => causesOfDelay().of(batch),
        unnumber: (queue) => this.outcomes.unnumber(queue),
        thin: (batch) => this.outcomes.thin(batch),
      }),
      outcomes: this.outcomes,
      observers,
      idempotence: sequencing,
      transactions: this.transactions,
      topicId: (topic) => this.topics.get(topic)?.metadata?.id ?? null,
      metadataGeneration: () => topicPartitionInfos.generation,
      onAnswered: () => this.room.tell(),
    }
    topicPartitionInfos.listen({
      onBrokers: (brokers) => producerPool.updateProducers(brokers),
      onTopics: (topics, isAnswer) => this.onTopics(topics, isAnswer),
      onIdleCheck: (idleSince) => this.topics.forgetIdle(idleSince),
      isInUse: (topic) => this.topics.get(topic) !== undefined,
    })
  }

  handle(given: Given<K, V>, options?: SendOptions, instead?: Replacement): Promise<RecordMetadata[]> {
    try {
      // Most sends are of one message and no more: a short way, which V8 makes one function with what calls it.
      return options === undefined && !isList(given)
        ? this.handleOne([given], false, this.sendClock.now(), instead, undefined)
        : this.handleListed(given, options, instead)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Lists, and whatever comes with options. */
  private handleListed(
    given: Given<K, V>,
    options: SendOptions | undefined,
    instead: Replacement | undefined,
  ): Promise<RecordMetadata[]> {
    const signal = signalOfSend(options)
    if (signal?.aborted) return Promise.reject(abortedBy(signal))
    const inList = isList(given)
    const messages = inList ? given : [given]
    if (messages.length === 0) return Promise.resolve([])
    const sentAt = this.sendClock.now()
    const stream = takenFromStream(options, instead?.messages ?? messages)
    if (messages.length === 1 && signal === undefined) return this.handleOne(messages, inList, sentAt, instead, stream)
    const call = new SendCall(messages, inList, sentAt, signal, this.onDone, instead, stream)
    this.intake.takeInAll(call)
    return call.promise
  }

  private handleOne(
    messages: readonly KeyedMessage<K, V>[],
    inList: boolean,
    sentAt: SendMoment,
    instead: Replacement | undefined,
    stream: PatientOptions | undefined,
  ): Promise<RecordMetadata[]> {
    const message = messages[0] as KeyedMessage<K, V>
    const place = inList ? (stream?.before ?? 0) : undefined
    const encoded = this.serializer.serializeOne((instead?.messages[0] ?? message) as KeyedMessage<K, V>, place)
    this.checkOpen()
    if (encoded instanceof OutgoingMessage) {
      const call = new SingleCall(message, inList, encoded, sentAt, this.onDone, stream !== undefined)
      this.calls.add(call)
      if (this.line.isEmpty && this.admission.takeRoomNow(encoded)) this.admission.admitNow(encoded)
      else this.line.pass([encoded])
      return call.promise
    }
    const call = new SendCall(messages, inList, sentAt, undefined, this.onDone, instead, stream)
    this.intake.takeIn(call, this.serializer.handOver(encoded, call))
    return call.promise
  }

  /** Async mode: settles when the messages are queued or refused; their fates are reported. */
  enqueue(given: Given<K, V>, reporter: DeliveryReporter, options?: SendOptions, instead?: Replacement): Promise<void> {
    try {
      // As in handle().
      return options === undefined && !isList(given) && instead === undefined
        ? this.enqueueOne([given], false, reporter, this.sendClock.now(), undefined, undefined)
        : this.enqueueListed(given, reporter, options, instead)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  private enqueueListed(
    given: Given<K, V>,
    reporter: DeliveryReporter,
    options: SendOptions | undefined,
    instead: Replacement | undefined,
  ): Promise<void> {
    const signal = signalOfSend(options)
    if (signal?.aborted) return Promise.reject(abortedBy(signal))
    const inList = isList(given)
    const messages = inList ? given : [given]
    if (messages.length === 0) return Promise.resolve()
    const sentAt = this.sendClock.now()
    const stream = takenFromStream(options, instead?.messages ?? messages)
    if (messages.length === 1 && signal === undefined && instead?.acknowledged === undefined)
      return this.enqueueOne(messages, inList, reporter, sentAt, instead, stream)
    const call = new QueueCall(messages, inList, sentAt, signal, this.onDone, reporter, instead, stream)
    this.intake.takeInAll(call)
    return call.queued()
  }

  /** Mostly one message is encoded and has room at once: then it needs no call of its own. */
  private enqueueOne(
    messages: readonly KeyedMessage<K, V>[],
    inList: boolean,
    reporter: DeliveryReporter,
    sentAt: SendMoment,
    instead: Replacement | undefined,
    stream: PatientOptions | undefined,
  ): Promise<void> {
    const message = messages[0] as KeyedMessage<K, V>
    const place = inList ? (stream?.before ?? 0) : undefined
    const encoded = this.serializer.serializeOne((instead?.messages[0] ?? message) as KeyedMessage<K, V>, place)
    this.checkOpen()
    if (encoded instanceof OutgoingMessage && this.line.isEmpty && this.admission.takeRoomNow(encoded)) {
      let call = this.sharedCall
      if (call?.isOpenAt(sentAt) !== true) {
        call = this.sharedCall = new SharedCall(sentAt, this.onDone, reporter)
        this.calls.add(call)
      }
      call.join(message, encoded)
      this.admission.admitNow(encoded)
      return QUEUED
    }
    const call = new QueueCall(messages, inList, sentAt, undefined, this.onDone, reporter, instead, stream)
    this.intake.takeIn(call, this.serializer.handOver(encoded, call))
    return call.queued()
  }

  private checkOpen(): void {
    if (this.isClosed) throw new ProducerClosedError()
  }

  /** Checks and encodes all messages of a call: see {@link CallSerializer}. */
  serialize(messages: readonly KeyedMessage<K, V>[], call: ListCall): OutgoingMessage[] | Promise<OutgoingMessage[]> {
    return this.serializer.serialize(messages, call)
  }

  /** Appends messages to their partitions' queues, or lets them wait for the metadata of their topic. */
  partitionAndCollate(messages: readonly OutgoingMessage[], from: number, to: number): void {
    this.topics.place(messages, from, to)
  }

  /** A message is to linger: it holds no more room than it comes to. */
  measure(message: OutgoingMessage): void {
    this.room.measure(message)
  }

  /** Puts a partition on its leader's list. */
  private enlist(queue: PartitionQueue): void {
    let sender = this.senders.get(queue.leader)
    if (sender === undefined) {
      sender = new BrokerSender(queue.leader, this.config, this.senderParts)
      this.senders.set(queue.leader, sender)
    }
    sender.enlist(queue)
  }

  /** In another cluster nothing is found by the sequences that there are, or what others have sent. */
  private startOver(): void {
    for (const queue of this.topics.queues()) {
      if (queue.isInFlight) queue.leaveCluster()
      else this.outcomes.unnumber(queue)
    }
  }

  /** Whether messages wait for the metadata of a topic. */
  isWaitingFor(topic: string): boolean {
    return this.topics.get(topic)?.needsMetadata === true
  }

  private onTopics(updates: readonly TopicMetadata[], isAnswer: boolean): void {
    this.topics.update(updates, isAnswer)
    const names = updates.map(({ topic }) => topic)
    tellUser(this.parts.partitioner.onMetadataRefresh, names, (error) =>
      this.shared.warnings.threw("the partitioner's onMetadataRefresh", error),
    )
    this.admission.pump()
  }

  // How messages end before an answer says so.

  private fail(message: OutgoingMessage, cause: KafkaProducerError): void {
    const { topic, namedPartition: partition, owner, index } = message
    // Of what found no room it was told already.
    if (cause instanceof QueueFullError) this.shared.counters.failed++
    else this.failures.add({ topic, partition, attempts: 0 }, cause)
    const error = new DeliveryError(cause, { topic, partition, attempts: 0, mayHaveBeenWritten: false })
    owner.settle(index, error, this.shared.surroundings.clock.now())
  }

  private refuse(message: OutgoingMessage, cause: KafkaProducerError): void {
    if (cause instanceof QueueFullError)
      this.shared.observers.happened({ type: 'dropped', topic: message.topic, error: cause })
    this.fail(message, cause)
  }

  /** Fails what is not written yet with this cause; what is under way goes on to its true fate. */
  takeOut(cause: KafkaProducerError): void {
    this.earlyEnds.takeOut(this.calls.all(), cause)
    for (const sender of this.senders.values()) sender.wake()
  }

  /** Resolves when nothing is held any more: no message waits, and no broker owes an answer for one. */
  drained(): Promise<void> {
    if (this.room.messages === 0) return Promise.resolve()
    return new Promise((resolve) => this.whenDrained.push(resolve))
  }

  private finished(call: MessageCall): void {
    this.calls.done(call)
    if (this.config.metadataRefreshIntervalMs === 0) {
      this.parts.topicPartitionInfos.refresh({ isDue: true }).catch(() => undefined)
    }
  }

  /** Messages and bytes waiting or in flight now. */
  get held(): { readonly messages: number; readonly bytes: number } {
    return this.room
  }

  /** Whether messages wait to be taken in where the last ones of this stream went, so that it had better hold back. */
  hasLineFor({ sent }: PatientOptions): boolean {
    const { admission } = this
    return admission.hasLine || (admission.hasAside && [...topicsOf(sent)].some((topic) => admission.isAside(topic)))
  }

  /** Calls back in the next turn, and says so, where messages wait for that and not for room. */
  awaitTurn(goOn: () => void): boolean {
    if (!this.admission.waitsForTurn) return false
    this.shared.turn.inNextTurn(goOn)
    return true
  }

  /** Resolves when every call made so far has its fate. */
  settledSoFar(): Promise<void> {
    // What comes later is no concern of who waits now.
    this.sharedCall = undefined
    return this.calls.settledSoFar()
  }

  /** @param withinMs what its caller was told to wait, of which `timeoutMs` are left */
  async close(
    timeoutMs: number,
    last?: (timeLeftMs: number) => Promise<void>,
    withinMs = timeoutMs,
  ): Promise<KeyedMessage<K, V>[]> {
    this.isClosed = true
    const { clock } = this.shared.surroundings
    const endsAt = clock.now() + timeoutMs
    let timer: Timer | undefined
    const late = new Promise<void>((resolve) => (timer = clock.setTimeout(resolve, timeoutMs)))
    await Promise.race([this.settledSoFar(), late])
    clock.clearTimeout(timer)
    const cause = new ProducerClosedError(`the producer was closed, and did not wait longer than ${withinMs} ms`)
    this.admission.close()
    for (const sender of this.senders.values()) sender.stop()
    const unsent = await this.earlyEnds.close<KeyedMessage<K, V>>(this.calls.all(), cause)
    // Not before: what is called off would fail messages that have not been given back yet.
    this.policy.close()
    this.parts.topicPartitionInfos.close()
    await this.settledSoFar()
    this.calls.close()
    this.longWaits.close()
    for (const sender of this.senders.values()) sender.close()
    await last?.(endsAt - clock.now())
    await this.parts.producerPool.close(SOCKET_GRACE_MS)
    return unsent
  }
}

/** The options of the stream that gives these messages, and waits for room as long as it takes; undefined where none does. */
function takenFromStream(options: SendOptions | undefined, sent: readonly KeyedMessage[]): PatientOptions | undefined {
  if (!(options instanceof PatientOptions)) return undefined
  options.noteSent(sent)
  return options
}
