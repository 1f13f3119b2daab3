import { crc32c } from '../crc32c.js'
import { putVarint, putVarlong, sizeOfVarint, sizeOfVarlong } from '../varint.js'
import { RecordWriter } from './record-writer.js'
import type { CompressedRecords, Data, OutgoingHeaders } from './record.js'

/**
 * Record batches, the format with magic 2 (Kafka 0.11 and later, KIP-98):
 *
 *     base offset int64 | length int32 | leader epoch int32 | magic int8 | crc int32 |
 *     attributes int16 | last offset delta int32 | base timestamp int64 | max timestamp int64 |
 *     producer id int64 | producer epoch int16 | base sequence int32 | record count int32 | records…
 *
 * The length counts from the leader epoch on, the crc covers from the attributes on. What a record is, is told in
 * record-writer.ts.
 */

/** In place of a record's bytes where its batch has no room for it. */
export const NO_ROOM = -1

/** Bytes of a batch before its first record. */
export const BATCH_OVERHEAD = 61

const TRANSACTIONAL_FLAG = 0x10
const LENGTH_AT = 8
const LEADER_EPOCH_AT = 12
const MAGIC_AT = 16
const CRC_AT = 17
const ATTRIBUTES_AT = 21
const LAST_OFFSET_DELTA_AT = 23
const BASE_TIMESTAMP_AT = 27
const MAX_TIMESTAMP_AT = 35
const PRODUCER_ID_AT = 43
const PRODUCER_EPOCH_AT = 51
const BASE_SEQUENCE_AT = 53
const COUNT_AT = 57

/** What brokers know a producer by (KIP-98). */
export interface Identity {
  readonly producerId: bigint
  readonly epoch: number
  /** Whether what it writes is part of a transaction. */
  readonly transactional?: boolean
}

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

/** Where the bytes of batches come from and go back to. */
export interface BufferSource {
  /** A buffer of `size` bytes or more, of `expected` where it has one; what it holds is undefined. */
  take(size: number, expected?: number): Buffer
  /** Takes one back that nobody reads any more. */
  giveBack(buffer: Buffer): void
}

/** Buffers that the garbage collector takes back. */
export const UNPOOLED: BufferSource = {
  take: (size, expected = size) => Buffer.allocUnsafe(Math.max(size, expected)),
  giveBack: () => undefined,
}

/** Nothing that it keeps outlives a call: it is everybody's. */
const writer = new RecordWriter()

/**
 * A record batch in the making. Each record is written once, in one pass, to its place; the header when the batch is
 * sealed. This is the hot path of the producer: it allocates nothing per record.
 */
export class RecordBatchBuilder {
  private buffer: Buffer = NOTHING
  private end = BATCH_OVERHEAD
  private records = 0
  /** Bytes of keys, values, and headers' names and values. */
  dataBytes = 0
  /** Of the first record: the others' timestamps are told by their distance from it. */
  baseTimestamp = -1
  maxTimestamp = -1

  /** @param expectedSize a guess at what it will come to, header included: a good one saves moving the bytes */
  constructor(
    private readonly source: BufferSource,
    private readonly expectedSize = 0,
  ) {}

  get count(): number {
    return this.records
  }

  /** Bytes of the batch so far, its header included. */
  get byteLength(): number {
    return this.end
  }

  /** The records without the batch's header, as a codec is given them: a view. */
  get recordBytes(): Buffer {
    return this.buffer.subarray(BATCH_OVERHEAD, this.end)
  }

  /**
   * Writes a record onto the end. The first record always fits.
   *
   * @param leastData bytes of key, value and headers if every string is ASCII
   * @param mostData what they come to at the most
   * @returns what they came to; {@link NO_ROOM}, and nothing is changed, where the batch would be larger than `limit`
   * @throws ChangedBytesError, and nothing is changed
   */
  append(
    timestamp: number,
    key: Data,
    value: Data,
    headers: OutgoingHeaders | null,
    leastData: number,
    mostData: number,
    limit = Infinity,
  ): number {
    const { end: start } = this
    const isFirst = this.records === 0
    if (start + leastData > limit && !isFirst) return NO_ROOM
    const needed = start + mostData + maxOverhead(headers)
    if (needed > this.buffer.length) this.grow(needed)
    const baseTimestamp = isFirst ? timestamp : this.baseTimestamp
    const delta = timestamp - baseTimestamp
    const end = writer.put(this.buffer, start, delta, this.records, key, value, headers, leastData)
    if (end > limit && !isFirst) return NO_ROOM
    const bytes = leastData + writer.expansion
    this.end = end
    this.records++
    this.dataBytes += bytes
    if (isFirst) this.baseTimestamp = timestamp
    if (timestamp > this.maxTimestamp || isFirst) this.maxTimestamp = timestamp
    return bytes
  }

