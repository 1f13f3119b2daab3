import { crc32 } from 'node:zlib'
import { CorruptRecordsError } from '../errors.js'
import { crc32c } from '../protocol/crc32c.js'
import { decodeBatches, type DecodedBatch } from '../protocol/records/decode.js'
import { BATCH_OVERHEAD } from '../protocol/records/record-batch.js'
import { COMPRESSION_MASK, type Decompress } from '../protocol/records/record.js'
import { canDecompress } from './decompress.js'

/**
 * What a broker checks of the records in a Produce request before it appends them, and the error that each fault gets.
 */

const MAGIC_AT = 16
const ENTRY_HEADER = 12
const ATTRIBUTES_AT = 21
const ZSTD = 4
/** More records and headers than clients put into a batch: each is an object once it is read. */
const MAX_ITEMS = 1_000_000

export interface RecordRules {
  /** Version 3 of Produce and later: exactly one batch, of magic 2. */
  readonly exactlyOneBatch: boolean
  /** What is compressed or of magic 2 comes alone, and all has one magic. */
  readonly oneFormat: boolean
  /** Version 7 of Produce and later. */
  readonly zstdAllowed: boolean
  /** The newest format the log holds. */
  readonly maxMagic: 0 | 1 | 2
  /** Bytes of a batch, or of one entry of a message set. */
  readonly messageMaxBytes: number
  /** A compacted topic takes no message without a key. */
  readonly keyRequired: boolean
  /** Milliseconds since 1970 that a timestamp must not exceed. */
  readonly maxTimestamp: number
}

export type RecordsErrorName =
  | 'CORRUPT_MESSAGE'
  | 'MESSAGE_TOO_LARGE'
  | 'INVALID_RECORD'
  | 'INVALID_TIMESTAMP'
  | 'UNSUPPORTED_FOR_MESSAGE_FORMAT'
  | 'UNSUPPORTED_COMPRESSION_TYPE'
  | 'UNKNOWN_SERVER_ERROR'

export interface RecordError {
  readonly batchIndex: number
  readonly batchIndexErrorMessage: string
}

/** Why records are refused. */
export class RecordsRefused extends Error {
  constructor(
    readonly errorName: RecordsErrorName,
    message: string,
    /** The messages that caused it, where single ones did. */
    readonly recordErrors: readonly RecordError[] = [],
    /** Other than one batch, or one of another format than the request's version wants. */
    readonly wrongBatches = false,
  ) {
    super(message)
  }
}

/** What of a batch matters once it was checked. */
export interface CheckedBatch extends Pick<
  DecodedBatch,
  | 'magic'
  | 'codec'
  | 'start'
  | 'end'
  | 'maxTimestamp'
  | 'producerId'
  | 'producerEpoch'
  | 'baseSequence'
  | 'transactional'
> {
  /** Messages in it. */
  readonly count: number
}

/** The batches in `bytes`, all checked. Throws {@link RecordsRefused} at the first that is not as it must be. */
export function checkRecords(bytes: Buffer, rules: RecordRules, decompress: Decompress): CheckedBatch[] {
  checkEntries(bytes, rules)
  if (rules.exactlyOneBatch && bytes.length >= BATCH_OVERHEAD) {
    const closed = readClosedBatch(bytes, rules)
    if (closed !== undefined) return [closed]
  }
  const batches = decode(bytes, decompress)
  if (rules.oneFormat) checkFormats(batches)
  for (const batch of batches) checkBatch(batch, rules)
  return batches.map((batch) => ({ ...batch, count: batch.records.length, maxTimestamp: newestOf(batch) }))
}

/** What its messages say counts, and not what it says of them. */
function newestOf({ records }: DecodedBatch): number {
  return records.reduce((newest, { timestamp }) => Math.max(newest, timestamp), -1)
}

