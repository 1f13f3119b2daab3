import { inspect } from 'node:util'

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

/** A batch as the metadata of its messages refer to it. */
export interface AcknowledgedBatch extends BrokerAcknowledgement {
  readonly topic: string
  readonly partition: number
  readonly baseTimestamp: number
}

/** Where a message stands in Kafka. */
export class RecordMetadata {
  constructor(
    private readonly batch: AcknowledgedBatch,
    private readonly offsetDelta: number,
    private readonly timestampDelta: number,
  ) {}

  get topic(): string {
    return this.batch.topic
  }

  get partition(): number {
    return this.batch.partition
  }

  /** -1n where the broker did not tell it: with acks 0. */
  get offset(): bigint {
    const { baseOffset } = this.batch
    return baseOffset < 0n ? -1n : baseOffset + BigInt(this.offsetDelta)
  }

  /** Milliseconds since 1970, as stored: the message's own, or the broker's where the topic has log-append time; -1 before Kafka 0.10. */
  get timestamp(): number {
    const { logAppendTime, hasTimestamps, baseTimestamp } = this.batch
    if (logAppendTime >= 0) return logAppendTime
    return hasTimestamps ? baseTimestamp + this.timestampDelta : -1
  }

  /** False with acks 0: the bytes were handed to the system, and nobody said that they arrived. */
  get acknowledged(): boolean {
    return this.batch.acknowledged
  }

  /** `offset` as a string, since JSON has no integers of 64 bits. */
  toJSON(): { topic: string; partition: number; offset: string; timestamp: number; acknowledged: boolean } {
    const { topic, partition, offset, timestamp, acknowledged } = this
    return { topic, partition, offset: offset.toString(), timestamp, acknowledged }
  }

  [inspect.custom](): unknown {
    const { topic, partition, offset, timestamp, acknowledged } = this
    return { topic, partition, offset, timestamp, acknowledged }
  }
}
