import type { Clock } from '../../clock.js'
import type { KafkaProducerError } from '../../errors.js'
import type { BatchEnd, Observers, OnEnd } from '../../stats/observer.js'
import type { PartitionBatch } from '../queues/partition-queue.js'

interface Observed {
  readonly onEnd: OnEnd<BatchEnd>
  readonly queuedMs: number
  /** What it failed with before. */
  readonly lastError: KafkaProducerError | undefined
}

/** The batches of one request, for those who watch how each fares. */
export class ObservedBatches {
  private readonly batches = new Map<PartitionBatch, Observed>()
  private readonly startedAt: number

  /** @param records what each is in the request */
  constructor(
    observers: Observers,
    records: ReadonlyMap<PartitionBatch, Uint8Array>,
    brokerId: number,
    private readonly clock: Clock,
  ) {
    this.startedAt = clock.now()
    for (const [batch, { length: wireBytes }] of records) {
      const { topic, partition } = batch.queue
      const { attempts: attempt, count: messages, byteLength: plainBytes, lastError } = batch
      const queuedMs = Math.max(0, this.startedAt - batch.oldestAt)
      const begin = { topic, partition, brokerId, attempt, messages, plainBytes, wireBytes, queuedMs }
      this.batches.set(batch, { onEnd: observers.batches.begin(begin), queuedMs, lastError })
    }
  }

  /** What came of the request has been carried out for this batch. */
  ended(batch: PartitionBatch): void {
    const observed = this.batches.get(batch)
    if (observed === undefined) return
    this.batches.delete(batch)
    const { onEnd, queuedMs, lastError } = observed
    const latencyMs = this.clock.now() - this.startedAt
    const error = batch.lastError === lastError ? undefined : batch.lastError
    onEnd({ error, isRetried: !batch.isSettled, latencyMs, ageMs: queuedMs + latencyMs })
  }
}
