import type { KeylessPlacement, PartitionContext } from '../partitioner.js'

/** From 0 up to but not including 1, like `Math.random`. */
export type Random = () => number

export interface StickyByBytesOptions {
  /** How many bytes of a topic go to one partition before another is chosen; 16 KiB by default, as in Java. */
  stickyBytes?: number
  /** Whether partitions with a large backlog are chosen less often; true by default. */
  adaptive?: boolean
  random?: Random
}

/**
 * Stays with a partition for `stickyBytes`, then chooses another at random, so that messages without a key fill whole
 * batches and still spread evenly (KIP-794). To count bytes, and not batches as KIP-480 did, matters: a slow broker's
 * batches are larger, and it would be given more for being slow.
 *
 * Adaptive, the chance of a partition falls with its backlog, as in KIP-794: its weight is the topic's largest backlog
 * less its own, plus `stickyBytes`. Without backlogs all are equal; the slowest keeps a small chance, to show recovery.
 */
export class StickyByBytes implements KeylessPlacement {
  private readonly stickyBytes: number
  private readonly adaptive: boolean
  private readonly random: Random
  private readonly topics = new Map<string, Stay>()

  constructor({ stickyBytes = 16_384, adaptive = true, random = Math.random }: StickyByBytesOptions = {}) {
    this.stickyBytes = stickyBytes
    this.adaptive = adaptive
    this.random = random
  }

  partitionKeyless(context: PartitionContext, bytes: number): number {
    let stay = this.topics.get(context.topic)
    if (stay === undefined) {
      stay = { context, partition: this.choose(context), bytes: 0 }
      this.topics.set(context.topic, stay)
    } else if (stay.bytes >= this.stickyBytes || lostLeader(stay, context)) {
      stay.partition = this.choose(context)
      stay.bytes = 0
    }
    stay.context = context
    stay.bytes += bytes
    return stay.partition
  }

  private choose(context: PartitionContext): number {
    if (!this.adaptive) return randomPartition(context, this.random)
    return randomByBacklog(context, this.stickyBytes, this.random)
  }
}

/**
 * Kafka 0.8's way: a random partition among those with a leader, kept until the metadata is read again. With few
 * producers a topic's load is uneven for minutes, so it is no default; it is here for those who count on it.
 */
export class StickyUntilRefresh implements KeylessPlacement {
  private readonly random: Random
  private readonly topics = new Map<string, number>()

  constructor({ random = Math.random }: { random?: Random } = {}) {
    this.random = random
  }

  partitionKeyless(context: PartitionContext): number {
    let partition = this.topics.get(context.topic)
    if (partition === undefined) {
      partition = randomPartition(context, this.random)
      this.topics.set(context.topic, partition)
    }
    return partition
  }

  /** Forgets all topics, not only those given: so did Kafka 0.8. */
  onMetadataRefresh(): void {
    this.topics.clear()
  }
}

/** A random partition among those with a leader; among all while none has one, to wait there for the election. */
export function randomPartition({ available, partitionCount }: PartitionContext, random: Random): number {
  return available[Math.floor(random() * available.length)] ?? Math.floor(random() * partitionCount)
}

interface Stay {
  context: PartitionContext
  partition: number
  bytes: number
}

/** Searches the list only when the metadata is other than at the last message. */
function lostLeader(stay: Stay, context: PartitionContext): boolean {
  return stay.context !== context && !context.available.includes(stay.partition)
}

/** Reads the backlog of every available partition, so it is not for every message. */
function randomByBacklog(context: PartitionContext, leastWeight: number, random: Random): number {
  const { available } = context
  let largest = 0
  let sum = 0
  for (const partition of available) {
    const backlog = context.backlogBytes(partition)
    largest = Math.max(largest, backlog)
    sum += backlog
  }
  let left = random() * (available.length * (largest + leastWeight) - sum)
  for (const partition of available) {
    left -= largest + leastWeight - context.backlogBytes(partition)
    if (left < 0) return partition
  }
  // No partition has a leader, or rounding left a rest.
  return randomPartition(context, random)
}
