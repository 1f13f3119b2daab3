import { gunzipSync } from 'node:zlib'
import { CorruptRecordsError } from '../../../../src/errors.js'
import { decodeBatches, type DecodedBatch } from '../../../../src/protocol/records/decode.js'
import {
  compressedMessageSet as compressedSet,
  messageSet as setOf,
  type MessageSetMagic,
} from '../../../../src/protocol/records/message-set.js'
import { RecordBatchBuilder, UNPOOLED, type ProducerState } from '../../../../src/protocol/records/record-batch.js'
import { RecordCursor } from '../../../../src/protocol/records/record-cursor.js'
import {
  sizeOfData,
  type CompressedRecords,
  type Data,
  type DecodedRecord,
  type Decompress,
  type OutgoingHeaders,
} from '../../../../src/protocol/records/record.js'

/** A record as the builder takes it. */
export interface OutgoingRecord {
  readonly key: Data
  readonly value: Data
  readonly headers: OutgoingHeaders | null
  readonly timestamp: number
}

export interface PlainRecord {
  key?: Data
  value?: Data
  headers?: readonly (readonly [name: string, value: Data])[] | null
  timestamp?: number
}

export function outgoing({ key = null, value = null, headers = null, timestamp = 0 }: PlainRecord): OutgoingRecord {
  return { key, value, headers: headers === null || headers.length === 0 ? null : headers.flat(), timestamp }
}

/** The records as they are written one after another, by a builder whose buffer grows as it goes. */
export function build(records: readonly OutgoingRecord[]): RecordBatchBuilder {
  const builder = new RecordBatchBuilder(UNPOOLED)
  for (const { key, value, headers, timestamp } of records) {
    const all = [key, value, ...(headers ?? [])]
    const least = all.reduce<number>((sum, data) => sum + (data?.length ?? 0), 0)
    const most = all.reduce<number>((sum, data) => sum + Math.max(sizeOfData(data), 0), 0)
    builder.append(timestamp, key, value, headers, least, most)
  }
  return builder
}

export function recordBatch(records: readonly OutgoingRecord[], producer?: ProducerState): Buffer {
  return build(records).seal(producer)
}

/** Without the batch's header: what a codec is given. */
export function recordBytes(records: readonly OutgoingRecord[]): Buffer {
  return build(records).recordBytes
}

export function compressedRecordBatch(
  records: readonly OutgoingRecord[],
  compressed: CompressedRecords,
  producer?: ProducerState,
): Buffer {
  return build(records).sealCompressed(compressed, producer)
}

export function messageSet(records: readonly OutgoingRecord[], magic: MessageSetMagic): Buffer {
  const { recordBytes: bytes, baseTimestamp } = build(records)
  return setOf(new RecordCursor(bytes, 0, bytes.length), baseTimestamp, magic, 0)
}

export function compressedMessageSet(
  records: readonly OutgoingRecord[],
  magic: MessageSetMagic,
  compressed: CompressedRecords,
): Buffer {
  return compressedSet(records.length, build(records).maxTimestamp, magic, compressed)
}

/** What a reader must get back for `record`. */
export function expected(record: OutgoingRecord, offset: bigint, magic: number): DecodedRecord {
  return {
    offset,
    timestamp: magic === 0 ? -1 : record.timestamp,
    key: bytesOf(record.key),
    value: bytesOf(record.value),
    headers: magic < 2 ? [] : headersOf(record),
  }
}

function headersOf({ headers }: OutgoingRecord): DecodedRecord['headers'] {
  const parts = headers ?? []
  return Array.from({ length: parts.length / 2 }, (_, i) => ({
    key: parts[2 * i] as string,
    value: bytesOf(parts[2 * i + 1] as Data),
  }))
}

function bytesOf(data: Data): Buffer | null {
  return data === null ? null : typeof data === 'string' ? Buffer.from(data) : Buffer.from(data)
}

/** Decodes; undefined where the bytes are corrupt. Anything thrown but the one error is a failure. */
export function decodeOrReject(bytes: Buffer, decompress?: Decompress): DecodedBatch[] | undefined {
  try {
    return decodeBatches(bytes, decompress === undefined ? {} : { decompress })
  } catch (error) {
    if (error instanceof CorruptRecordsError) return undefined
    throw error
  }
}

/** Bytes at the edges of counts, lengths, varints and flags, to try in every place. */
export const TELLING_BYTES = [0, 1, 2, 3, 7, 8, 0x0f, 0x10, 0x20, 0x3f, 0x40, 0x7e, 0x7f, 0x80, 0x81, 0xc0, 0xfe, 0xff]

/** Codec 7 turns every bit over; codec 1 is gzip. */
export const fakeCodecs: Decompress = (codec, bytes) => {
  if (codec === 7) return flip(bytes)
  if (codec !== 1) throw new CorruptRecordsError(`codec ${codec}`)
  try {
    return gunzipSync(bytes, { maxOutputLength: 1 << 22 })
  } catch (error) {
    throw new CorruptRecordsError('gzip', { cause: error })
  }
}

export function flip(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.map((byte) => byte ^ 0xff))
}
