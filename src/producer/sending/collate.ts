import type Denque from 'denque'
import { InvalidMessageError, UnsupportedByFormatError, type KafkaProducerError } from '../../errors.js'
import type { ProducePartition, ProduceRequest, ProduceTopic } from '../../protocol/apis/produce.js'
import { ZERO_UUID } from '../../protocol/byte-writer.js'
import { sizeOfMessageSet } from '../../protocol/records/message-set.js'
import { BATCH_OVERHEAD } from '../../protocol/records/record-batch.js'
import { hasOtherSize, type EncodableRecords } from '../../protocol/records/record.js'
import { MAX_BATCH_MESSAGES, type Batch } from '../queues/batch.js'
import type { PartitionQueue } from '../queues/partition-queue.js'
import type { SerializedMessage } from '../queues/serialized-message.js'

export type Magic = 0 | 1 | 2

/**
 * Takes the head batch of each partition that is ready, in turn, until the request is full, in bytes or in messages;
 * one batch that alone is larger still goes. What stays in the list is for the next request.
 *
 * @param prepare leaves out of a batch what can't be sent, before it is measured
 */
export function takeBatches(
  ready: Denque<PartitionQueue>,
  brokerId: number,
  maxRequestBytes: number,
  magic: Magic,
  prepare: (batch: Batch) => void,
): Batch[] {
  const batches: Batch[] = []
  let size = 0
  let messages = 0
  for (let queue = ready.peekFront(); queue !== undefined; queue = ready.peekFront()) {
    const batch = queue.listedAt === brokerId && queue.isReady ? queue.peek() : undefined
    if (batch === undefined) {
      ready.shift()
      queue.unlist(brokerId)
      continue
    }
    prepare(batch)
    // Who heard of a message that was left out may have ended the others too, and the batch is off the queue.
    if (queue.peek() !== batch) continue
    if (batch.messages.length === 0) {
      queue.take()
      continue
    }
    const batchSize = encodedSize(batch, magic)
    const isFull = size + batchSize > maxRequestBytes || messages + batch.messages.length > MAX_BATCH_MESSAGES
    if ((isFull || batch.travelsAlone) && batches.length > 0) break
    size += batchSize
    messages += batch.messages.length
    ready.shift()
    queue.unlist(brokerId)
    queue.take()
    batches.push(batch)
    if (batch.travelsAlone) break
  }
  return batches
}

/** Bytes that the batch is likely to take. */
function encodedSize(batch: Batch, magic: Magic): number {
  return plainSize(batch, magic) * batch.queue.limit.ratio
}

/** Bytes of the batch before compression. Formats that lack headers have no messages with headers. */
export function plainSize({ messages, recordsSize, bytes }: Batch, magic: Magic): number {
  return magic === 2 ? BATCH_OVERHEAD + recordsSize : sizeOfMessageSet(messages.length, bytes, magic)
}

/**
 * What a format has no place for, and must not be dropped in silence; or that bytes of it are no longer there. Undefined
 * where it can be written.
 */
export function whyCantBeWritten(message: SerializedMessage, magic: Magic): KafkaProducerError | undefined {
  if (hasOtherSize(message))
    return new InvalidMessageError('bytes of the message were detached or resized while it waited to be sent')
  if (magic < 2 && message.headers !== null) {
    return new UnsupportedByFormatError(
      `headers need Kafka 0.11 or later; this broker takes messages of format ${magic}`,
    )
  }
  if (magic < 1 && message.ownTimestamp !== null) {
    return new UnsupportedByFormatError('a timestamp needs Kafka 0.10 or later; this broker takes messages of format 0')
  }
  return undefined
}

/** topic → partition → batch: what a request holds, to find each batch's part of the answer. */
export type CollatedBatches = ReadonlyMap<string, ReadonlyMap<number, Batch>>

export function collate(batches: readonly Batch[]): CollatedBatches {
  const topics = new Map<string, Map<number, Batch>>()
  for (const batch of batches) {
    const { topic, partition } = batch.queue
    let partitions = topics.get(topic)
    if (partitions === undefined) topics.set(topic, (partitions = new Map<number, Batch>()))
    partitions.set(partition, batch)
  }
  return topics
}

export function produceRequest(
  collated: CollatedBatches,
  records: ReadonlyMap<Batch, EncodableRecords>,
  topicIds: ReadonlyMap<string, Buffer | null>,
  acks: number,
  timeoutMs: number,
): ProduceRequest {
  const topicData: ProduceTopic[] = []
  for (const [name, batches] of collated) {
    const partitionData: ProducePartition[] = []
    for (const [index, batch] of batches) partitionData.push({ index, records: records.get(batch) as EncodableRecords })
    topicData.push({ name, topicId: topicIds.get(name) ?? ZERO_UUID, partitionData })
  }
  return { transactionalId: null, acks, timeoutMs, topicData }
}
