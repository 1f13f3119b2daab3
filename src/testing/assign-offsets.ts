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
const MESSAGE = { crc: 12, magic: 16, attributes: 17, timestamp: 18, timestampSize: 8, valueOverhead: 4 } as const
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
    pieces.push(place(entry, batch, offset, placement, decompress))
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

/** What the log holds of an entry whose first message is at `offset`. */
function place(
  entry: Buffer,
  batch: CheckedBatch,
  offset: number,
  placement: Placement,
  decompress: Decompress,
): Buffer {
  const { magic, codec, count } = batch
  if (magic === 2) placeRecordBatch(entry, offset, batch.maxTimestamp, placement)
  else if (codec !== 0) return placeCompressed(entry, batch, offset, placement, decompress)
  else placeMessage(entry, offset + count - 1, magic, placement)
  return entry
}

function placeRecordBatch(entry: Buffer, offset: number, newest: number, { leaderEpoch, appendTime }: Placement): void {
  entry.writeBigInt64BE(BigInt(offset), 0)
  entry.writeInt32BE(leaderEpoch, BATCH.leaderEpoch)
  const maxTimestamp = BigInt(appendTime ?? newest)
  if (appendTime === undefined && entry.readBigInt64BE(BATCH.maxTimestamp) === maxTimestamp) return
  if (appendTime !== undefined)
    entry.writeInt16BE(entry.readInt16BE(BATCH.attributes) | LOG_APPEND_TIME_FLAG, BATCH.attributes)
  entry.writeBigInt64BE(maxTimestamp, BATCH.maxTimestamp)
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
 * Offsets inside a compressed set are absolute with magic 0, and with magic 1 some clients do not count them from 0: the
 * broker must change them. Kafka compresses it again; here the log holds the messages as they were inside.
 */
function placeCompressed(
  entry: Buffer,
  { magic, codec, count }: CheckedBatch,
  baseOffset: number,
  placement: Placement,
  decompress: Decompress,
): Buffer {
  const keyAt = magic === 0 ? MESSAGE.timestamp : MESSAGE.timestamp + MESSAGE.timestampSize
  const valueAt = keyAt + 4 + Math.max(entry.readInt32BE(keyAt), 0) + MESSAGE.valueOverhead
  const set = Buffer.from(decompress(codec, entry.subarray(valueAt), magic))
  const messages = [...messagesOf(set)]
  if (magic === 1 && messages.every((message, index) => message.readBigInt64BE(0) === BigInt(index))) {
    placeMessage(entry, baseOffset + count - 1, magic, placement)
    return entry
  }
  messages.forEach((message, index) => placeMessage(message, baseOffset + index, magic, placement))
  return set
}

/** Views of the messages of a set. */
function* messagesOf(set: Buffer): Iterable<Buffer> {
  for (let at = 0; at < set.length;) {
    const end = at + ENTRY_HEADER + set.readInt32BE(at + 8)
    yield set.subarray(at, end)
    at = end
  }
}
