import { ConnectionClosedError, type KafkaProducerError } from '../../errors.js'
import type { ProducePartitionResponse, ProduceResponse } from '../../protocol/apis/produce.js'
import { brokerResponseError, errorCode, ErrorCodes } from '../../protocol/error-codes.js'
import type { EncodableRecords } from '../../protocol/records/record.js'
import type { StatsCounters } from '../../stats/producer-stats.js'
import type { BrokerPartitionInfo } from '../brokers/broker-partition-info.js'
import type { Batch } from '../queues/batch.js'
import type { BufferBound } from '../queues/buffer-bound.js'
import type { PartitionQueue } from '../queues/partition-queue.js'
import type { RetryPolicy } from '../queues/retry-policy.js'
import type { SerializedMessage } from '../queues/serialized-message.js'
import type { CompressionChoice } from '../queues/topic-compression.js'
import type { SenderContext } from './broker-sender.js'
import { plainSize, whyCantBeWritten, type Magic } from './collate.js'
import { encodeBatch, whyCodecCantGo } from './encode-batch.js'
import { leaderAddresses } from './produce-answer.js'

/**
 * Answers after which the broker may have written the batch all the same: it gave up waiting for replicas, or failed
 * at nobody knows what.
 */
const MAY_HAVE_BEEN_WRITTEN = new Set<number>([
  -1,
  ErrorCodes.REQUEST_TIMED_OUT,
  ErrorCodes.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
])
/** Answers to a batch that a smaller one may not get. */
const TOO_LARGE = new Set<number>([ErrorCodes.MESSAGE_TOO_LARGE, ErrorCodes.RECORD_LIST_TOO_LARGE])
/** No broker is known that takes less in one request. */
const LARGE_REQUEST_BYTES = 500_000
/**
 * Answers to a batch for the sake of single messages, which brokers name from Kafka 2.4 on (KIP-467): with older ones
 * halving the batch finds them, so that messages of others don't fail with them.
 */
const OF_SINGLE_MESSAGES = new Set<number>([ErrorCodes.INVALID_TIMESTAMP])

export interface BatchOutcomesParts {
  readonly topicPartitionInfos: BrokerPartitionInfo
  readonly policy: RetryPolicy
  readonly bound: BufferBound
  readonly counters: StatsCounters
  readonly compression: CompressionChoice
  /** How long a codec may take for a batch, which then goes as it is. */
  readonly codecTimeoutMs: number
  /** The topic's id as the metadata has it; null where it has none. */
  readonly topicId: (topic: string) => Buffer | null
  /** Lets a partition send again, if it has something to. */
  readonly enlist: (queue: PartitionQueue) => void
  /** Called when room may have been given back. */
  readonly onRoom: () => void
}

/**
 * What becomes of a batch after its request: its messages are acknowledged; or it goes back to the head of its queue, to
 * be sent again; or they fail, with the cause. And what becomes of a message whose time is up before that.
 */
export class BatchOutcomes implements SenderContext {
  constructor(private readonly parts: BatchOutcomesParts) {}

  topicId(topic: string): Buffer | null {
    return this.parts.topicId(topic)
  }

  metadataGeneration(): number {
    return this.parts.topicPartitionInfos.generation
  }

  prepare(batch: Batch, magic: Magic, version: number): void {
    const codecProblem = whyCodecCantGo(this.parts.compression.of(batch.queue.topic), version)
    for (const message of batch.messages) {
      const cause = message.settled ? undefined : (codecProblem ?? whyCantBeWritten(message, magic))
      if (cause !== undefined) this.failOne(batch, message, cause)
    }
    this.releaseSettled(batch)
    // Batches are filled by the size of format 2, where a message has the least around it.
    const { queue } = batch
    while (magic < 2 && batch.messages.length > 1 && plainSize(batch, magic) > queue.limit.plainBytes)
      queue.putSecond(batch.splitHalf())
  }

  encode(batch: Batch, magic: Magic, version: number): EncodableRecords | Promise<EncodableRecords> {
    const { compression, codecTimeoutMs } = this.parts
    return encodeBatch(batch, magic, compression.of(batch.queue.topic), version, codecTimeoutMs)
  }

