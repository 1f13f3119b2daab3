import { BrokerUnavailableError, type KafkaProducerError } from '../../errors.js'
import type { BrokerPartitionInfo } from '../brokers/broker-partition-info.js'
import type { RetryPolicy } from './retry-policy.js'
import type { TopicQueue } from './topic-queue.js'

/**
 * Any topic that something waits for is asked about, for as long as it waits: a topic that is unknown yet, a partition
 * that has no leader, or one that the topic did not have when last asked. A topic that begins to wait is asked for at
 * once; one loop, with its back-off, serves all that go on waiting. Questions cost no message an attempt.
 *
 * A topic that was never seen is asked for with creation each time: whatever became of the questions before, it may not
 * exist yet. One that was seen and is gone is not: who deleted it does not want it back.
 */
export class MetadataWatch {
  /** Topics in which something waits, or did when they were last asked for. */
  private readonly waiting = new Set<TopicQueue>()
  /** Those that began to wait in this turn. */
  private newcomers: TopicQueue[] = []
  /** Those that there is a question for: it may have to wait for its own back-off. */
  private readonly asked = new Set<TopicQueue>()
  private isPacing = false

  constructor(
    private readonly info: BrokerPartitionInfo,
    private readonly policy: RetryPolicy,
    /** Told why no answer will come, such as credentials that are refused; ends the waiting. */
    private readonly giveUp: (topic: TopicQueue, cause: KafkaProducerError) => void,
  ) {}

  /** Something in this topic waits for metadata. */
  await(topic: TopicQueue): void {
    if (this.waiting.has(topic)) return
    this.waiting.add(topic)
    if (this.newcomers.push(topic) === 1) queueMicrotask(() => void this.askForNewcomers())
  }

  private async askForNewcomers(): Promise<void> {
    const topics = this.newcomers
    this.newcomers = []
    await this.askFor(topics)
    this.pace()
  }

  /** Goes on asking, with the back-off between one question and the next, until nothing waits. */
  private pace(): void {
    const [topic] = this.waiting
    if (this.isPacing || topic === undefined) return
    this.isPacing = true
    const ask = async () => {
      await this.askFor([...this.waiting])
      const [first] = this.waiting
      if (first !== undefined) throw whyItWaits(first)
    }
    void this.policy.retryAfter(whyItWaits(topic), 1, ask).then((goesOn) => {
      this.isPacing = false
      // Somebody may have begun to wait since the loop last looked.
      if (goesOn) this.pace()
    })
  }

  private async askFor(topics: readonly TopicQueue[]): Promise<void> {
    // What waited may have had its fate since.
    const waiting = topics.filter((topic) => topic.needsMetadata && !this.asked.has(topic))
    const unseen = waiting.filter(({ wasSeen }) => !wasSeen).map(({ name }) => name)
    const seen = waiting.filter(({ wasSeen }) => wasSeen).map(({ name }) => name)
    for (const topic of waiting) this.asked.add(topic)
    try {
      await Promise.all([
        unseen.length > 0 ? this.info.lookUp(unseen, true) : undefined,
        seen.length > 0 ? this.info.refresh({ topics: seen }) : undefined,
      ])
    } catch (error) {
      for (const topic of waiting) topic.hadNoAnswer()
      if (!(error as KafkaProducerError).retriable)
        for (const topic of waiting) if (topic.needsMetadata) this.giveUp(topic, error as KafkaProducerError)
    } finally {
      for (const topic of waiting) this.asked.delete(topic)
    }
    for (const topic of topics) if (!topic.needsMetadata) this.waiting.delete(topic)
  }
}

function whyItWaits({ problem, name }: TopicQueue): KafkaProducerError {
  return problem ?? new BrokerUnavailableError(`'${name}' has no leader`)
}
