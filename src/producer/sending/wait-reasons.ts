import type { KafkaProducerError } from '../../errors.js'
import type { WaitedFor } from '../../network/stage.js'
import type { BrokerPartitionInfo } from '../brokers/broker-partition-info.js'
import { Batch, type BatchQueue } from '../queues/batch.js'
import type { OutgoingMessage } from '../queues/outgoing-message.js'
import type { TopicQueue } from '../queues/topic-queue.js'
import type { BrokerSender } from './broker-sender.js'

export interface WaitReasonsParts {
  readonly topicPartitionInfos: BrokerPartitionInfo
  readonly topic: (name: string) => TopicQueue | undefined
  readonly sender: (brokerId: number) => BrokerSender | undefined
  /** Who adds the partition to the transaction, where that is waited for. */
  readonly joiningBy: (queue: BatchQueue) => WaitedFor | undefined
}

/** Why messages wait, at this moment. */
export interface WaitReason extends WaitedFor {
  readonly topic: string
  /** Whether something is wrong; else it is just not its turn yet, or its answer is under way. */
  readonly isTrouble: boolean
}

/** Finds out what a message waits for: metadata, a leader, a connection, an answer, or its turn. */
export class WaitReasons {
  constructor(private readonly parts: WaitReasonsParts) {}

  /** @param at where the message is: before its batch, or in it */
  of(at: Batch | OutgoingMessage): WaitReason {
    return at instanceof Batch ? this.ofBatch(at) : this.ofMessage(at)
  }

  private ofBatch({ queue, history }: Batch): WaitReason {
    const joining = this.parts.joiningBy(queue)
    if (joining !== undefined) return ofJoining(queue.topic, joining)
    const topic = this.parts.topic(queue.topic)
    const sender = this.parts.sender(queue.leader)
    const problem = sender?.problem ?? history.lastError
    return {
      topic: queue.topic,
      stage: this.stageOf(queue, topic, sender),
      lastFailure: problem ?? this.lastFailureOf(topic),
      isTrouble: problem !== undefined || queue.leader < 0 || sender?.isConnecting === true,
    }
  }

  private ofMessage(message: OutgoingMessage): WaitReason {
    const { topic: name, isAdmitted } = message
    const topic = this.parts.topic(name)
    return {
      topic: name,
      stage: isAdmitted ? this.stageOfTopic(topic, message) : 'it waited for room',
      lastFailure: this.lastFailureOf(topic),
      isTrouble: isAdmitted && topic?.needsMetadata === true,
    }
  }

  private lastFailureOf(topic: TopicQueue | undefined): KafkaProducerError | undefined {
    return topic?.problem ?? this.parts.topicPartitionInfos.lastFailure
  }

  private stageOf(
    queue: BatchQueue,
    topic: TopicQueue | undefined,
    sender: BrokerSender | undefined,
  ): string | undefined {
    const count = topic?.metadata?.partitions.length ?? 0
    if (count > 0 && queue.partition >= count)
      return `'${queue.topic}' has the partitions 0 to ${count - 1} by now, and partition ${queue.partition} no more`
    if (queue.leader < 0) return `no leader of ${queue.topic}-${queue.partition} is known${this.metadataStage}`
    // Where a batch of it is in flight, or connecting is, that is what it waits for; else it is between attempts.
    return sender?.stage
  }

  /** What a message waits for whose partition is not chosen yet. */
  private stageOfTopic(topic: TopicQueue | undefined, message: OutgoingMessage): string {
    if (topic === undefined) return 'it waited in the queue'
    if (!topic.hasMetadata || !topic.lacksPartitionOf(message)) return `it waited for metadata${this.metadataStage}`
    // Which it names is told apart: those that wait together share this.
    const count = topic.metadata?.partitions.length ?? 0
    return `it waited for the partition that it names: '${topic.name}' has the partitions 0 to ${count - 1}${this.metadataStage}`
  }

  /** Whom it is being asked of; between two questions what the last one failed with says enough. */
  private get metadataStage(): string {
    const { stage } = this.parts.topicPartitionInfos
    return stage === undefined ? '' : `, ${stage}`
  }
}

/** The transaction itself tells when that takes long. */
function ofJoining(topic: string, { stage, lastFailure }: WaitedFor): WaitReason {
  const whom = stage === undefined ? '' : `, ${stage}`
  const waits = `it waited for its partition to be added to the transaction${whom}`
  return { topic, stage: waits, lastFailure, isTrouble: false }
}
