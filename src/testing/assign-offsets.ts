import { crc32 } from 'node:zlib'
import { crc32c } from '../protocol/crc32c.js'
import { LOG_APPEND_TIME_FLAG, type Decompress } from '../protocol/records/record.js'
import type { CheckedBatch } from './incoming-records.js'
import type { LogEntry } from './partition-log.js'

/**
 * The broker's share in a batch: where it stands in the log, under which leader, and when, if the topic wants that.
 * Positions are within an entry: of a record batch (magic 2), or of a message (0 and 1).
 */
const BATCH = { leaderEpoch: 12, crc: 17, attributes: 21, maxTimestamp: 35 } as const
const MESSAGE = { crc: 12, magic: 16, attributes: 17, timestamp: 18, valueOverhead: 4 } as const
const ENTRY_HEADER = 12

export interface Placement {
  readonly baseOffset: number
  readonly leaderEpoch: number
  /** Milliseconds since 1970 that replace the timestamps; undefined leaves them. */
  readonly appendTime: number | undefined
}

/** An entry for the log: a copy of the batches' bytes, which may be views of a request, with offsets counted on. */
export function placeBatches(
  bytes: Buffer,
  batches: readonly CheckedBatch[],
  placement: Placement,
  decompress: Decompress,
): LogEntry {
  const pieces: Buffer[] = []
  let offset = placement.baseOffset
  let maxTimestamp = -1
  for (const batch of batches) {
    const entry = Buffer.from(bytes.subarray(batch.start, batch.end))
    if (batch.magic === 2) placeRecordBatch(entry, offset, placement)
    else if (batch.magic === 0 && batch.codec !== 0) pieces.push(expandMessageSet(entry, batch, offset, decompress))
    else placeMessage(entry, offset + batch.count - 1, batch.magic, placement)
    if (batch.magic !== 0 || batch.codec === 0) pieces.push(entry)
    offset += batch.count
    maxTimestamp = Math.max(maxTimestamp, placement.appendTime ?? batch.maxTimestamp)
  }
  return {
    baseOffset: placement.baseOffset,
    lastOffset: offset - 1,
    maxTimestamp,
    magic: batches[0]?.magic ?? 2,
    count: offset - placement.baseOffset,
    isControl: false,
    bytes: pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces),
  }
}

function placeRecordBatch(entry: Buffer, offset: number, { leaderEpoch, appendTime }: Placement): void {
  entry.writeBigInt64BE(BigInt(offset), 0)
  entry.writeInt32BE(leaderEpoch, BATCH.leaderEpoch)
  if (appendTime === undefined) return
  entry.writeInt16BE(entry.readInt16BE(BATCH.attributes) | LOG_APPEND_TIME_FLAG, BATCH.attributes)
  entry.writeBigInt64BE(BigInt(appendTime), BATCH.maxTimestamp)
  entry.writeUInt32BE(crc32c(entry, BATCH.attributes), BATCH.crc)
}

/** `offset` is that of the last message inside (KIP-31), or of the message itself. */
function placeMessage(entry: Buffer, offset: number, magic: number, { appendTime }: Placement): void {
  entry.writeBigInt64BE(BigInt(offset), 0)
  if (appendTime === undefined || magic === 0) return
  entry.writeInt8(entry.readInt8(MESSAGE.attributes) | LOG_APPEND_TIME_FLAG, MESSAGE.attributes)
  entry.writeBigInt64BE(BigInt(appendTime), MESSAGE.timestamp)
  entry.writeUInt32BE(crc32(entry.subarray(MESSAGE.magic)), MESSAGE.crc)
}

/**
 * Offsets inside a compressed set of magic 0 are absolute, so that the broker must open it. Kafka compresses it again;
 * here the log holds the messages as they were inside.
 */
function expandMessageSet(entry: Buffer, batch: CheckedBatch, baseOffset: number, decompress: Decompress): Buffer {
  const keySize = entry.readInt32BE(MESSAGE.timestamp)
  const valueAt = MESSAGE.timestamp + 4 + Math.max(keySize, 0) + MESSAGE.valueOverhead
  const set = Buffer.from(decompress(batch.codec, entry.subarray(valueAt), batch.magic))
  let offset = baseOffset
  for (let at = 0; at < set.length; at += ENTRY_HEADER + set.readInt32BE(at + 8)) {
    set.writeBigInt64BE(BigInt(offset++), at)
  }
  return set
}
