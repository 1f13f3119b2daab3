import { Failures } from '../stats/failures.js'
import type { Observers } from '../stats/observer.js'
import type { StatsCounters } from '../stats/producer-stats.js'
import type { Surroundings } from '../surroundings.js'
import type { TurnBudget } from '../turn-budget.js'
import type { BrokerPartitionInfo } from './brokers/broker-partition-info.js'
import type { ProducerPool } from './brokers/producer-pool.js'
import { Admission, type AdmittedMessages } from './calls/admission.js'
import { CallSerializer } from './calls/call-serializer.js'
import { EarlyEnds } from './calls/early-ends.js'
import { EncoderLine } from './calls/encoder-line.js'
import { Endings } from './calls/endings.js'
import { ListIntake } from './calls/list-intake.js'
import { OutstandingCalls } from './calls/outstanding-calls.js'
import { Serializer } from './calls/serializer.js'
import { UnplacedMessages } from './calls/unplaced-messages.js'
import type { Encoder } from './encoder.js'
import type { KeyedMessage } from './messages/keyed-message.js'
import type { Warnings } from './observing/kafka-producer-warning.js'
import { LongWaits } from './observing/long-waits.js'
import { tellUser } from './observing/tell-user.js'
import type { ResolvedPartitioner } from './partitioners/partitioner-by-name.js'
import type { PartitionQueue } from './queues/partition-queue.js'
import { RetryPolicy, type RetrySettings } from './queues/retry-policy.js'
import { Room } from './queues/room.js'
import { Thinning } from './queues/thinning.js'
import type { CompressionChoice } from './queues/topic-compression.js'
import { TopicRouter } from './queues/topic-router.js'
import type { BrokerSenderConfig } from './sending/broker-sender.js'
import { DeadlineErrors } from './sending/deadline-errors.js'
import { Idempotence, type IdempotenceConfig, type Sequencing } from './sending/idempotence.js'
import { Outcomes } from './sending/outcomes.js'
import { Preparation } from './sending/preparation.js'
import { Senders } from './sending/senders.js'
import { TransactionSequencing } from './sending/transaction-sequencing.js'
import { WaitReasons } from './sending/wait-reasons.js'
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

/**
 * What the path of a message is made of, and what each part needs to be told by the others: they know functions, and not each
 * other. {@link DefaultEventHandler} tells how a message goes through them.
 */
export class PathParts<K, V> {
  readonly serializer: CallSerializer<K, V>
  readonly line: EncoderLine
  readonly intake: ListIntake
  readonly calls: OutstandingCalls
  readonly admission: Admission
  readonly room: Room
  readonly topics: TopicRouter
  readonly senders: Senders
  readonly policy: RetryPolicy
  readonly earlyEnds: EarlyEnds
  readonly longWaits: LongWaits
  private readonly outcomes: Outcomes