/** A batch whose codec this Node can't undo is taken by what stands before its records; undefined for all others. */
function readClosedBatch(bytes: Buffer, rules: RecordRules): CheckedBatch | undefined {
  const codec = bytes.readInt16BE(ATTRIBUTES_AT) & COMPRESSION_MASK
  if (canDecompress(codec)) return undefined
  if (!checksumsMatch(bytes)) throw new RecordsRefused('CORRUPT_MESSAGE', 'a wrong checksum')
  const count = bytes.readInt32BE(57)
  const batch = {
    magic: 2,
    codec,
    start: 0,
    end: bytes.length,
    baseOffset: bytes.readBigInt64BE(0),
    lastOffset: bytes.readBigInt64BE(0) + BigInt(bytes.readInt32BE(23)),
    maxTimestamp: Number(bytes.readBigInt64BE(35)),
    producerId: bytes.readBigInt64BE(43),
    producerEpoch: bytes.readInt16BE(51),
    baseSequence: bytes.readInt32BE(53),
    transactional: (bytes.readInt16BE(ATTRIBUTES_AT) & 0x10) !== 0,
    control: (bytes.readInt16BE(ATTRIBUTES_AT) & 0x20) !== 0,
    count,
  }
  checkCodec(codec, rules)
  checkFrameOfBatch(batch, count)
  return batch
}

/** Bytes and count of the entries, without looking into them; undefined where the sizes lead outside the bytes. */
export function countEntries(bytes: Buffer): number | undefined {
  let count = 0
  let at = 0
  for (; at < bytes.length; count++) {
    if (bytes.length - at <= MAGIC_AT) return undefined
    const size = bytes.readInt32BE(at + 8)
    if (size <= MAGIC_AT - ENTRY_HEADER || size > bytes.length - at - ENTRY_HEADER) return undefined
    at += ENTRY_HEADER + size
  }
  return count
}

/** What can be told before anything is decoded or decompressed. */
function checkEntries(bytes: Buffer, rules: RecordRules): void {
  let count = 0
  for (let at = 0; at < bytes.length; count++) {
    if (bytes.length - at <= MAGIC_AT)
      throw new RecordsRefused('CORRUPT_MESSAGE', `an entry is cut off at byte ${bytes.length}`)
    const size = bytes.readInt32BE(at + 8)
    if (size <= MAGIC_AT - ENTRY_HEADER || size > bytes.length - at - ENTRY_HEADER) {
      throw new RecordsRefused('CORRUPT_MESSAGE', `an entry of ${size} bytes at byte ${at} of ${bytes.length}`)
    }
    const magic = bytes[at + MAGIC_AT] as number
    if (rules.exactlyOneBatch && magic !== 2)
      throw wrongBatches(`magic ${magic}: only record batches of magic 2 are allowed`)
    if (rules.exactlyOneBatch && count > 0) throw wrongBatches('exactly one record batch per partition is allowed')
    if (magic > rules.maxMagic) {
      throw new RecordsRefused('CORRUPT_MESSAGE', `magic ${magic}, this broker's logs hold 0 to ${rules.maxMagic}`)
    }
    if (ENTRY_HEADER + size > rules.messageMaxBytes) {
      throw new RecordsRefused(
        'MESSAGE_TOO_LARGE',
        `the record batch is ${ENTRY_HEADER + size} bytes, the topic's max.message.bytes is ${rules.messageMaxBytes}`,
      )
    }
    at += ENTRY_HEADER + size
  }
  if (rules.exactlyOneBatch && count === 0) throw wrongBatches('at least one record batch per partition is needed')
}

function wrongBatches(message: string): RecordsRefused {
  return new RecordsRefused('INVALID_RECORD', message, [], true)
}

function decode(bytes: Buffer, decompress: Decompress): DecodedBatch[] {
  try {
    return decodeBatches(bytes, { decompress: orRefused(decompress), maxItems: MAX_ITEMS })
  } catch (error) {
    if (error instanceof RecordsRefused) throw error
    if (!(error instanceof CorruptRecordsError)) {
      throw new RecordsRefused('CORRUPT_MESSAGE', error instanceof Error ? error.message : String(error))
    }
    throw new RecordsRefused(checksumsMatch(bytes) ? 'INVALID_RECORD' : 'CORRUPT_MESSAGE', error.message)
  }
}

