/**
 * Chooses the partition of each message that does not name its own (Kafka 0.8: `partitioner.class`). A partitioner may
 * keep state per topic, so it belongs to one producer. What it throws, and a result that is no partition of the topic,
 * such as a promise, fails the message with an `InvalidPartitionError`. The choice is made once and never again on a
 * retry.
 */
export interface Partitioner extends OrUndefined<KeylessPlacement> {
  /**
   * Which form of the key `partition` reads; `'encoded'` when absent.
   *
   * - `'encoded'`: as the key encoder left it. A key that was encoded to null counts as no key.
   * - `'original'`: as the caller gave it, which is what Kafka 0.8 handed to partitioners. A partition key then never
   *   passes through the key encoder, so it may be anything.
   * - `'none'`: keys don't matter, every message is placed by `partitionKeyless`.
   */
  readonly keyUse?: KeyUse | undefined

  /**
   * Places a message with a key, on the time of every `send()`: it should not allocate.
   *
   * @param key the message's partition key if it has one, else its key; never null or undefined.
   * @param partitionCount how many partitions the topic has, with or without a leader; at least 1.
   * @param encodedKey the same key encoded, a string standing for its UTF-8; empty where `keyUse` is `'original'`.
   * @returns 0 to `partitionCount` - 1
   */
  partition(key: unknown, partitionCount: number, encodedKey: EncodedKey, context: PartitionContext): number
}

/** Chooses the partition of a message without a key. A partitioner that lacks this gets StickyByBytes. */
export interface KeylessPlacement {
  /**
   * @param bytes about how many the message will take in its batch.
   * @returns 0 to `partitionCount` - 1
   */
  partitionKeyless(context: PartitionContext, bytes: number): number

  /**
   * Called after the metadata of these topics was read anew, whether or not anything in it changed. What it throws is
   * counted in `stats().throwingCallbacks`, and harms nothing.
   */
  onMetadataRefresh?: MetadataListener['onMetadataRefresh'] | undefined
}

interface MetadataListener {
  onMetadataRefresh(topics: readonly string[]): void
}

/** Each part may be left out, and may be undefined. */
type OrUndefined<T> = { [Name in keyof T]?: T[Name] | undefined }

export type KeyUse = 'encoded' | 'original' | 'none'

/** A key as it will be stored: bytes, or a string whose UTF-8 is meant. */
export type EncodedKey = Uint8Array | string

/**
 * What a partitioner may know of a topic. There is one object per topic as long as its metadata stays the same: a new
 * object means that `available` may have changed, and nothing else needs to be compared.
 */
export interface PartitionContext {
  readonly topic: string
  /** How many partitions the topic has, with or without a leader; at least 1. */
  readonly partitionCount: number
  /** The partitions that have a leader, ascending; may be empty. */
  readonly available: readonly number[]
  /** Bytes accepted for a partition and not acknowledged yet: what a slow broker has many of. */
  backlogBytes(partition: number): number
}

/**
 * The plain form of a partitioner: only keys are its concern, and messages without one get StickyByBytes. One of one or two
 * parameters has the `keyUse` `'original'`, any other `'encoded'`.
 */
export type PartitionFunction = Partitioner['partition']
