import type { KafkaProducerError } from '../../errors.js'
import type { StatsCounters } from '../../stats/producer-stats.js'
import type { TurnBudget } from '../../turn-budget.js'
import type { BrokerPartitionInfo, TopicMetadata } from '../brokers/broker-partition-info.js'
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
    this.watch = new MetadataWatch(parts.topicPartitionInfos, parts.policy, this.topics, (topic, cause) =>
      this.giveUp(topic, cause),
    )
  }

  get(name: string): TopicQueue | undefined {
    return this.topics.get(name)
  }

  /** Takes the messages `from` a place up to but not including another. */
  place(messages: readonly SerializedMessage[], from: number, to: number): void {
    const { bound, counters } = this.parts
    let topic: TopicQueue | undefined
    for (let i = from; i < to; i++) {
      const message = messages[i] as SerializedMessage
      if (message.settled) {
        if (message.isAdmitted) bound.release(1, message.bytes)
        continue
      }
      if (topic?.name !== message.topic) topic = this.topics.get(message.topic) ?? this.add(message.topic)
      counters.messages++
      counters.bytes += message.bytes
      if (topic.canPlace) {
        // A message that can't be placed is told so, and whoever hears of it may do anything, even end the topic.
        if (!this.append(topic, message)) topic = undefined
      } else {
        topic.waiting.push(message)
        if (topic.waiting.length === 1 && topic.metadata !== undefined) this.watch.start()
      }
    }
  }

  private add(name: string): TopicQueue {
    const { topicPartitionInfos, partitioner, compression } = this.parts
    const topic = new TopicQueue(name, partitioner, compression.limitOf(name))
    this.topics.set(name, topic)
    const known = topicPartitionInfos.topic(name)
    if (known !== undefined && known.error === undefined) topic.update(known)
    // A failure is no concern of its own: the watch goes on asking for as long as a message waits.
    else topicPartitionInfos.lookUp(name).catch(() => this.watch.start())
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
      this.watch.start()
      return true
    }
    let queue: PartitionQueue
    try {
      queue = topic.queueFor(message)
    } catch (error) {
      this.refuse(message, error as KafkaProducerError)
      return false
    }
    queue.append(message)
    this.mayHaveToSend(queue)
    return true
  }

  /** Something is in a partition's queue, or may be. */
  mayHaveToSend(queue: PartitionQueue): void {
    if (queue.leader < 0) this.watch.start()
    else if (queue.listedAt !== queue.leader && queue.isReady) this.parts.enlist(queue)
  }

  /** Takes over new metadata; `isAnswer` where somebody asked for it. */
  update(updates: readonly TopicMetadata[], isAnswer: boolean): void {
    for (const metadata of updates) {
      const topic = this.topics.get(metadata.topic)
      if (topic !== undefined) this.updateTopic(topic, metadata, isAnswer)
    }
    this.watch.start()
  }

  private updateTopic(topic: TopicQueue, metadata: TopicMetadata, isAnswer: boolean): void {
    topic.update(metadata)
    const { error } = metadata
    if (error === undefined) {
      this.placeWaiting(topic, isAnswer)
      for (const queue of topic.queues) if (!queue.isEmpty) this.mayHaveToSend(queue)
    } else if (!error.retriable) {
      for (const message of topic.takeWaiting()) this.refuse(message, error)
    }
    this.forgetIfGone(topic)
  }

  /** Places what waited for the metadata; what comes meanwhile waits behind it. */
  private placeWaiting(topic: TopicQueue, isFresh: boolean): void {
    if (!topic.hasMetadata || topic.isPlacing) return
    const { bound, turn } = this.parts
    const waiting = topic.takeWaiting()
    let next = 0
    topic.isPlacing = true
    while (next < waiting.length) {
      const message = waiting[next++] as SerializedMessage
      if (message.settled) bound.release(1, message.bytes)
      else this.append(topic, message, isFresh)
      if (next % RUN === 0 && turn.isSpent) break
    }
    topic.isPlacing = false
    topic.waiting = [...waiting.slice(next), ...topic.waiting]
    if (topic.waiting.length === 0) return
    turn.inNextTurn(() => this.placeWaiting(topic, isFresh))
  }

  /** No metadata will come: what waits for them fails. */
  private giveUp(topic: TopicQueue, cause: KafkaProducerError): void {
    for (const message of topic.takeWaiting()) this.refuse(message, cause)
    for (const queue of topic.queues) if (queue.leader < 0) this.parts.giveUp(queue, cause)
    // Not asked for again until somebody sends to it.
    if (topic.metadata === undefined && topic.isEmpty) this.forget(topic)
    this.parts.onRoom()
  }

  private refuse(message: SerializedMessage, cause: KafkaProducerError): void {
    this.parts.bound.release(1, message.bytes)
    this.parts.fail(message, cause)
  }

  /** Lets go of messages, at most `count`, that got their fate while they waited for a topic's metadata. */
  dropSettled(topic: TopicQueue, count: number): void {
    for (const message of topic.dropSettledWaiting(count)) this.parts.bound.release(1, message.bytes)
    this.forgetIfGone(topic)
  }

  /** A topic that is in error and that nobody waits for: the next message is a first look-up again, which may create it. */
  private forgetIfGone(topic: TopicQueue): void {
    if (topic.metadata?.error !== undefined && topic.isEmpty) this.forget(topic)
  }

  private forget({ name }: TopicQueue): void {
    this.topics.delete(name)
    this.parts.topicPartitionInfos.forget(name)
  }
}
