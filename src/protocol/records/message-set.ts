import type { ByteWriter } from '../byte-writer.js'
import { crc32 } from '../crc32.js'
import { putBytes, type CompressedRecords, type Data, type EncodableRecords, type OutgoingRecord } from './record.js'

/**
 * Message sets, the formats with magic 0 (Kafka 0.8, 0.9) and 1 (0.10, KIP-32): entries without a count,
 *
 *     offset int64 | size int32 | crc int32 | magic int8 | attributes int8 | timestamp int64 (magic 1) |
 *     key bytes | value bytes
 *
 * The crc is CRC-32 over all that follows it. A compressed set is one message whose value is the compressed inner set;
 * the offsets inside count from 0 (KIP-31), the message outside has the offset of the last and the newest timestamp.
 */

export type MessageSetMagic = 0 | 1

/** Bytes of an entry without its key and value. */
const ENTRY_OVERHEAD: Readonly<Record<MessageSetMagic, number>> = { 0: 26, 1: 34 }

/** Bytes of an uncompressed message set of so many messages, whose keys and values have `bytes` together. */
export function sizeOfMessageSet(count: number, bytes: number, magic: MessageSetMagic): number {
  return count * ENTRY_OVERHEAD[magic] + bytes
}

function sizeOfRecords(records: readonly OutgoingRecord[], magic: MessageSetMagic): number {
  let bytes = 0
  for (const { keySize, valueSize } of records) bytes += Math.max(keySize, 0) + Math.max(valueSize, 0)
  return sizeOfMessageSet(records.length, bytes, magic)
}

export function messageSet(records: readonly OutgoingRecord[], magic: MessageSetMagic): EncodableRecords {
  return {
    byteLength: sizeOfRecords(records, magic),
    recordCount: records.length,
    writeTo(writer) {
      for (let i = 0; i < records.length; i++) {
        const record = records[i] as OutgoingRecord
        writeMessage(writer, magic, i, 0, record.timestamp, record.key, record.keySize, record.value, record.valueSize)
      }
    },
  }
}

/** A set whose inner set was written by {@link messageSet} and then compressed. */
export function compressedMessageSet(
  records: readonly OutgoingRecord[],
  magic: MessageSetMagic,
  compressed: CompressedRecords,
): EncodableRecords {
  return {
    byteLength: ENTRY_OVERHEAD[magic] + compressed.bytes.length,
    recordCount: records.length,
    writeTo(writer) {
      const newest = records.reduce((max, record) => Math.max(max, record.timestamp), records[0]?.timestamp ?? -1)
      const { codec, bytes } = compressed
      writeMessage(writer, magic, records.length - 1, codec, newest, null, -1, bytes, bytes.length)
    },
  }
}

function writeMessage(
  writer: ByteWriter,
  magic: MessageSetMagic,
  offset: number,
  attributes: number,
  timestamp: number,
  key: Data,
  keySize: number,
  value: Data,
  valueSize: number,
): void {
  const size = ENTRY_OVERHEAD[magic] + Math.max(keySize, 0) + Math.max(valueSize, 0)
  writer.ensure(size)
  writer.writeInt64(offset)
  writer.writeInt32(size - 12)
  const crcAt = writer.position
  writer.writeInt32(0)
  writer.writeInt8(magic)
  writer.writeInt8(attributes)
  if (magic === 1) writer.writeInt64(timestamp)
  writeSized(writer, key, keySize)
  writeSized(writer, value, valueSize)
  writer.putInt32(crcAt, crc32(writer.buffer.subarray(crcAt + 4, writer.position)))
}

function writeSized(writer: ByteWriter, data: Data, size: number): void {
  writer.writeInt32(size)
  if (data === null) return
  if (typeof data === 'string') writer.writeUtf8(data, size)
  else {
    writer.ensure(size)
    putBytes(writer.buffer, writer.position, data, size)
    writer.position += size
  }
}