  acknowledged(batch: Batch, answer: ProducePartitionResponse | undefined, magic: Magic): void {
    this.leaveFlight(batch)
    this.parts.counters.acknowledged += batch.acknowledge({
      baseOffset: answer?.baseOffset ?? -1n,
      logAppendTime: answer?.logAppendTimeMs ?? -1,
      hasTimestamps: magic > 0,
      acknowledged: answer !== undefined,
    })
    this.releaseBatch(batch)
    this.parts.enlist(batch.queue)
  }

  refused(batch: Batch, answer: ProducePartitionResponse, response: ProduceResponse, generation: number): void {
    const { queue } = batch
    const { leaderId, leaderEpoch } = answer.currentLeader
    const subject = `${batch.messages.length} messages for ${queue.topic}-${queue.partition}`
    const cause = brokerResponseError(answer.errorCode, subject, this.detailOf(batch, answer))
    if (MAY_HAVE_BEEN_WRITTEN.has(answer.errorCode)) batch.mayHaveBeenWritten = true
    const toldLeader =
      leaderId >= 0 &&
      this.parts.topicPartitionInfos.learnLeader(
        queue.topic,
        queue.partition,
        leaderId,
        leaderEpoch,
        leaderAddresses(response),
      )
    const recordErrors = answer.recordErrors.filter(({ batchIndex }) => batch.messages[batchIndex] !== undefined)
    if (TOO_LARGE.has(answer.errorCode) && batch.messages.length > 1) {
      this.parts.compression.of(queue.topic)?.reset()
      this.split(batch)
    } else if (OF_SINGLE_MESSAGES.has(answer.errorCode) && recordErrors.length === 0 && batch.messages.length > 1) {
      this.split(batch)
    } else if (recordErrors.length > 0 && recordErrors.length < batch.messages.length) {
      // Refused, so none of it was written.
      this.leaveFlight(batch)
      for (const { batchIndex, batchIndexErrorMessage } of recordErrors) {
        const message = batch.messages[batchIndex] as SerializedMessage
        this.failOne(batch, message, brokerResponseError(answer.errorCode, subject, batchIndexErrorMessage))
      }
      // The others were not written either, and nothing is wrong with them: that costs no attempt (KIP-467).
      batch.attempts--
      this.sendAgain(batch)
    } else if (toldLeader && cause.retriable && !batch.wasSentOn) {
      // The answer came with the new leader (KIP-951): nothing to wait for. Brokers that tell of each other without end
      // are not followed any faster than others that refuse.
      batch.wasSentOn = true
      if (this.mayTryAgain(batch, cause)) this.sendAgain(batch)
    } else {
      this.retry([batch], cause, errorCode(answer.errorCode).refreshMetadata, generation)
    }
  }

  /** What is known of a refusal beside its code, and what the broker says of it. */
  private detailOf(batch: Batch, { errorCode: code, errorMessage }: ProducePartitionResponse): string | null {
    const told = errorMessage === null ? '' : `; ${errorMessage}`
    if (TOO_LARGE.has(code)) {
      const isCompressed = this.parts.compression.of(batch.queue.topic) !== null
      const size = `${plainSize(batch, 2)} bytes${isCompressed ? ' before compression' : ''}`
      return `${size} are more than max.message.bytes of the topic, or message.max.bytes of the broker, allows${told}`
    }
    const isKeyless = batch.messages.some(({ key }) => key === null)
    if (code === ErrorCodes.CORRUPT_MESSAGE && isKeyless)
      return `a message was changed on its way, or has no key and the topic is compacted, which Kafka before 2.4 does not tell apart${told}`
    return errorMessage
  }

  unanswered(batches: readonly Batch[], cause: KafkaProducerError, written: boolean, generation: number): void {
    if (batches.length === 0) return
    if (written) for (const batch of batches) batch.mayHaveBeenWritten = true
    if (written && cause instanceof ConnectionClosedError && mayBeTooLarge(batches))
      for (const batch of batches) batch.travelsAlone = true
    this.retry(batches, cause, true, generation)
  }

  answered(): void {
    this.parts.onRoom()
  }

  /** Fails what a partition has waiting, for a cause that trying again can't help. */
  giveUp(queue: PartitionQueue, cause: KafkaProducerError): void {
    for (let batch = queue.take(); batch !== undefined; batch = queue.take()) {
      this.releaseSettled(batch)
      this.parts.counters.failed += batch.fail(cause)
      this.releaseBatch(batch)
    }
  }

