import type { KafkaProducerError } from '../../errors.js'
import type { StatsCounters } from '../../stats/producer-stats.js'
import { ownCopy } from '../../topic-name.js'
import type { TurnBudget } from '../../turn-budget.js'
import type { BrokerPartitionInfo } from '../brokers/broker-partition-info.js'
import type { TopicMetadata } from '../brokers/topic-metadata.js'
import type { ResolvedPartitioner } from '../partitioners/partitioner-by-name.js'
import type { BufferBound } from './buffer-bound.js'
import { MetadataWatch } from './metadata-watch.js'
import type { PartitionQueue } from './partition-queue.js'
import type { RetryPolicy } from './retry-policy.js'
import type { SerializedMessage } from './serialized-message.js'
import type { CompressionChoice } from './topic-compression.js'
import { TopicQueue } from './topic-queue.js'

/** The clock is read once for so many messages. */
const RUN = 64

export interface TopicQueuesParts {
  readonly partitioner: ResolvedPartitioner
  readonly topicPartitionInfos: BrokerPartitionInfo
  readonly compression: CompressionChoice
  readonly policy: RetryPolicy
  readonly bound: BufferBound
  readonly counters: StatsCounters
  readonly turn: TurnBudget
  /** Lets a partition send, whose leader is known. */
  readonly enlist: (queue: PartitionQueue) => void
  /** Tells a message that has no batch that it failed. */
  readonly fail: (message: SerializedMessage, cause: KafkaProducerError) => void
  /** Fails what a partition has in batches. */
  readonly giveUp: (queue: PartitionQueue, cause: KafkaProducerError) => void
  /** Called when room may have been given back. */
  readonly onRoom: () => void
}

/**
 * The topics that were sent to, and the way of a message into the queue of its partition: at once where the topic's
 * metadata is there, else when it comes, in the order given.
 */
export class TopicRouter {
  private readonly topics = new Map<string, TopicQueue>()
  private readonly watch: MetadataWatch

  constructor(private readonly parts: TopicQueuesParts) {
    this.watch = new MetadataWatch(parts.topicPartitionInfos, parts.policy, (topic, cause) => this.giveUp(topic, cause))
  }

