import type { Clock } from '../../clock.js'
import { BrokerResponseError, InvalidMessageError, KafkaProducerError } from '../../errors.js'
import { brokerResponseError, ErrorCodes } from '../../protocol/error-codes.js'
import type { Identity } from '../../protocol/records/record-batch.js'
import { ChangedBytesError } from '../../protocol/records/record-writer.js'
import type { StatsCounters } from '../../stats/producer-stats.js'
import { ownCopy } from '../../topic-name.js'
import type { TurnBudget } from '../../turn-budget.js'
import { reasonOf } from '../../wording/kind-of.js'
import type { BrokerPartitionInfo } from '../brokers/broker-partition-info.js'
import type { TopicMetadata } from '../brokers/topic-metadata.js'
import type { ResolvedPartitioner } from '../partitioners/partitioner-by-name.js'
import { BatchBuffers } from './batch-buffers.js'
import { MetadataWatch } from './metadata-watch.js'
import type { OutgoingMessage } from './outgoing-message.js'
import type { PartitionQueue } from './partition-queue.js'
import { Refusals } from './refusals.js'
import type { RetryPolicy } from './retry-policy.js'
import type { Room } from './room.js'
import type { CompressionChoice } from './topic-compression.js'
import { TopicQueue } from './topic-queue.js'

/** The clock is read once for so many messages. */
const RUN = 64

/**
 * For so long brokers may say that there is no such partition: one that was just added they hear of one after the other. No longer,
 * since mostly it is a mistake.
 */
const NEW_PARTITION_MS = 1_000

export interface TopicRouterParts {
  readonly clock: Clock
  readonly partitioner: ResolvedPartitioner
  readonly topicPartitionInfos: BrokerPartitionInfo
  readonly compression: CompressionChoice
  readonly policy: RetryPolicy
  readonly deliveryTimeoutMs: number
  /** How long brokers may say that a topic does not exist; negative: as long as they like. */
  readonly unknownTopicTimeoutMs: number
  readonly room: Room
  readonly counters: StatsCounters
  readonly turn: TurnBudget
  /** Lets a partition send, whose leader is known. */
  readonly enlist: (queue: PartitionQueue) => void
  /** Tells a message that has no batch that it failed. */
  readonly fail: (message: OutgoingMessage, cause: KafkaProducerError) => void
  /** Fails what a partition has in batches. */
  readonly giveUp: (queue: PartitionQueue, cause: KafkaProducerError) => void
  /** Whether batches go on under this identity, so that their sequences can't be forgotten with their topic. */
  readonly keeps: (identity: Identity) => boolean
  /** Sequences under this identity are forgotten: it can't be used any longer. */
  readonly leave: (identity: Identity) => void
}

/**
 * The topics that were sent to, and the way of a message into the queue of its partition: at once where the topic's
 * metadata is there, else when it comes, in the order given.
 */
export class TopicRouter {
  private readonly topics = new Map<string, TopicQueue>()
  /** Of the message that was placed last. */
  private latest: TopicQueue | undefined
  private readonly buffers = new BatchBuffers()
  private readonly watch: MetadataWatch
  private readonly refusals: Refusals
  /** Since when messages wait for the partition that they name. */
  private readonly lackingSince = new WeakMap<OutgoingMessage, number>()

  constructor(private readonly parts: TopicRouterParts) {
    this.refusals = new Refusals(parts.turn, (message, cause) => this.refuse(message, cause))
    this.watch = new MetadataWatch(parts.topicPartitionInfos, parts.policy, (topic, cause) => this.giveUp(topic, cause))
  }

  get(name: string): TopicQueue | undefined {
    return this.topics.get(name)
  }

  /** The partitions of all topics. */
  *queues(): Iterable<PartitionQueue> {
    for (const { queues } of this.topics.values()) yield* queues
  }

  /** Whether there is metadata of any topic. */
  get knowsAny(): boolean {
    return this.parts.topicPartitionInfos.knowsAny
  }

  /** Whether messages for the topic would have to wait for its metadata. */
  isUnknown(name: string): boolean {
    return !(this.topics.get(name)?.hasMetadata ?? this.parts.topicPartitionInfos.topic(name) !== undefined)
  }