  /** Ends one message ahead of its batch. */
  failOne(batch: Batch, message: SerializedMessage, cause: KafkaProducerError): void {
    if (batch.settle(message, batch.deliveryError(cause))) this.parts.counters.failed++
  }

  /** Gives back the room of what is in a batch and has its fate. Of one in flight the answer gives it back. */
  releaseSettled(batch: Batch): void {
    const dropped = batch.dropSettled()
    if (dropped.length > 0)
      this.release(
        batch.queue,
        dropped.length,
        dropped.reduce((sum, { bytes }) => sum + bytes, 0),
      )
  }

  /** Half the messages at a time, both halves ahead of later batches: a smaller batch may pass. It costs no attempt. */
  private split(batch: Batch): void {
    const rest = batch.splitHalf()
    batch.attempts--
    rest.attempts--
    batch.queue.putBack(rest)
    this.sendAgain(batch)
  }

  private sendAgain(batch: Batch): void {
    this.leaveFlight(batch)
    this.parts.counters.resends++
    batch.queue.putBack(batch)
    this.parts.enlist(batch.queue)
  }

  /** Puts what failed together back at the head of its queues, to go out again after a wait. */
  private retry(
    batches: readonly Batch[],
    cause: KafkaProducerError,
    needsMetadata: boolean,
    generation: number,
  ): void {
    const { topicPartitionInfos: info, policy, counters, enlist } = this.parts
    const queues: PartitionQueue[] = []
    let failures = 1
    for (const batch of batches) {
      if (needsMetadata) info.doubtLeader(batch.queue.topic, batch.queue.partition)
      if (!this.mayTryAgain(batch, cause)) continue
      const { queue } = batch
      this.leaveFlight(batch)
      failures = Math.max(failures, batch.attempts)
      queue.putBack(batch)
      queue.backingOff = true
      queues.push(queue)
    }
    const topics = [...new Set(batches.map(({ queue }) => queue.topic))]
    const refresh = () => info.refresh({ topics, newerThan: generation })
    refresh().catch(() => undefined)
    if (queues.length === 0) return
    const attempt = async (): Promise<void> => {
      // Their messages may all have had their fate meanwhile: nobody waits for an answer then.
      if (!needsMetadata || queues.every((queue) => queue.isEmpty)) return
      await refresh().catch((error: KafkaProducerError) => {
        // The brokers known before may still take the batch; if not, what they say is what it fails with.
        if (error.retriable) throw error
      })
    }
    void policy.retryAfter(cause, failures, attempt).then((goesOn) => {
      if (!goesOn) return
      counters.resends += queues.length
      for (const queue of queues) {
        queue.backingOff = false
        enlist(queue)
      }
    })
  }

  /** False where the batch failed for good, which its messages have then been told. */
  private mayTryAgain(batch: Batch, cause: KafkaProducerError): boolean {
    batch.lastError = cause
    this.releaseSettled(batch)
    const mayTry = cause.retriable && this.parts.policy.allowsAttemptAfter(batch.attempts) && batch.messages.length > 0
    if (!mayTry) {
      this.leaveFlight(batch)
      this.parts.counters.failed += batch.fail(cause)
      this.releaseBatch(batch)
      this.parts.enlist(batch.queue)
    }
    return mayTry
  }

  private leaveFlight(batch: Batch): void {
    if (!batch.inFlight) return
    batch.inFlight = false
    batch.queue.inFlight--
  }

  private releaseBatch({ queue, messages, bytes }: Batch): void {
    this.release(queue, messages.length, bytes)
  }

  private release(queue: PartitionQueue, messages: number, bytes: number): void {
    queue.backlogBytes -= bytes
    this.parts.bound.release(messages, bytes)
  }
}

/**
 * Whether a request that was hung up on may have been larger than the broker takes (`socket.request.max.bytes`), of which
 * it says nothing; then each of its batches may pass by itself. A small one was hung up on for its size only if it was so
 * twice: brokers that are stopped hang up too.
 */
function mayBeTooLarge(batches: readonly Batch[]): boolean {
  if (batches.length === 1) return false
  const bytes = batches.reduce((sum, { recordsSize }) => sum + recordsSize, 0)
  return bytes >= LARGE_REQUEST_BYTES || batches.every(({ lastError }) => lastError instanceof ConnectionClosedError)
}
