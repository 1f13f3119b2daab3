import { CorruptRecordsError } from '../../errors.js'
import { ByteReader } from '../byte-reader.js'
import { crc32 } from '../crc32.js'
import { crc32c } from '../crc32c.js'
import {
  type DecodedRecord,
  type Decompress,
  type RecordHeader,
  COMPRESSION_MASK,
  LOG_APPEND_TIME_FLAG,
} from './record.js'

/**
 * Reads what the producer writes and a broker stores: entries of message sets (magic 0 and 1) and record batches
 * (magic 2), one after another, in any mixture. All three begin alike: an offset, a size, and the magic at byte 16.
 */

const MAGIC_AT = 16
/** Offset and size: what comes before the bytes that the size counts. */
const ENTRY_HEADER = 12
const TRANSACTIONAL_FLAG = 0x10
const CONTROL_FLAG = 0x20

/** A record batch, or one entry of a message set (with its inner messages, where it is compressed). */
export interface DecodedBatch {
  readonly magic: number
  readonly baseOffset: bigint
  readonly lastOffset: bigint
  /** Kafka's number for the codec; 0 is none. */
  readonly codec: number
  readonly logAppendTime: boolean
  readonly transactional: boolean
  readonly control: boolean
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly leaderEpoch: number
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  readonly records: readonly DecodedRecord[]
  /** Where it stands in the bytes that were read. */
  readonly start: number
  readonly end: number
}

export interface DecodeOptions {
  /** Needed for compressed records; without it they are an error. */
  decompress?: Decompress
  /** How many records and headers may be made of one entry; compressed, some kilobytes may hold millions. Default: any. */
  maxItems?: number
  /** A Fetch answer may end within a batch; such a tail is then left out instead of being an error. */
  partialTail?: boolean
}

/** Throws {@link CorruptRecordsError} at the first thing that is not as the format says; checksums are compared. */
export function decodeBatches(bytes: Buffer, options: DecodeOptions = {}): DecodedBatch[] {
  const batches: DecodedBatch[] = []
  let at = 0
  while (at < bytes.length) {
    const end = endOfEntry(bytes, at)
    if (end === undefined || end > bytes.length) {
      if (options.partialTail) break
      throw new CorruptRecordsError(`the entry at byte ${at} is cut off at byte ${bytes.length}`)
    }
    const magic = bytes[at + MAGIC_AT] as number
    if (magic > 2) throw new CorruptRecordsError(`magic ${magic} at byte ${at + MAGIC_AT}, known are 0 to 2`)
    const reader = new ByteReader(bytes, at, end)
    const batch =
      magic === 2 ? decodeRecordBatch(bytes, reader, at, end, options) : decodeMessage(bytes, reader, at, end, options)
    batches.push(batch)
    at = end
  }
  return batches
}

/** Undefined where the bytes end before the magic. */
function endOfEntry(bytes: Buffer, at: number): number | undefined {
  if (bytes.length - at <= MAGIC_AT) return undefined
  const size = bytes.readInt32BE(at + 8)
  if (size <= MAGIC_AT - ENTRY_HEADER) throw new CorruptRecordsError(`an entry of ${size} bytes at byte ${at}`)
  return at + ENTRY_HEADER + size
}

function decodeRecordBatch(
  bytes: Buffer,
  reader: ByteReader,
  start: number,
  end: number,
  { decompress, maxItems = Infinity }: DecodeOptions,
): DecodedBatch {
  const baseOffset = reader.readBigInt64()
  reader.readInt32()
  const leaderEpoch = reader.readInt32()
  reader.readInt8()
  const crc = reader.readUint32()
  const crcFrom = reader.position
  const attributes = reader.readInt16()
  const lastOffsetDelta = reader.readInt32()
  const baseTimestamp = reader.readInt64()
  const maxTimestamp = reader.readInt64()
  const producerId = reader.readBigInt64()
  const producerEpoch = reader.readInt16()
  const baseSequence = reader.readInt32()
  const count = reader.readInt32()
  throwIfInvalid(reader, 'record batch', start)
  if (crc32c(bytes, crcFrom, end) !== crc)
    throw new CorruptRecordsError(`the batch at byte ${start} has a wrong CRC-32C`)
  if (count < 0 || count > maxItems) throw new CorruptRecordsError(`${count} records in the batch at byte ${start}`)

  const codec = attributes & COMPRESSION_MASK
  const logAppendTime = (attributes & LOG_APPEND_TIME_FLAG) !== 0
  const body = codec === 0 ? reader : new ByteReader(inflate(decompress, codec, reader.readRaw(reader.remaining), 2))
  const records: DecodedRecord[] = []
  let headersLeft = maxItems - count
  for (let i = 0; i < count && !body.invalid; i++) {
    const record = decodeRecord(body, baseOffset, logAppendTime ? maxTimestamp : undefined, baseTimestamp, headersLeft)
    headersLeft -= record.headers.length
    records.push(record)
  }
  throwIfInvalid(body, 'records', start)
  if (body.remaining > 0) throw new CorruptRecordsError(`bytes after record ${count} of the batch at byte ${start}`)
  return {
    magic: 2,
    baseOffset,
    lastOffset: baseOffset + BigInt(lastOffsetDelta),
    codec,
    logAppendTime,
    transactional: (attributes & TRANSACTIONAL_FLAG) !== 0,
    control: (attributes & CONTROL_FLAG) !== 0,
    producerId,
    producerEpoch,
    baseSequence,
    leaderEpoch,
    baseTimestamp,
    maxTimestamp,
    records,
    start,
    end,
  }
}

