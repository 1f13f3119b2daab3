/** What the broker said of a whole batch. */
export interface BrokerAcknowledgement {
  /** -1 with acks 0, where the broker says nothing. */
  readonly baseOffset: bigint
  /** The broker's time of the append, where the topic is set to that; else -1. */
  readonly logAppendTime: number
  /** False where the batch's format has no timestamps. */
  readonly hasTimestamps: boolean
  readonly acknowledged: boolean
}

/** `RecordMetadata` as JSON has it. */
export interface RecordMetadataJson {
  readonly topic: string
  readonly partition: number
  /** Decimal digits, since JSON's numbers are no integers of 64 bits. */
  readonly offset: string
  readonly timestamp: number
  readonly acknowledged: boolean
}

/**
 * Where a message stands in Kafka. It is plain data: it can be spread, cloned, compared and sent to a worker.
 * `JSON.stringify` writes the offset as a string; of a copy made by spreading, which has no `toJSON`, it can't, since JSON
 * has no bigint.
 */
export class RecordMetadata {
  constructor(
    readonly topic: string,
    readonly partition: number,
    /** A bigint, since Kafka's offsets have 64 bits; -1n where the broker did not tell it: with acks 0. */
    readonly offset: bigint,
    /**
     * Milliseconds since 1970, as stored: the message's own, or the broker's where the topic has log-append time; -1
     * before Kafka 0.10.
     */
    readonly timestamp: number,
    /** False with acks 0: the bytes were handed to the system, and nobody said that they arrived. */
    readonly acknowledged: boolean,
  ) {}

  toJSON(): RecordMetadataJson {
    return { ...this, offset: this.offset.toString() }
  }
}