  get(name: string): TopicQueue | undefined {
    return this.topics.get(name)
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
  place(messages: readonly SerializedMessage[], from: number, to: number): void {
    const { counters, onRoom } = this.parts
    let topic: TopicQueue | undefined
    let gaveRoom = false
    for (let i = from; i < to; i++) {
      const message = messages[i] as SerializedMessage
      if (message.settled) {
        if (message.isAdmitted) {
          this.giveRoomBack(message)
          gaveRoom = true
        }
        continue
      }
      if (topic?.name !== message.topic) topic = this.find(message)
      counters.messages++
      counters.bytes += message.bytes
      if (topic.canPlace) {
        // A message that can't be placed is told so, and whoever hears of it may do anything, even end the topic.
        if (!this.append(topic, message)) {
          topic = undefined
          gaveRoom = true
        }
      } else {
        topic.waiting.push(message)
        this.watch.await(topic)
      }
    }
    // Whoever waits for room may be in the midst of taking these in.
    if (gaveRoom) queueMicrotask(onRoom)
  }

  /** The topic of a message that is about to be placed. */
  private find({ topic: name, owner }: SerializedMessage): TopicQueue {
    const known = this.topics.get(name)
    const topic = known === undefined || known.isGone ? this.add(ownCopy(name)) : known
    topic.usedAt = owner.sentAt.at
    return topic
  }

  private add(name: string): TopicQueue {
    const { topicPartitionInfos, partitioner, compression } = this.parts
    const topic = new TopicQueue(name, partitioner, compression.limitOf(name))
    this.topics.set(name, topic)
    const known = topicPartitionInfos.topic(name)
    if (known !== undefined) topic.update(known)
    return topic
  }

  /**
   * False where the message has no place in the topic.
   *
   * @param isFresh whether the topic's metadata was asked for with this message in mind
   */
  private append(topic: TopicQueue, message: SerializedMessage, isFresh = false): boolean {
    if (!isFresh && topic.lacksPartitionOf(message)) {
      // The topic may have been given more since.
      topic.waitingForPartition.push(message)
      this.watch.await(topic)
      return true
    }
    let queue: PartitionQueue
    try {
      queue = topic.queueFor(message)
    } catch (error) {
      this.refuse(message, error as KafkaProducerError)
      return false
    }
    this.parts.bound.leaveShare(message)
    queue.append(message)
    this.mayHaveToSend(queue)
    return true
  }

  /** Something is in a partition's queue, or may be. */
  mayHaveToSend(queue: PartitionQueue): void {
    const { leader, listedAt, topic } = queue
    if (leader >= 0) {
      if (listedAt !== leader && queue.isReady) this.parts.enlist(queue)
      return
    }
    const its = this.topics.get(topic)
    if (its !== undefined && !queue.isEmpty) this.watch.await(its)
  }

  /** Takes over new metadata; `isAnswer` where somebody asked for it. */
  update(updates: readonly TopicMetadata[], isAnswer: boolean): void {
    for (const metadata of updates) {
      const topic = this.topics.get(metadata.topic)
      if (topic !== undefined) this.updateTopic(topic, metadata, isAnswer)
    }
  }

  private updateTopic(topic: TopicQueue, metadata: TopicMetadata, isAnswer: boolean): void {
    topic.update(metadata)
    const { error } = metadata
    if (error === undefined) {
      this.placeWaiting(topic, isAnswer)
      for (const queue of topic.queues) if (!queue.isEmpty) this.mayHaveToSend(queue)
    } else if (!error.retriable) {
      this.refuseAll(topic.takeWaiting(), error)
    }
    if (topic.isGone) this.forget(topic)
    else if (topic.needsMetadata) this.watch.await(topic)
  }

  /** Places what waited for the metadata; what comes meanwhile waits behind it. */
  private placeWaiting(topic: TopicQueue, isFresh: boolean): void {
    if (!topic.hasMetadata || topic.isPlacing) return
    const { turn, onRoom } = this.parts
    const waiting = topic.takeWaiting()
    let next = 0
    topic.isPlacing = true
    while (next < waiting.length) {
      const message = waiting[next++] as SerializedMessage
      if (message.settled) this.giveRoomBack(message)
      else this.append(topic, message, isFresh)
      if (next % RUN === 0 && turn.isSpent) break
    }
    topic.isPlacing = false
    topic.waiting = [...waiting.slice(next), ...topic.waiting]
    if (topic.waiting.length === 0) return
    turn.inNextTurn(() => {
      this.placeWaiting(topic, isFresh)
      onRoom()
    })
  }

  /** No metadata will come: what waits for them fails. */
  private giveUp(topic: TopicQueue, cause: KafkaProducerError): void {
    this.refuseAll(topic.takeWaiting(), cause)
    for (const queue of topic.queues) if (queue.leader < 0) this.parts.giveUp(queue, cause)
    if (topic.isGone) this.forget(topic)
    this.parts.onRoom()
  }

  /** Who hears of one may end the others. */
  private refuseAll(messages: readonly SerializedMessage[], cause: KafkaProducerError): void {
    for (const message of messages) {
      if (message.settled) this.giveRoomBack(message)
      else this.refuse(message, cause)
    }
  }

  private refuse(message: SerializedMessage, cause: KafkaProducerError): void {
    this.giveRoomBack(message)
    this.parts.fail(message, cause)
  }

  private giveRoomBack(message: SerializedMessage): void {
    const { bound } = this.parts
    bound.leaveShare(message)
    bound.release(1, message.bytes)
  }

  /** Lets go of messages, at most `count`, that got their fate while they waited for a topic's metadata. */
  dropSettled(topic: TopicQueue, count: number): void {
    for (const message of topic.dropSettledWaiting(count)) this.giveRoomBack(message)
    if (topic.isGone) this.forget(topic)
  }

  /** Forgets the topics that nobody has sent to since then, and in which nothing is under way. */
  forgetIdle(idleSince: number): void {
    for (const topic of this.topics.values()) if (topic.usedAt <= idleSince && topic.isEmpty) this.forget(topic)
  }

  private forget(topic: TopicQueue): void {
    const { name } = topic
    // There may be another of the name by now.
    if (this.topics.get(name) !== topic) return
    this.topics.delete(name)
    this.parts.topicPartitionInfos.forget(name)
    this.parts.compression.forget(name)
  }
}