function decodeRecord(
  reader: ByteReader,
  baseOffset: bigint,
  appendTime: number | undefined,
  baseTimestamp: number,
  maxHeaders: number,
): DecodedRecord {
  const size = reader.readVarint()
  const bodyFrom = reader.position
  reader.readInt8()
  const timestamp = baseTimestamp + reader.readVarlong()
  const offset = baseOffset + BigInt(reader.readVarint())
  const key = readSized(reader)
  const value = readSized(reader)
  const headers: RecordHeader[] = []
  const headerCount = reader.readVarint()
  if (headerCount < 0 || headerCount > maxHeaders) reader.fail(`${headerCount} headers`)
  for (let i = 0; i < headerCount && !reader.invalid; i++) {
    const headerKey = readSized(reader)
    if (headerKey === null) reader.fail('a header without a key')
    headers.push({ key: headerKey?.toString() ?? '', value: readSized(reader) })
  }
  if (!reader.invalid && reader.position - bodyFrom !== size) reader.fail(`a record of other than its ${size} bytes`)
  return { offset, timestamp: appendTime ?? timestamp, key, value, headers }
}

function readSized(reader: ByteReader): Buffer | null {
  const size = reader.readVarint()
  return size === -1 ? null : reader.readRaw(size)
}

interface Message {
  offset: bigint
  magic: number
  attributes: number
  timestamp: number
  key: Buffer | null
  value: Buffer | null
}

function decodeMessage(
  bytes: Buffer,
  reader: ByteReader,
  start: number,
  end: number,
  options: DecodeOptions,
): DecodedBatch {
  const outer = readMessage(bytes, reader, start, end)
  const codec = outer.attributes & COMPRESSION_MASK
  const logAppendTime = (outer.attributes & LOG_APPEND_TIME_FLAG) !== 0
  const records = codec === 0 ? [recordOf(outer)] : decodeInnerSet(outer, codec, logAppendTime, options)
  const first = records[0]
  if (first === undefined) throw new CorruptRecordsError(`the compressed message at byte ${start} is empty`)
  return {
    magic: outer.magic,
    baseOffset: first.offset,
    lastOffset: outer.offset,
    codec,
    logAppendTime,
    transactional: false,
    control: false,
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
    leaderEpoch: -1,
    baseTimestamp: first.timestamp,
    maxTimestamp: outer.timestamp,
    records,
    start,
    end,
  }
}

function readMessage(bytes: Buffer, reader: ByteReader, start: number, end: number): Message {
  const offset = reader.readBigInt64()
  reader.readInt32()
  const crc = reader.readUint32()
  const crcFrom = reader.position
  const magic = reader.readInt8()
  const attributes = reader.readInt8()
  const timestamp = magic === 1 ? reader.readInt64() : -1
  const key = reader.readNullableBytes()
  const value = reader.readNullableBytes()
  throwIfInvalid(reader, 'message', start)
  if (reader.remaining > 0) throw new CorruptRecordsError(`bytes after the value of the message at byte ${start}`)
  if (crc32(bytes.subarray(crcFrom, end)) !== crc)
    throw new CorruptRecordsError(`the message at byte ${start} has a wrong CRC-32`)
  return { offset, magic, attributes, timestamp, key, value }
}

/**
 * Offsets inside are absolute with magic 0; with magic 1 they count up to the outer one, which is the last's (KIP-31).
 * Some releases of librdkafka leave the outer one at 0 in what they produce, and brokers take that.
 */
function decodeInnerSet(
  outer: Message,
  codec: number,
  logAppendTime: boolean,
  { decompress, maxItems = Infinity }: DecodeOptions,
): DecodedRecord[] {
  if (outer.value === null) throw new CorruptRecordsError('a compressed message without a value')
  const set = inflate(decompress, codec, outer.value, outer.magic)
  const inner: Message[] = []
  for (let at = 0; at < set.length;) {
    const end = endOfEntry(set, at)
    if (end === undefined || end > set.length)
      throw new CorruptRecordsError(`an inner message is cut off at byte ${set.length}`)
    const message = readMessage(set, new ByteReader(set, at, end), at, end)
    if (message.magic !== outer.magic)
      throw new CorruptRecordsError(`magic ${message.magic} within magic ${outer.magic}`)
    if ((message.attributes & COMPRESSION_MASK) !== 0)
      throw new CorruptRecordsError('a compressed message within another')
    if (inner.push(message) > maxItems) throw new CorruptRecordsError(`more than ${maxItems} inner messages`)
    at = end
  }
  const last = inner[inner.length - 1]?.offset ?? 0n
  const shift = outer.magic === 1 && outer.offset !== 0n ? outer.offset - last : 0n
  if (shift < 0n) throw new CorruptRecordsError(`inner offset ${last} above the outer ${outer.offset}`)
  return inner.map((message) => ({
    ...recordOf(message),
    offset: message.offset + shift,
    timestamp: logAppendTime ? outer.timestamp : message.timestamp,
  }))
}

function recordOf({ offset, timestamp, key, value }: Message): DecodedRecord {
  return { offset, timestamp, key, value, headers: [] }
}

function inflate(decompress: Decompress | undefined, codec: number, bytes: Buffer, magic: number): Buffer {
  if (decompress === undefined)
    throw new CorruptRecordsError(`records compressed with codec ${codec}, and nothing to undo it`)
  return decompress(codec, bytes, magic)
}

function throwIfInvalid(reader: ByteReader, what: string, start: number): void {
  if (reader.invalid) throw new CorruptRecordsError(`${what} at byte ${start}: ${reader.problem()}`)
}
