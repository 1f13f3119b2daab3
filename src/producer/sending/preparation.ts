import { UnsupportedByFormatError, type KafkaProducerError } from '../../errors.js'
import type { Failures } from '../../stats/failures.js'
import type { TurnBudget } from '../../turn-budget.js'
import { abortedBy, isAborted } from '../queues/abortion.js'
import type { BatchMessage, Magic } from '../queues/batch.js'
import type { PartitionBatch, PartitionQueue } from '../queues/partition-queue.js'
import type { CompressionChoice } from '../queues/topic-compression.js'
import type { Attempt } from './attempt.js'
import { encodeBatch, whyCodecCantGo, type EncodingParts } from './encode-batch.js'

export interface PreparationParts extends EncodingParts {
  readonly compression: CompressionChoice
  readonly failures: Failures
  readonly turn: TurnBudget
  readonly deliveryTimeoutMs: number
  /** Why messages of this batch are not acknowledged by their deadline. */
  readonly whyLate: (batch: PartitionBatch) => KafkaProducerError
  /** The partition has moved to a broker that is too old for sequences: its batches have none any more. */
  readonly unnumber: (queue: PartitionQueue) => void
  /** Leaves out of a batch what has its fate. */
  readonly thin: (batch: PartitionBatch) => void
}

/** What is done with a batch between its queue and its request. */
export class Preparation {
  constructor(private readonly parts: PreparationParts) {}

  /**
   * Leaves out of the next batch of a partition what has its fate, what is to have it now, and what the broker's format
   * can't hold. Of the batch all, part or nothing is left in its queue.
   *
   * @returns whether it has looked at all of it: false where so many are to end that others should have their turn
   */
  prepare(batch: PartitionBatch, magic: Magic, version: number): boolean {
    const { compression, deliveryTimeoutMs, turn } = this.parts
    const { queue } = batch
    if (magic < 2 && batch.sequence !== undefined) this.parts.unnumber(queue)
    const now = this.parts.clock.now()
    const codecProblem = whyCodecCantGo(compression.of(queue.topic), version)
    const mayBeLate = batch.oldestAt + deliveryTimeoutMs <= now
    if (magic < 2 || codecProblem !== undefined || mayBeLate || batch.mayBeAborted) {
      // Deadlines that pass together are told in several turns; until it is told, such a message must not be sent.
      const lateCause = mayBeLate ? this.parts.whyLate(batch) : undefined
      const whyAborted = abortCauses()
      const { topic, partition } = queue
      const { attempts } = batch.history
      const causeFor = (message: BatchMessage) => {
        const cause =
          (message.owner.sentAt.at + deliveryTimeoutMs <= now ? lateCause : undefined) ??
          (batch.wasSent ? undefined : whyAborted(message)) ??
          codecProblem ??
          whyFormatCantHold(message, magic)
        if (cause !== undefined) this.parts.failures.add({ topic, partition, attempts }, cause)
        return cause
      }
      if (!batch.endSome(now, causeFor, () => turn.isSpent)) return false
    }
    if (batch.hasEnded) this.parts.thin(batch)
    if (batch.isSettled) return true
    // Batches are filled by the size of format 2, where a message has the least around it.
    if (magic < 2) while (batch.count > 1 && batch.sizeIn(magic) > queue.limit.plainBytes) queue.halve(batch)
    return true
  }

  /** Whether a batch goes with others of its topic alone: nobody else is to wait for a codec of the user's. */
  goesApart({ queue }: PartitionBatch): boolean {
    return this.parts.compression.hasOwnCodec(queue.topic)
  }

  /** Whether a batch, as it would go, is more than one may have, and can still be made smaller. */
  isTooLarge({ batch, records }: Pick<Attempt, 'batch' | 'records'>): boolean {
    return records.length > this.parts.compression.batchBytes && batch.count > 1 && !batch.history.mayBeInLog
  }

  /** The batch as it goes into a request; a promise where it is compressed off the event loop. */
  encode(batch: PartitionBatch, magic: Magic, version: number): Uint8Array | Promise<Uint8Array> {
    return encodeBatch(batch, magic, this.parts.compression.of(batch.queue.topic), version, this.parts)
  }
}

/** So it is with signals: what was aborted together is told in several turns. What one signal ends has one cause. */
function abortCauses(): (message: BatchMessage) => KafkaProducerError | undefined {
  const causes = new Map<AbortSignal, KafkaProducerError>()
  return ({ owner: { signal } }) => {
    if (signal === undefined || !isAborted(signal)) return undefined
    let cause = causes.get(signal)
    if (cause === undefined) causes.set(signal, (cause = abortedBy(signal)))
    return cause
  }
}

/** What a format has no place for, and must not be dropped in silence; undefined where all fits. */
function whyFormatCantHold(
  { hasOwnHeaders, hasOwnTimestamp }: BatchMessage,
  magic: Magic,
): KafkaProducerError | undefined {
  if (magic < 2 && hasOwnHeaders) {
    return new UnsupportedByFormatError(
      `headers need Kafka 0.11 or later; this broker takes messages of format ${magic}`,
    )
  }
  if (magic < 1 && hasOwnTimestamp) {
    return new UnsupportedByFormatError('a timestamp needs Kafka 0.10 or later; this broker takes messages of format 0')
  }
  return undefined
}
