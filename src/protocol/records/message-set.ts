import { ByteWriter } from '../byte-writer.js'
import { crc32 } from '../crc32.js'
import type { RecordCursor } from './record-cursor.js'
import type { CompressedRecords } from './record.js'

/**
 * Message sets, the formats with magic 0 (Kafka 0.8, 0.9) and 1 (0.10, KIP-32): entries without a count,
 *
 *     offset int64 | size int32 | crc int32 | magic int8 | attributes int8 | timestamp int64 (magic 1) |
 *     key bytes | value bytes
 *
 * The crc is CRC-32 over all that follows it. A compressed set is one message whose value is the compressed inner set;
 * the offsets inside count from 0 (KIP-31), the message outside has the offset of the last and the newest timestamp.
 *
 * Messages wait as records of a batch (magic 2). For a broker that takes only these formats they are read from there and
 * written anew.
 */

export type MessageSetMagic = 0 | 1

/** Bytes of an entry without its key and value. */
const ENTRY_OVERHEAD: Readonly<Record<MessageSetMagic, number>> = { 0: 26, 1: 34 }

/** Bytes of an uncompressed message set of so many messages, whose keys and values have `bytes` together. */
export function sizeOfMessageSet(count: number, bytes: number, magic: MessageSetMagic): number {
  return count * ENTRY_OVERHEAD[magic] + bytes
}

/** The records that a cursor goes through, as a message set; without their headers, which these formats lack. */
export function messageSet(
  records: RecordCursor,
  baseTimestamp: number,
  magic: MessageSetMagic,
  expectedSize: number,
): Buffer {
  const writer = new ByteWriter(expectedSize)
  while (records.next()) {
    const { bytes, keyAt, keySize, valueAt, valueSize } = records
    const crcAt = beginMessage(
      writer,
      magic,
      records.index,
      0,
      baseTimestamp + records.timestampDelta,
      keySize,
      valueSize,
    )
    writeSized(writer, bytes, keyAt, keySize)
    writeSized(writer, bytes, valueAt, valueSize)
    endMessage(writer, crcAt)
  }
  return writer.bytes()
}

/** A set whose inner set was written by {@link messageSet} and then compressed. */
export function compressedMessageSet(
  count: number,
  maxTimestamp: number,
  magic: MessageSetMagic,
  { codec, bytes }: CompressedRecords,
): Buffer {
  const writer = new ByteWriter(ENTRY_OVERHEAD[magic] + bytes.length)
  const crcAt = beginMessage(writer, magic, count - 1, codec, maxTimestamp, -1, bytes.length)
  writer.writeInt32(-1)
  writer.writeInt32(bytes.length)
  writer.writeRaw(bytes)
  endMessage(writer, crcAt)
  return writer.bytes()
}

/** Writes what comes before the key, and makes room for all; returns where the crc belongs. */
function beginMessage(
  writer: ByteWriter,
  magic: MessageSetMagic,
  offset: number,
  attributes: number,
  timestamp: number,
  keySize: number,
  valueSize: number,
): number {
  const size = ENTRY_OVERHEAD[magic] + Math.max(keySize, 0) + Math.max(valueSize, 0)
  writer.ensure(size)
  writer.writeInt64(offset)
  writer.writeInt32(size - 12)
  const crcAt = writer.position
  writer.writeInt32(0)
  writer.writeInt8(magic)
  writer.writeInt8(attributes)
  if (magic === 1) writer.writeInt64(timestamp)
  return crcAt
}

function writeSized(writer: ByteWriter, from: Buffer, at: number, size: number): void {
  writer.writeInt32(size)
  if (size > 0) writer.position += from.copy(writer.buffer, writer.position, at, at + size)
}

function endMessage(writer: ByteWriter, crcAt: number): void {
  writer.putInt32(crcAt, crc32(writer.buffer.subarray(crcAt + 4, writer.position)))
}