  /** Takes the messages `from` a place up to but not including another. */
  place(messages: readonly OutgoingMessage[], from: number, to: number): void {
    const { room, counters } = this.parts
    let topic: TopicQueue | undefined
    let areSomeRefused = false
    for (let i = from; i < to; i++) {
      const message = messages[i] as OutgoingMessage
      if (message.isSettled) continue
      if (topic?.name !== message.topic) topic = this.find(message)
      counters.messages++
      if (topic.canPlace) {
        // A partitioner is the user's: whatever it did, the topic is looked up anew.
        if (!this.append(topic, message)) {
          topic = undefined
          areSomeRefused = true
        }
        counters.bytes += message.room ?? 0
      } else {
        room.measure(message)
        topic.wait(message)
        this.watch.await(topic)
        counters.bytes += message.exactBytes()
      }
    }
    if (areSomeRefused) this.refusals.tell()
  }

  /** The topic of a message that is about to be placed: mostly that of the one before. */
  private find({ topic: name, owner }: OutgoingMessage): TopicQueue {
    const known = this.latest?.name === name ? this.latest : this.topics.get(name)
    if (known?.isGone === true) this.forget(known)
    // One whose sequences go on is not forgotten: under the same identity others would be taken for those sent before.
    const topic = (known?.isGone === true ? this.topics.get(name) : known) ?? this.add(ownCopy(name))
    topic.usedAt = owner.sentAt.at
    return (this.latest = topic)
  }

  private add(name: string): TopicQueue {
    const { topicPartitionInfos, partitioner, compression } = this.parts
    const topic = new TopicQueue(name, partitioner, compression.limitOf(name), this.buffers)
    this.topics.set(name, topic)
    const known = topicPartitionInfos.topic(name)
    if (known !== undefined) topic.update(known, this.parts.clock.now())
    return topic
  }

  /**
   * Appends a message to the queue of its partition. False where it can't be placed, or has ended meanwhile: it may be among
   * the refusals, which whoever calls this has told at the end.
   *
   * @param askedAt when the topic's metadata was asked for; undefined where that was not for what waits
   */
  private append(topic: TopicQueue, message: OutgoingMessage, askedAt?: number): boolean {
    if (topic.lacksPartitionOf(message) && !this.isLacked(message, askedAt)) {
      // The topic may have been given more since.
      this.parts.room.measure(message)
      topic.waitForPartition(message)
      this.watch.await(topic)
      return true
    }
    const { room } = this.parts
    let queue: PartitionQueue
    let bytes: number
    try {
      queue = topic.queueFor(message)
      // Its partitioner may have ended it, or closed the producer.
      if (message.isSettled) return false
      bytes = queue.append(message)
    } catch (error) {
      this.refusals.add([message], 0, error instanceof KafkaProducerError ? error : notWritten(error))
      return false
    }
    room.placed(message, bytes)
    this.mayHaveToSend(queue)
    return true
  }

  /** Whether brokers have had the time to hear of its partition, if that was just added: it may have lingered long before. */
  private isLacked(message: OutgoingMessage, askedAt: number | undefined): boolean {
    const { clock, deliveryTimeoutMs } = this.parts
    const since = this.lackingSince.get(message)
    if (since === undefined) this.lackingSince.set(message, clock.now())
    if (since === undefined || askedAt === undefined) return false
    return askedAt - since >= Math.min(NEW_PARTITION_MS, deliveryTimeoutMs / 2)
  }

  /** Something is in a partition's queue, or may be. */
  mayHaveToSend(queue: PartitionQueue): void {
    if (queue.leader >= 0) {
      if (queue.wantsToBeListed) this.parts.enlist(queue)
      return
    }
    const its = this.topics.get(queue.topic)
    if (its !== undefined && !queue.isEmpty) this.watch.await(its)
  }

  /**
   * Takes over new metadata.
   *
   * @param askedAt when a broker was asked for it, which may be long ago where this process stood still; undefined where none was
   */
  update(updates: readonly TopicMetadata[], askedAt: number | undefined): void {
    for (const metadata of updates) {
      const topic = this.topics.get(metadata.topic)
      if (topic !== undefined) this.updateTopic(topic, metadata, askedAt)
    }
  }