/** Of what can't be decompressed Kafka knows no more than that something is wrong. */
function orRefused(decompress: Decompress): Decompress {
  return (codec, bytes, magic) => {
    try {
      return decompress(codec, bytes, magic)
    } catch (error) {
      throw new RecordsRefused('UNKNOWN_SERVER_ERROR', (error as Error).message)
    }
  }
}

/** Tells bytes that were damaged on their way from those that were never right. */
function checksumsMatch(bytes: Buffer): boolean {
  let at = 0
  while (at < bytes.length) {
    const end = at + ENTRY_HEADER + bytes.readInt32BE(at + 8)
    if (bytes[at + MAGIC_AT] === 2) {
      if (end - at < 61 || crc32c(bytes, at + 21, end) !== bytes.readUInt32BE(at + 17)) return false
    } else if (crc32(bytes.subarray(at + 16, end)) !== bytes.readUInt32BE(at + 12)) return false
    at = end
  }
  return true
}

function checkFormats([first, ...others]: readonly DecodedBatch[]): void {
  if (first === undefined || others.length === 0) return
  if (others.some(({ magic }) => magic !== first.magic))
    throw new RecordsRefused('INVALID_RECORD', `batches of other magics than that of the first, ${first.magic}`)
  if (first.magic === 2 || [first, ...others].some(({ codec }) => codec !== 0))
    throw new RecordsRefused('INVALID_RECORD', 'more than one batch, where one is compressed or of magic 2')
}

function checkBatch(batch: DecodedBatch, rules: RecordRules): void {
  checkCodec(batch.codec, rules)
  if (batch.magic === 2) checkOffsetsOfBatch(batch)
  const errors: RecordError[] = []
  let errorName: RecordsErrorName = 'INVALID_RECORD'
  batch.records.forEach((record, index) => {
    if (rules.keyRequired && record.key === null) {
      errors.push({ batchIndex: index, batchIndexErrorMessage: 'a compacted topic takes no message without a key' })
    } else if (record.timestamp > rules.maxTimestamp) {
      errorName = 'INVALID_TIMESTAMP'
      errors.push({ batchIndex: index, batchIndexErrorMessage: `timestamp ${record.timestamp} is too far ahead` })
    }
  })
  if (errors.length > 0) {
    throw new RecordsRefused(errorName, 'one or more records have been rejected', errors)
  }
}

function checkCodec(codec: number, rules: RecordRules): void {
  if (codec === ZSTD && !rules.zstdAllowed) {
    throw new RecordsRefused('UNSUPPORTED_COMPRESSION_TYPE', 'zstd needs version 7 of Produce or later')
  }
}

function checkOffsetsOfBatch(batch: DecodedBatch): void {
  checkFrameOfBatch(batch, batch.records.length)
  batch.records.forEach((record, index) => {
    if (record.offset !== BigInt(index)) {
      throw new RecordsRefused('INVALID_RECORD', `offset delta ${record.offset} of record ${index}`)
    }
  })
}

function checkFrameOfBatch(batch: Pick<DecodedBatch, 'control' | 'baseOffset' | 'lastOffset'>, count: number): void {
  if (batch.control) throw new RecordsRefused('INVALID_RECORD', 'clients are not allowed to write control records')
  if (batch.baseOffset !== 0n)
    throw new RecordsRefused('INVALID_RECORD', `base offset ${batch.baseOffset}, it must be 0`)
  if (count < 1) throw new RecordsRefused('INVALID_RECORD', 'a batch without records')
  if (batch.lastOffset - batch.baseOffset + 1n !== BigInt(count)) {
    throw new RecordsRefused('INVALID_RECORD', `last offset delta ${batch.lastOffset} with ${count} records`)
  }
}
