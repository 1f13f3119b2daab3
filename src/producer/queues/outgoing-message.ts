import type { DeliveryError } from '../../errors.js'
import type { Data, OutgoingHeaders } from '../../protocol/records/record.js'
import { sizeOfUtf8 } from '../../protocol/utf8.js'
import type { RecordMetadata } from '../record-metadata.js'
import type { Batch } from './batch.js'
import type { SendMoment } from './send-clock.js'

/** How a message ended. */
export type Fate = RecordMetadata | DeliveryError

/** Whoever handed messages in, knows each by its place, and is told the fate of each, exactly once. */
export interface MessageOwner {
  readonly sentAt: SendMoment
  /** Aborted, it takes out the messages that are in no closed batch yet. */
  readonly signal: AbortSignal | undefined
  /** Whether its signal ends all of its messages that are in no closed batch, which may take several turns. */
  readonly isBeingEnded: boolean
  /** Whether its messages wait for room as long as they have, whatever `enqueueTimeoutMs` says. */
  readonly isPatient: boolean
  /** There was room for so many of its messages: they are taken in. */
  admitted(count: number): void
  /** The message stands in this batch from now on. */
  placed(index: number, batch: Batch): void
  /** Whether a message has its fate. */
  isSettled(index: number): boolean
  /** @param now on the clock of `performance.now()` */
  settle(index: number, fate: Fate, now: number): void
}

/** What chooses the partition of a message, where that is not just the key as it will be stored. */
export interface Placement {
  /** Given by the caller; -1 where the partitioner is to choose. */
  readonly partition: number
  /** What the partitioner is asked with: the partition key or else the key, as given; null is none. */
  readonly key: unknown
  /** The same after the encoder; null where the partitioner does not read it. */
  readonly encodedKey: Data
  /** How many bytes the partitioner will read; undefined for no bytes. They are the caller's, who may detach them meanwhile. */
  readonly keyBytes: number | undefined
}

/**
 * A message after its encoders and before its place in a batch. Where its topic is known and there is room it is gone
 * again before `send()` returns: from then on it is bytes in the batch, and a place in the call that gave it.
 */
export class OutgoingMessage {
  /** The call that gave it, and its place there. */
  owner!: MessageOwner
  index = 0
  /** True once it was let in. */
  isAdmitted = false
  /** Bytes of room that it holds; undefined before it was let in, and when it has given them back. */
  room: number | undefined = undefined
  /** Whether it holds them of the share for topics without metadata. */
  isOfUnknownTopic = false

  constructor(
    readonly topic: string,
    readonly key: Data,
    readonly value: Data,
    readonly headers: OutgoingHeaders | null,
    /** What key, value and headers come to in bytes at the least: when every string is ASCII. */
    readonly leastBytes: number,
    /** And at the most. */
    readonly mostBytes: number,
    /** Null: the time of `send()` was taken, which an old format may leave out. */
    readonly ownTimestamp: number | null,
    readonly placement: Placement | null,
  ) {}

  /** The partition that its caller named. */
  get namedPartition(): number | undefined {
    return this.placement === null || this.placement.partition < 0 ? undefined : this.placement.partition
  }

  get isSettled(): boolean {
    return this.owner.isSettled(this.index)
  }

  /**
   * Bytes of key, value and headers, measured: what a message that has to wait counts against `queueBytes`. Bytes are not asked
   * how many they are again: they are the caller's, and may throw this time.
   */
  exactBytes(): number {
    if (this.leastBytes === this.mostBytes) return this.leastBytes
    let bytes = this.leastBytes + expansionOf(this.key) + expansionOf(this.value)
    for (const data of this.headers ?? []) bytes += expansionOf(data)
    return bytes
  }
}

/** By how many bytes a string is longer than it would be as ASCII. */
function expansionOf(data: Data): number {
  return typeof data === 'string' ? sizeOfUtf8(data) - data.length : 0
}