  private updateTopic(topic: TopicQueue, metadata: TopicMetadata, askedAt: number | undefined): void {
    const now = this.parts.clock.now()
    topic.update(metadata, now)
    const { error } = metadata
    if (error === undefined) {
      this.placeWaiting(topic, askedAt)
      for (const queue of topic.queues) if (!queue.isEmpty) this.mayHaveToSend(queue)
    } else if (!error.retriable) {
      this.refuseAll(topic.takeWaiting(), error)
    } else {
      const unknownForMs = topic.unknownForMs(askedAt ?? now)
      if (this.isTooLong(unknownForMs)) {
        this.parts.topicPartitionInfos.noteRefused()
        this.refuseAll(topic.takeWaiting(), doesNotExist(topic, unknownForMs))
      }
    }
    if (topic.isGone) this.forget(topic)
    else if (topic.needsMetadata) this.watch.await(topic)
  }

  private isTooLong(unknownForMs: number | undefined): unknownForMs is number {
    const { unknownTopicTimeoutMs } = this.parts
    return unknownForMs !== undefined && unknownTopicTimeoutMs >= 0 && unknownForMs >= unknownTopicTimeoutMs
  }

  /** Places what waited for the metadata; what comes meanwhile waits behind it. */
  private placeWaiting(topic: TopicQueue, askedAt: number | undefined): void {
    if (!topic.canPlaceWaiting) return
    const { turn } = this.parts
    const waiting = topic.beginPlacing()
    let next = 0
    while (next < waiting.length) {
      const message = waiting[next++] as OutgoingMessage
      if (!message.isSettled) this.append(topic, message, askedAt)
      if (next % RUN === 0 && turn.isSpent) break
    }
    const areSomeLeft = topic.endPlacing(waiting.slice(next))
    this.refusals.tell()
    if (!areSomeLeft) return
    turn.inNextTurn(() => this.placeWaiting(topic, askedAt))
  }

  /** No metadata will come: what waits for them fails. */
  private giveUp(topic: TopicQueue, cause: KafkaProducerError): void {
    this.refuseAll(topic.takeWaiting(), cause)
    for (const queue of topic.queues) if (queue.leader < 0) this.parts.giveUp(queue, cause)
    if (topic.isGone) this.forget(topic)
  }

  /** Who hears of one may end the others. */
  private refuseAll(messages: readonly OutgoingMessage[], cause: KafkaProducerError): void {
    this.refusals.add(messages, 0, cause)
    this.refusals.tell()
  }

  private refuse(message: OutgoingMessage, cause: KafkaProducerError): void {
    this.parts.room.leave(message)
    this.parts.fail(message, cause)
  }

  /** A message got its fate before it had a batch. */
  noteEnded(message: OutgoingMessage): void {
    const topic = this.topics.get(message.topic)
    if (topic === undefined) return
    topic.noteEnded(message)
    if (topic.isGone) this.forget(topic)
  }

  /** In another cluster no topic was seen yet: those that something waits for may be created there. */
  forgetSeen(): void {
    for (const topic of this.topics.values()) topic.forgetSeen()
  }

  /** Forgets the topics that nobody has sent to since then, and in which nothing is under way. */
  forgetIdle(idleSince: number): void {
    for (const topic of this.topics.values()) if (topic.usedAt <= idleSince && topic.isEmpty) this.forget(topic)
  }

  private forget(topic: TopicQueue): void {
    const { name } = topic
    // There may be another of the name by now.
    if (this.topics.get(name) !== topic) return
    const identities = topic.queues.flatMap(({ sequences }) => sequences.identity ?? [])
    if (identities.some((identity) => this.parts.keeps(identity))) return
    this.topics.delete(name)
    this.latest = undefined
    // What comes for it later begins at sequence 0, and would be taken for what came before.
    for (const identity of identities) this.parts.leave(identity)
    this.parts.topicPartitionInfos.forget(name)
    this.parts.compression.forget(name)
  }
}

function doesNotExist({ name }: TopicQueue, unknownForMs: number): BrokerResponseError {
  const { errorCode, code } = brokerResponseError(ErrorCodes.UNKNOWN_TOPIC_OR_PARTITION, name)
  const text = `topic '${name}' does not exist: brokers have said so for ${Math.round(unknownForMs)} ms (see unknownTopicTimeoutMs), and it is not being created`
  // Somebody may create it.
  return new BrokerResponseError(errorCode, code, text, true)
}

/** Of a message that could not be written: what threw else are bytes of a class whose `length` is its own. */
function notWritten(cause: unknown): InvalidMessageError {
  if (cause instanceof ChangedBytesError)
    return new InvalidMessageError('bytes of the message were detached or resized while it waited to be sent')
  return new InvalidMessageError(`bytes of the message can't be read any more: ${reasonOf(cause)}`, { cause })
}