  /**
   * Takes over a record that stands in another batch: everything behind its deltas is the same there and here.
   *
   * @param dataAt where its key's size stands in `from`
   * @param dataEnd where the record ends
   * @param dataBytes of its key, its value and its headers
   */
  appendEncoded(timestamp: number, from: Buffer, dataAt: number, dataEnd: number, dataBytes: number): void {
    if (this.records === 0) this.baseTimestamp = this.maxTimestamp = timestamp
    const size = dataEnd - dataAt
    const delta = timestamp - this.baseTimestamp
    const body = 1 + sizeOfVarlong(delta) + sizeOfVarint(this.records) + size
    this.grow(this.end + MAX_RECORD_OVERHEAD + size)
    const { buffer } = this
    let at = putVarint(buffer, this.end, body)
    buffer[at++] = 0
    at = putVarint(buffer, putVarlong(buffer, at, delta), this.records)
    from.copy(buffer, at, dataAt, dataEnd)
    this.end = at + size
    this.records++
    this.dataBytes += dataBytes
    if (timestamp > this.maxTimestamp) this.maxTimestamp = timestamp
  }

  private grow(needed: number): void {
    if (needed <= this.buffer.length) return
    const { buffer } = this
    this.buffer = this.source.take(needed, this.expectedSize)
    if (this.records > 0) buffer.copy(this.buffer, BATCH_OVERHEAD, BATCH_OVERHEAD, this.end)
    this.source.giveBack(buffer)
  }

  /** Writes the header, and returns the batch as it goes on the wire: a view. */
  seal(producer: ProducerState = NO_PRODUCER): Buffer {
    putHeader(this.buffer, this.end, 0, this, producer)
    return this.buffer.subarray(0, this.end)
  }

  /** The same batch with its records compressed, in a buffer of its own. */
  sealCompressed({ codec, bytes }: CompressedRecords, producer: ProducerState = NO_PRODUCER): Buffer {
    const buffer = Buffer.allocUnsafe(BATCH_OVERHEAD + bytes.length)
    buffer.set(bytes, BATCH_OVERHEAD)
    putHeader(buffer, buffer.length, codec, this, producer)
    return buffer
  }

  /** Gives the bytes back; the batch is never used again. */
  release(): void {
    this.source.giveBack(this.buffer)
    this.buffer = NOTHING
    this.end = this.records = 0
  }
}

const NOTHING = Buffer.alloc(0)
/** The size, the attributes, two deltas, and the sizes of key, value and header count. */
const MAX_RECORD_OVERHEAD = 5 + 1 + 10 + 5 + 5 + 5 + 5

/** Bytes that a record can have at the most beside its key, its value, and its headers' names and values. */
function maxOverhead(headers: OutgoingHeaders | null): number {
  return headers === null ? MAX_RECORD_OVERHEAD : MAX_RECORD_OVERHEAD + headers.length * 5
}

function putHeader(
  buffer: Buffer,
  end: number,
  codec: number,
  { count, baseTimestamp, maxTimestamp }: RecordBatchBuilder,
  producer: ProducerState,
): void {
  putInt64(buffer, 0, 0)
  putInt32(buffer, LENGTH_AT, end - LEADER_EPOCH_AT)
  putInt32(buffer, LEADER_EPOCH_AT, -1)
  buffer[MAGIC_AT] = 2
  putInt16(buffer, ATTRIBUTES_AT, codec | (producer.transactional ? TRANSACTIONAL_FLAG : 0))
  putInt32(buffer, LAST_OFFSET_DELTA_AT, count - 1)
  putInt64(buffer, BASE_TIMESTAMP_AT, baseTimestamp)
  putInt64(buffer, MAX_TIMESTAMP_AT, maxTimestamp)
  putBigInt64(buffer, PRODUCER_ID_AT, producer.producerId)
  putInt16(buffer, PRODUCER_EPOCH_AT, producer.producerEpoch)
  putInt32(buffer, BASE_SEQUENCE_AT, producer.baseSequence)
  putInt32(buffer, COUNT_AT, count)
  putInt32(buffer, CRC_AT, crc32c(buffer, ATTRIBUTES_AT, end))
}

// Node's own methods check what they are given, and a header has many fields. Big-endian all.

function putInt16(buffer: Buffer, at: number, value: number): void {
  buffer[at] = value >> 8
  buffer[at + 1] = value
}

function putInt32(buffer: Buffer, at: number, value: number): void {
  buffer[at] = value >> 24
  buffer[at + 1] = value >> 16
  buffer[at + 2] = value >> 8
  buffer[at + 3] = value
}

function putBigInt64(buffer: Buffer, at: number, value: bigint): void {
  const integer = Number(value)
  // As ids are; each calculation with a bigint makes another one.
  if (Number.isSafeInteger(integer)) putInt64(buffer, at, integer)
  else buffer.writeBigInt64BE(value, at)
}

/** @param value a safe integer */
function putInt64(buffer: Buffer, at: number, value: number): void {
  putInt32(buffer, at, Math.floor(value / 0x1_0000_0000))
  putInt32(buffer, at + 4, (value % 0x1_0000_0000) | 0)
}
