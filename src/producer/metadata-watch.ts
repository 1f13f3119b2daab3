import type { BrokerPartitionInfo } from './broker-partition-info.js'
import type { RetryPolicy } from './retry-policy.js'
import type { TopicQueue } from './topic-queue.js'
import { BrokerUnavailableError } from '../errors.js'

/**
 * Asks for metadata as long as a message waits for it: for a topic that is unknown yet, or a partition that has no
 * leader. One loop serves them all, and its questions cost no message an attempt.
 */
export class MetadataWatch {
  private isRunning = false

  constructor(
    private readonly info: BrokerPartitionInfo,
    private readonly policy: RetryPolicy,
    private readonly topics: ReadonlyMap<string, TopicQueue>,
  ) {}

  /** Starts the loop unless it runs already or nothing waits. */
  start(): void {
    if (this.isRunning || this.waitingTopic() === undefined) return
    this.isRunning = true
    void this.run()
  }

  private async run(): Promise<void> {
    const goesOn = await this.policy.retryUntilDone(async () => {
      if (this.waitingTopic() === undefined) return
      await this.info.refresh()
      const topic = this.waitingTopic()
      if (topic !== undefined) throw topic.problem ?? new BrokerUnavailableError(`'${topic.name}' has no leader`)
    })
    this.isRunning = false
    // Somebody may have begun to wait since the loop last looked.
    if (goesOn) this.start()
  }

  private waitingTopic(): TopicQueue | undefined {
    for (const topic of this.topics.values()) if (topic.needsMetadata) return topic
    return undefined
  }
}
