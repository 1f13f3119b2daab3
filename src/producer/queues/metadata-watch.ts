import { BrokerUnavailableError, type KafkaProducerError } from '../../errors.js'
import type { BrokerPartitionInfo } from '../brokers/broker-partition-info.js'
import type { RetryPolicy } from './retry-policy.js'
import type { TopicQueue } from './topic-queue.js'

/**
 * Asks for metadata as long as a message waits for it: for a topic that is unknown yet, a partition that has no leader,
 * or one that the topic did not have when last asked. One loop serves them all, and its questions cost no message an
 * attempt.
 */
export class MetadataWatch {
  private isRunning = false

  constructor(
    private readonly info: BrokerPartitionInfo,
    private readonly policy: RetryPolicy,
    private readonly topics: ReadonlyMap<string, TopicQueue>,
    /** Told why no answer will come, such as credentials that are refused; ends the waiting. */
    private readonly giveUp: (topic: TopicQueue, cause: KafkaProducerError) => void,
  ) {}

  /** Starts the loop unless it runs already or nothing waits. */
  start(): void {
    if (this.isRunning || this.waitingTopic() === undefined) return
    this.isRunning = true
    void this.run()
  }

  private async run(): Promise<void> {
    const ask = async () => {
      if (this.waitingTopic() === undefined) return
      try {
        await this.info.refresh()
      } catch (error) {
        if ((error as KafkaProducerError).retriable) throw error
        for (const topic of [...this.topics.values()])
          if (topic.needsMetadata) this.giveUp(topic, error as KafkaProducerError)
        return
      }
      const topic = this.waitingTopic()
      if (topic !== undefined) throw topic.problem ?? new BrokerUnavailableError(`'${topic.name}' has no leader`)
    }
    // However fast messages come that name a partition which is not there: the brokers are not asked as fast.
    const goesOn = await this.policy.retryUntilDone(ask, performance.now() - this.info.answeredAt)
    this.isRunning = false
    // Somebody may have begun to wait since the loop last looked.
    if (goesOn) this.start()
  }

  private waitingTopic(): TopicQueue | undefined {
    for (const topic of this.topics.values()) if (topic.needsMetadata) return topic
    return undefined
  }
}
