import type { DeliveryError } from '../errors.js'
import type { Data, OutgoingHeader, OutgoingRecord } from '../protocol/records/record.js'
import type { Batch } from './batch.js'
import type { RecordMetadata } from './record-metadata.js'

/** How a message ended. */
export type Fate = RecordMetadata | DeliveryError

/** Whoever handed the message in and is told its fate, exactly once. */
export interface MessageOwner {
  /** There was room: it is taken in. */
  admitted(): void
  settled(message: SerializedMessage, fate: Fate): void
}

/** A message after its encoders and before its acknowledgement. */
export class SerializedMessage implements OutgoingRecord {
  /** The batch it waits or travels in; null before it has one and once it has its fate. */
  batch: Batch | null = null
  /** True once there was room for it: it waits or travels. */
  isAdmitted = false
  /** True once its owner knows its fate. */
  settled = false

  constructor(
    readonly owner: MessageOwner,
    /** Its place in the call that gave it. */
    readonly index: number,
    readonly topic: string,
    readonly key: Data,
    readonly keySize: number,
    readonly value: Data,
    readonly valueSize: number,
    readonly headers: readonly OutgoingHeader[] | null,
    readonly timestamp: number,
    /** False where the time of `send()` was taken: an old format may then leave it out. */
    readonly hasOwnTimestamp: boolean,
    /** Given by the caller; -1 where the partitioner is to choose. */
    readonly partition: number,
    /** What the partitioner is asked with: the partition key or else the key, as given; null is none. */
    readonly partitionKey: unknown,
    /** The same after the encoder; null where the partitioner does not read it. */
    readonly encodedPartitionKey: Data,
    /** Bytes of key, value and headers: what it counts against `queueBytes`. */
    readonly bytes: number,
  ) {}
}