  /** @param isClosed whether no more calls are taken in */
  constructor(
    parts: EventHandlerParts<K, V>,
    config: EventHandlerConfig,
    shared: EventHandlerShared,
    isClosed: () => boolean,
  ) {
    const { counters, warnings, turn, lingering, surroundings, observers } = shared
    const { clock } = surroundings
    const failures = new Failures(counters, observers)
    const unplaced = new UnplacedMessages({ clock, counters, observers, failures })
    const { topicPartitionInfos, producerPool, partitioner } = parts
    const { deliveryTimeoutMs } = config
    const compression = config.compressionChoice.anew()
    this.serializer = new CallSerializer(
      new Serializer(parts.encoder, parts.keyEncoder, partitioner.keyUse, config.copyBytes),
      turn,
      counters,
    )
    this.room = new Room(config.queueMessages, config.queueBytes, () => this.admission.onRoom())
    this.policy = new RetryPolicy(config, surroundings)
    this.line = new EncoderLine((messages) => this.admission.submit(messages))
    const reasons = new WaitReasons({
      topicPartitionInfos,
      sender: (brokerId) => this.senders.get(brokerId),
      topic: (name) => this.topics.get(name),
      joiningBy: (queue) => transactions?.joiningBy(queue),
    })
    this.longWaits = new LongWaits({
      clock,
      oldest: () => this.calls.first,
      reasonOf: (at) => reasons.of(at),
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
    const transactions =
      parts.transactions &&
      new TransactionSequencing({
        gate: parts.transactions,
        clusterId: () => topicPartitionInfos.clusterId,
        giveUp: (queue, cause) => this.outcomes.giveUp(queue, cause),
        enlist: (queue) => enlist(queue),
      })
    const enlist = (queue: PartitionQueue) => {
      if (transactions?.givesUp(queue) !== true) this.topics.mayHaveToSend(queue)
    }
    const sequencing: Sequencing =
      transactions ??
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
      release: (freed) => this.room.release(freed),
      enlist,
    })
    this.topics = new TopicRouter({
      ...parts,
      clock,
      compression,
      policy: this.policy,
      deliveryTimeoutMs,
      unknownTopicTimeoutMs: config.unknownTopicTimeoutMs,
      room: this.room,
      counters,
      turn,
      enlist: (queue) => this.senders.enlist(queue),
      fail: (message, cause) => unplaced.fail(message, cause),
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
        lingering === undefined ? this.topics.place(messages, from, to) : lingering.put(messages, from, to),
      isEnding: (owner) => this.earlyEnds.isEnding(owner),
      refuse: (message, cause) => unplaced.refuse(message, cause),
      onWaiting: (isNews) => {
        const { messages, bytes } = this.room
        // Nobody waits where it is refused at once.
        if (isNews && observers.wantsEvents && config.enqueueTimeoutMs !== 0)
          observers.happened({ type: 'queue-full', messages, bytes })
        lingering?.releaseAll()
        thinning.thinAll()
      },
    })
    const causesOfDelay = () => new DeadlineErrors(deliveryTimeoutMs, reasons)
    const endings = new Endings({
      clock,
      failures,
      turn,
      thin: (batch) => thinning.thin(batch),
      dropped: (message) => {
        this.room.leave(message)
        this.topics.noteEnded(message)
      },
      onEnded: () => {
        this.senders.giveUpUnneeded()
        // Some of them may have stood in line.
        this.admission.pump()
      },
    })
    this.earlyEnds = new EarlyEnds({ clock, endings, deliveryTimeoutMs, causesOfDelay })
    this.intake = new ListIntake({
      clock,
      turn,
      failures,
      calls: this.calls,
      line: this.line,
      earlyEnds: this.earlyEnds,
      serializer: this.serializer,
      serialize: (call) => this.serializer.serialize(call.sent as readonly KeyedMessage<K, V>[], call),
      isClosed,
    })
    this.senders = new Senders(config, {
      clock,
      pool: producerPool,
      turn,
      preparation: new Preparation({
        clock,
        compression,
        failures,
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
      transactions,
      topicId: (topic) => this.topics.get(topic)?.metadata?.id ?? null,
      metadataGeneration: () => topicPartitionInfos.generation,
      onAnswered: () => this.room.tell(),
    })
    topicPartitionInfos.listen({
      onBrokers: (brokers) => {
        producerPool.updateProducers(brokers)
        this.senders.keepOnly(brokers)
      },
      onOtherCluster: () => {
        this.topics.forgetSeen()
        compression.forgetRefusals()
      },
      onTopics: (updates, askedAt) => {
        this.topics.update(updates, askedAt)
        const names = updates.map(({ topic }) => topic)
        tellUser(partitioner.onMetadataRefresh, names, (error) =>
          warnings.threw("the partitioner's onMetadataRefresh", error),
        )
        this.admission.pump()
      },
      onIdleCheck: (idleSince) => this.topics.forgetIdle(idleSince),
      isInUse: (topic) => this.topics.get(topic) !== undefined,
    })
  }

  /** In another cluster nothing is found by the sequences that there are, or what others have sent. */
  private startOver(): void {
    for (const queue of this.topics.queues()) {
      if (queue.isInFlight) queue.sequences.leaveCluster()
      else this.outcomes.unnumber(queue)
    }
  }
}
