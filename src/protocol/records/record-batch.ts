import type { ByteWriter } from '../byte-writer.js'
import { crc32c } from '../crc32c.js'
import { putUtf8, sizeOfUtf8 } from '../utf8.js'
import { sizeOfVarint, sizeOfVarlong } from '../varint.js'
import {
  putBytes,
  type CompressedRecords,
  type Data,
  type EncodableRecords,
  type OutgoingHeader,
  type OutgoingHeaders,
  type OutgoingRecord,
} from './record.js'

/**
 * Record batches, the format with magic 2 (Kafka 0.11 and later, KIP-98):
 *
 *     base offset int64 | length int32 | leader epoch int32 | magic int8 | crc int32 |
 *     attributes int16 | last offset delta int32 | base timestamp int64 | max timestamp int64 |
 *     producer id int64 | producer epoch int16 | base sequence int32 | record count int32 | records…
 *
 * The length counts from the leader epoch on, the crc covers from the attributes on. A record is
 *
 *     size varint | attributes int8 | timestamp delta varlong | offset delta varint |
 *     key size varint, key | value size varint, value | header count varint, headers…
 *
 * This is the hot path of the producer: per message it allocates nothing, and writes each byte once, to its final
 * place in the request.
 */

/** Bytes of a batch before its first record. */
export const BATCH_OVERHEAD = 61

const TRANSACTIONAL_FLAG = 0x10
const LENGTH_AT = 8
const CRC_AT = 17
const ATTRIBUTES_AT = 21
const MAX_TIMESTAMP_AT = 35

/** Who wrote the batch, for the broker to find duplicates and gaps (KIP-98). */
export interface ProducerState {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly transactional: boolean
}

export const NO_PRODUCER: ProducerState = {
  producerId: -1n,
  producerEpoch: -1,
  baseSequence: -1,
  transactional: false,
}

/** Bytes that `record` takes as number `offsetDelta` of its batch, `timestampDelta` after the first. */
export function sizeOfRecord(record: OutgoingRecord, offsetDelta: number, timestampDelta: number): number {
  const body = sizeOfRecordBody(record, offsetDelta, timestampDelta)
  return sizeOfVarint(body) + body
}

function sizeOfRecordBody(record: OutgoingRecord, offsetDelta: number, timestampDelta: number): number {
  return (
    1 +
    (timestampDelta === 0 ? 1 : sizeOfVarlong(timestampDelta)) +
    sizeOfVarint(offsetDelta) +
    sizeOfVarint(record.keySize) +
    (record.keySize > 0 ? record.keySize : 0) +
    sizeOfVarint(record.valueSize) +
    (record.valueSize > 0 ? record.valueSize : 0) +
    (record.headers === null ? 1 : record.headers.size)
  )
}

/** Bytes of all records without the batch's header. */
export function sizeOfRecords(records: readonly OutgoingRecord[]): number {
  const baseTimestamp = records[0]?.timestamp ?? 0
  let size = 0
  for (let i = 0; i < records.length; i++) {
    const record = records[i] as OutgoingRecord
    size += sizeOfRecord(record, i, record.timestamp - baseTimestamp)
  }
  return size
}

/**
 * Writes the records alone, as they stand in a batch after its header, or as input for a codec. Returns their latest
 * timestamp; -1 of none.
 */
export function writeRecords(writer: ByteWriter, records: readonly OutgoingRecord[], byteLength: number): number {
  writer.ensure(byteLength)
  const buffer = writer.buffer
  const baseTimestamp = records[0]?.timestamp ?? -1
  let maxTimestamp = baseTimestamp
  let at = writer.position
  for (let i = 0; i < records.length; i++) {
    const record = records[i] as OutgoingRecord
    const { timestamp } = record
    const timestampDelta = timestamp - baseTimestamp
    if (timestamp > maxTimestamp) maxTimestamp = timestamp
    at = putVarint(buffer, at, sizeOfRecordBody(record, i, timestampDelta))
    buffer[at++] = 0
    at = putVarlong(buffer, at, timestampDelta)
    at = putVarint(buffer, at, i)
    at = putSized(buffer, at, record.key, record.keySize)
    at = putSized(buffer, at, record.value, record.valueSize)
    if (record.headers === null) buffer[at++] = 0
    else at = record.headers.isShared ? putShared(buffer, at, record.headers) : putHeaders(buffer, at, record.headers)
  }
  writer.position = at
  return maxTimestamp
}

function putShared(buffer: Buffer, at: number, headers: OutgoingHeaders): number {
  let { encoded } = headers
  if (encoded === undefined) {
    encoded = Buffer.allocUnsafeSlow(headers.size)
    putHeaders(encoded, 0, headers)
    headers.encoded = encoded
  }
  buffer.set(encoded, at)
  return at + encoded.length
}

