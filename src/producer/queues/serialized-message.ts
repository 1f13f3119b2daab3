import type { DeliveryError } from '../../errors.js'
import type { Data, OutgoingHeaders, OutgoingRecord } from '../../protocol/records/record.js'
import type { RecordMetadata } from '../record-metadata.js'
import type { Batch } from './batch.js'
import type { SendMoment } from './send-clock.js'

/** How a message ended. */
export type Fate = RecordMetadata | DeliveryError

/** Whoever handed the message in and is told its fate, exactly once. */
export interface MessageOwner {
  readonly sentAt: SendMoment
  /** There was room for so many of its messages: they are taken in. */
  admitted(count: number): void
  /** @param now on the clock of `performance.now()` */
  settled(message: SerializedMessage, fate: Fate, now: number): void
}

/** What chooses the partition of a message, where that is not just the key as it will be stored. */
export interface Placement {
  /** Given by the caller; -1 where the partitioner is to choose. */
  readonly partition: number
  /** What the partitioner is asked with: the partition key or else the key, as given; null is none. */
  readonly key: unknown
  /** The same after the encoder; null where the partitioner does not read it. */
  readonly encodedKey: Data
}

/**
 * A message after its encoders and before its acknowledgement. Hundreds of thousands may wait at a time, and each is
 * copied by the garbage collector as long as it is young: what few messages have is not among its fields.
 */
export class SerializedMessage implements OutgoingRecord {
  /** The call that gave it, and its place there. */
  owner!: MessageOwner
  index = 0
  /** The batch it waits or travels in; null before it has one. */
  batch: Batch | null = null
  /** The room it was taken into: that of messages for topics without metadata, or of all others. Null: none yet. */
  room: 'unknown' | 'known' | null = null
  /** True once its owner knows its fate. */
  settled = false

  constructor(
    readonly topic: string,
    readonly key: Data,
    readonly keySize: number,
    readonly value: Data,
    readonly valueSize: number,
    readonly headers: OutgoingHeaders | null,
    /** Bytes of key, value and headers: what it counts against `queueBytes`. */
    readonly bytes: number,
    /** Null: the time of `send()` was taken, which an old format may leave out. */
    readonly ownTimestamp: number | null,
    readonly placement: Placement | null,
  ) {}

  /** Whether there was room for it: it waits or travels. */
  get isAdmitted(): boolean {
    return this.room !== null
  }

  get timestamp(): number {
    return this.ownTimestamp ?? this.owner.sentAt.timestamp
  }
}
