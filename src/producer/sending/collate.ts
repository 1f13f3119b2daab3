import type Denque from 'denque'
import { bytesAroundTopic, BYTES_AROUND_RECORDS, type ProduceTopic } from '../../protocol/apis/produce.js'
import { ZERO_UUID } from '../../protocol/byte-writer.js'
import { MAX_BATCH_MESSAGES, type Magic } from '../queues/batch.js'
import type { PartitionBatch, PartitionQueue } from '../queues/partition-queue.js'
import { Attempt } from './attempt.js'
import type { Numbering } from './idempotence.js'

/** What a request may hold. */
export interface RequestTerms {
  readonly brokerId: number
  readonly maxRequestBytes: number
  readonly magic: Magic
  readonly numbering: Numbering
  /** On the clock of `performance.now()`. */
  readonly now: number
  /**
   * Leaves out of a batch what can't be sent, before it is measured; the batch may be gone then. False where that takes
   * longer than this turn.
   */
  readonly prepare: (batch: PartitionBatch) => boolean
  /** Whether a batch shares its request with batches of its own topic only. */
  readonly goesApart: (batch: PartitionBatch) => boolean
  /** Whether a partition may be written to; one that may not leaves the list. Undefined: all may. */
  readonly lets: ((queue: PartitionQueue) => boolean) | undefined
}

/**
 * Takes the next batch of each partition that is ready, in turn, until the request is full, in bytes or in messages;
 * one batch that alone is larger still goes. What stays in the list is for the next request.
 */
export function takeBatches(
  ready: Denque<PartitionQueue>,
  { brokerId, maxRequestBytes, magic, numbering, now, prepare, goesApart, lets }: RequestTerms,
): PartitionBatch[] {
  const batches: PartitionBatch[] = []
  const topics = new Set<string>()
  let size = 0
  let messages = 0
  for (let queue = ready.peekFront(); queue !== undefined && numbering.isCurrent; queue = ready.peekFront()) {
    const identity = numbering.identityFor(queue.topic)
    const isReady = queue.isListedWith(brokerId) && queue.isReadyFor(identity, numbering.limit)
    const next = isReady && (lets === undefined || lets(queue)) ? queue.peekNext() : undefined
    if (next === undefined) {
      ready.shift()
      queue.unlist(brokerId)
      continue
    }
    if (!prepare(next)) break
    const batch = queue.peekNext()
    // Nothing of it is left, or half of it: the queue is looked at again.
    if (batch !== next) continue
    const around = BYTES_AROUND_RECORDS + (topics.has(queue.topic) ? 0 : bytesAroundTopic(queue.topic))
    const batchSize = batch.sizeIn(magic) * queue.limit.ratio + around
    const isFull = size + batchSize > maxRequestBytes || messages + batch.count > MAX_BATCH_MESSAGES
    const [first] = batches
    if (first !== undefined) {
      if (isFull || batch.history.travelsAlone) break
      if (first.queue.topic !== queue.topic && (goesApart(first) || goesApart(batch))) break
    }
    size += batchSize
    topics.add(queue.topic)
    messages += batch.count
    ready.shift()
    queue.unlist(brokerId)
    batches.push(queue.takeNext(now, identity, numbering.limit))
    if (batch.history.travelsAlone) break
  }
  return batches
}

/** A topic of a request, and the batches of its partitions. */
export interface CollatedTopic extends ProduceTopic {
  readonly partitionData: readonly Attempt[]
}

/**
 * Topic → partition → batch, as the request has them.
 *
 * @param topicId the topic's id as the metadata has it; null where it has none
 */
export function collate(
  batches: readonly PartitionBatch[],
  topicId: (topic: string) => Buffer | null,
): readonly CollatedTopic[] {
  const topics = new Map<string, Attempt[]>()
  let latest: string | undefined
  let partitionData: Attempt[] | undefined
  for (const batch of batches) {
    const { topic } = batch.queue
    if (topic !== latest) {
      partitionData = topics.get((latest = topic))
      if (partitionData === undefined) topics.set(topic, (partitionData = []))
    }
    partitionData?.push(new Attempt(batch))
  }
  return Array.from(topics, ([name, partitionData]) => ({
    name,
    topicId: topicId(name) ?? ZERO_UUID,
    partitionData,
  }))
}