function putHeaders(buffer: Buffer, start: number, { pairs, valueSizes }: OutgoingHeaders): number {
  let at = putVarint(buffer, start, pairs.length)
  for (let i = 0; i < pairs.length; i++) {
    const [key, value] = pairs[i] as OutgoingHeader
    at = putSized(buffer, at, key, sizeOfUtf8(key))
    at = putSized(buffer, at, value, valueSizes[i] as number)
  }
  return at
}

function putVarint(buffer: Buffer, start: number, value: number): number {
  let at = start
  let v = ((value << 1) ^ (value >> 31)) >>> 0
  while (v > 0x7f) {
    buffer[at++] = (v & 0x7f) | 0x80
    v >>>= 7
  }
  buffer[at++] = v
  return at
}

function putVarlong(buffer: Buffer, start: number, value: number): number {
  if (value >> 0 === value) return putVarint(buffer, start, value)
  const negative = value < 0
  const magnitude = negative ? -(value + 1) : value
  let at = start
  buffer[at++] = (magnitude % 64) * 2 + (negative ? 0x81 : 0x80)
  let rest = Math.floor(magnitude / 64)
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) buffer[at++] = (rest % 128) | 0x80
  buffer[at++] = rest
  return at
}

function putSized(buffer: Buffer, start: number, data: Data, size: number): number {
  const at = putVarint(buffer, start, size)
  if (size <= 0) return at
  if (typeof data === 'string') putUtf8(buffer, at, data, size)
  else putBytes(buffer, at, data as Uint8Array, size)
  return at + size
}

/** A batch of these records; `recordsSize` is {@link sizeOfRecords} of them, which the caller may have kept count of. */
export function recordBatch(
  records: readonly OutgoingRecord[],
  recordsSize: number,
  producer: ProducerState = NO_PRODUCER,
): EncodableRecords {
  return {
    byteLength: BATCH_OVERHEAD + recordsSize,
    recordCount: records.length,
    writeTo(writer) {
      const baseTimestamp = records[0]?.timestamp ?? -1
      const start = writeBatchHeader(writer, records.length, recordsSize, 0, baseTimestamp, producer)
      sealBatch(writer, start, writeRecords(writer, records, recordsSize))
    },
  }
}

/** A batch whose records were written by {@link writeRecords} and then compressed. */
export function compressedRecordBatch(
  records: readonly OutgoingRecord[],
  compressed: CompressedRecords,
  producer: ProducerState = NO_PRODUCER,
): EncodableRecords {
  return {
    byteLength: BATCH_OVERHEAD + compressed.bytes.length,
    recordCount: records.length,
    writeTo(writer) {
      const baseTimestamp = records[0]?.timestamp ?? -1
      const start = writeBatchHeader(
        writer,
        records.length,
        compressed.bytes.length,
        compressed.codec,
        baseTimestamp,
        producer,
      )
      writer.writeRaw(compressed.bytes)
      sealBatch(writer, start, maxTimestamp(records, baseTimestamp))
    },
  }
}

/** Returns where it begins; {@link sealBatch} sets what is known only at the end. */
function writeBatchHeader(
  writer: ByteWriter,
  recordCount: number,
  recordsSize: number,
  codec: number,
  baseTimestamp: number,
  producer: ProducerState,
): number {
  const start = writer.position
  writer.ensure(BATCH_OVERHEAD + recordsSize)
  writer.writeInt64(0)
  writer.writeInt32(BATCH_OVERHEAD - LENGTH_AT - 4 + recordsSize)
  writer.writeInt32(-1)
  writer.writeInt8(2)
  writer.writeInt32(0)
  writer.writeInt16(codec | (producer.transactional ? TRANSACTIONAL_FLAG : 0))
  writer.writeInt32(recordCount - 1)
  writer.writeInt64(baseTimestamp)
  writer.writeInt64(0)
  writer.writeBigInt64(producer.producerId)
  writer.writeInt16(producer.producerEpoch)
  writer.writeInt32(producer.baseSequence)
  writer.writeInt32(recordCount)
  return start
}

function maxTimestamp(records: readonly OutgoingRecord[], atLeast: number): number {
  let max = atLeast
  for (const record of records) if (record.timestamp > max) max = record.timestamp
  return max
}

function sealBatch(writer: ByteWriter, start: number, latestTimestamp: number): void {
  writer.buffer.writeBigInt64BE(BigInt(latestTimestamp), start + MAX_TIMESTAMP_AT)
  writer.putInt32(start + CRC_AT, crc32c(writer.buffer, start + ATTRIBUTES_AT, writer.position))
}
