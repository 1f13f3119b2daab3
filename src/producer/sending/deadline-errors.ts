import { DeliveryTimeoutError, type KafkaProducerError } from '../../errors.js'
import type { BrokerPartitionInfo } from '../brokers/broker-partition-info.js'
import { Batch, type BatchQueue } from '../queues/batch.js'
import type { OutgoingMessage } from '../queues/outgoing-message.js'
import type { TopicQueue } from '../queues/topic-queue.js'
import type { BrokerSender } from './broker-sender.js'

export interface DeadlineErrorsParts {
  readonly deliveryTimeoutMs: number
  readonly topicPartitionInfos: BrokerPartitionInfo
  readonly topic: (name: string) => TopicQueue | undefined
  readonly senders: ReadonlyMap<number, BrokerSender>
}

/**
 * Why messages had no acknowledgement at their deadline: what they waited for then, of whom and since when, and what
 * failed last. Made for those whose deadlines pass at one moment: what waits together fails with one error.
 */
export class DeadlineErrors {
  private readonly made = new Map<Batch | string, DeliveryTimeoutError>()

  constructor(private readonly parts: DeadlineErrorsParts) {}

  /** @param at where the message is: before its batch, or in it */
  of(at: Batch | OutgoingMessage): DeliveryTimeoutError {
    const together = at instanceof Batch ? at : `${at.topic} ${at.isAdmitted}`
    let error = this.made.get(together)
    if (error === undefined) this.made.set(together, (error = this.make(at)))
    return error
  }

  private make(at: Batch | OutgoingMessage): DeliveryTimeoutError {
    const { deliveryTimeoutMs, topicPartitionInfos } = this.parts
    const batch = at instanceof Batch ? at : undefined
    const topic = this.parts.topic(at instanceof Batch ? at.queue.topic : at.topic)
    const lastError: KafkaProducerError | undefined =
      batch?.lastError ?? topic?.problem ?? topicPartitionInfos.lastFailure
    const stage =
      at instanceof Batch
        ? this.stageOf(at.queue, topic)
        : at.isAdmitted
          ? this.stageOfTopic(topic)
          : 'it waited for room'
    const reasons = [
      ...(stage === undefined ? [] : [stage]),
      ...(lastError === undefined ? [] : [`the last failure: ${lastError.message}`]),
    ]
    return new DeliveryTimeoutError(
      [`not acknowledged within ${deliveryTimeoutMs} ms`, ...reasons].join('; '),
      lastError === undefined ? {} : { cause: lastError },
    )
  }

  private stageOf(queue: BatchQueue, topic: TopicQueue | undefined): string | undefined {
    const count = topic?.metadata?.partitions.length ?? 0
    if (count > 0 && queue.partition >= count)
      return `'${queue.topic}' has the partitions 0 to ${count - 1} by now, and partition ${queue.partition} no more`
    if (queue.leader < 0) return `no leader of ${queue.topic}-${queue.partition} is known, ${this.metadataStage}`
    // Where a batch of it is in flight, or connecting is, that is what it waits for; else it is between attempts.
    return this.parts.senders.get(queue.leader)?.stage
  }

  /** What a message waits for whose partition is not chosen yet. */
  private stageOfTopic(topic: TopicQueue | undefined): string {
    return topic === undefined ? 'it waited in the queue' : `it waited for metadata, ${this.metadataStage}`
  }

  private get metadataStage(): string {
    return this.parts.topicPartitionInfos.stage ?? 'for which nobody is being asked at this moment'
  }
}
