import { decodeBatches } from '../protocol/records/decode.js'
import { COMPRESSION_MASK, type Decompress, type RecordHeader } from '../protocol/records/record.js'
import { fields, oneOf } from './checks.js'
import { canDecompress } from './decompress.js'
import { EmbeddedKafkaError } from './errors.js'
import type { Partition, Topic } from './topic.js'

/** A message as it stands in a partition of the embedded Kafka. */
export interface StoredRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  /** Milliseconds since 1970; -1 where the record format (magic 0) has none. */
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly RecordHeader[]
  /** The record format: 0, 1 or 2. */
  readonly magic: number
  /** How its batch is compressed: 0 not, 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
  readonly codec: number
  /** -1 without idempotence. */
  readonly producerId: number
  /** -1 without idempotence. */
  readonly producerEpoch: number
  /** Sequence of the message itself, not of its batch; -1 without idempotence. */
  readonly sequence: number
  readonly isTransactional: boolean
  /** Of the leader that appended it; -1 in formats 0 and 1. */
  readonly leaderEpoch: number
}

/** Which messages to look at. */
export interface RecordsOptions {
  /** `'read_committed'`: none of a transaction that was aborted or has not ended, nor after such. Default: all. */
  isolation?: 'read_committed' | 'read_uncommitted' | undefined
}

export const checkRecords = fields<RecordsOptions>({ isolation: oneOf(['read_committed', 'read_uncommitted']) })

/** Partition by partition, each in the order of its offsets; markers of transactions are left out. */
export function storedRecords(topic: Topic, decompress: Decompress, options: RecordsOptions = {}): StoredRecord[] {
  return topic.partitions.flatMap((partition) => {
    const all = recordsOf(partition, decompress)
    return options.isolation === 'read_committed' ? committedOf(partition, all) : all
  })
}

function committedOf({ lastStableOffset, transactions }: Partition, records: readonly StoredRecord[]): StoredRecord[] {
  const aborted = transactions.abortedBetween(0, lastStableOffset)
  return records.filter(
    ({ offset, producerId, isTransactional }) =>
      offset < lastStableOffset &&
      !(
        isTransactional &&
        aborted.some(
          (one) => Number(one.producerId) === producerId && offset >= one.firstOffset && offset < one.lastOffset,
        )
      ),
  )
}

/** How many messages are there, without decoding them. */
export function countRecords(topic: Topic): number {
  return topic.partitions.reduce((sum, { log }) => sum + log.messageCount, 0)
}

function recordsOf(partition: Partition, decompress: Decompress): StoredRecord[] {
  return partition.log.all().flatMap(({ bytes, magic, baseOffset }) => {
    const codec = magic === 2 ? bytes.readInt16BE(21) & COMPRESSION_MASK : 0
    if (!canDecompress(codec)) {
      throw new EmbeddedKafkaError(
        'UNREADABLE',
        `the batch at offset ${baseOffset} of ${partition.topic}-${partition.index} is compressed with zstd, which needs Node 22.15, 23.8 or later to read`,
      )
    }
    // Records are views of the log; a user may keep them, but must not write into the log through them.
    return decodeBatches(Buffer.from(bytes), { decompress }).flatMap((batch) =>
      batch.control
        ? []
        : batch.records.map((record, index) => ({
            topic: partition.topic,
            partition: partition.index,
            ...record,
            magic: batch.magic,
            codec: batch.codec,
            producerId: Number(batch.producerId),
            producerEpoch: batch.producerEpoch,
            sequence: batch.baseSequence < 0 ? -1 : (batch.baseSequence + index) % 0x80000000,
            isTransactional: batch.transactional,
            leaderEpoch: batch.leaderEpoch,
          })),
    )
  })
}
