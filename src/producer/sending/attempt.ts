import type { ProducePartition } from '../../protocol/apis/produce.js'
import type { RecordBatchBuilder } from '../../protocol/records/record-batch.js'
import type { BatchEnd, Observers, OnEnd } from '../../stats/observer.js'
import type { PartitionBatch } from '../queues/partition-queue.js'

const NO_BYTES = new Uint8Array(0)

/** One attempt of a batch: what it is in a request, until what came of that has been carried out. */
export class Attempt implements ProducePartition<Uint8Array> {
  /** The partition. */
  readonly index: number
  /** The batch's bytes as the request has them. */
  records: Uint8Array = NO_BYTES
  private readonly reading: RecordBatchBuilder
  /** Who watches how it fares; undefined before it goes out, and where nobody does. */
  private onEnd: OnEnd<BatchEnd> | undefined
  private startedAt = 0
  private queuedMs = 0
  /** How often the batch had failed before. */
  private readonly failuresBefore: number

  constructor(readonly batch: PartitionBatch) {
    this.index = batch.queue.partition
    this.reading = batch.beginReading()
    this.failuresBefore = batch.history.failures
  }

  /** Nobody reads the bytes any more: the system has taken them, or they are not written. */
  endReading(): void {
    this.batch.endReading(this.reading)
  }

  /**
   * It goes out, which somebody wants to know.
   *
   * @param now on the producer's clock
   */
  begin({ batches }: Observers, brokerId: number, now: number): void {
    const { topic, partition } = this.batch.queue
    const { count: messages, byteLength: plainBytes, history } = this.batch
    const wireBytes = this.records.length
    const queuedMs = Math.max(0, now - this.batch.oldestAt)
    this.startedAt = now
    this.queuedMs = queuedMs
    const isFirst = history.enterRequest()
    const sizes = { messages, plainBytes, wireBytes }
    this.onEnd = batches.begin({ topic, partition, brokerId, attempt: history.attempts, isFirst, ...sizes, queuedMs })
  }

  /** What came of it has been carried out. */
  ended(now: number): void {
    const { onEnd, queuedMs } = this
    if (onEnd === undefined) return
    this.onEnd = undefined
    const latencyMs = now - this.startedAt
    const { failures, lastError } = this.batch.history
    const error = failures === this.failuresBefore ? undefined : lastError
    onEnd({ error, isRetried: !this.batch.isSettled, latencyMs, ageMs: queuedMs + latencyMs })
  }
}
