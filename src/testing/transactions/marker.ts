import { crc32c } from '../../protocol/crc32c.js'
import { RecordBatchBuilder, UNPOOLED } from '../../protocol/records/record-batch.js'
import type { LogEntry } from '../partition-log.js'

const LEADER_EPOCH_AT = 12
const CRC_AT = 17
const ATTRIBUTES_AT = 21
const CONTROL_FLAG = 0x20
const ABORT = 0
const COMMIT = 1

export interface Marker {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly committed: boolean
  readonly offset: number
  readonly leaderEpoch: number
  /** Milliseconds since 1970. */
  readonly timestamp: number
}

/** The control record that ends a transaction in a partition. */
export function markerEntry({
  producerId,
  producerEpoch,
  committed,
  offset,
  leaderEpoch,
  timestamp,
}: Marker): LogEntry {
  // Both begin with their version, 0; the value goes on with the coordinator's epoch.
  const key = Buffer.from([0, 0, 0, committed ? COMMIT : ABORT])
  const value = Buffer.alloc(6)
  const batch = new RecordBatchBuilder(UNPOOLED)
  const size = key.length + value.length
  batch.append(timestamp, key, value, null, size, size)
  const bytes = batch.seal({ producerId, producerEpoch, baseSequence: -1, transactional: true })
  bytes.writeBigInt64BE(BigInt(offset), 0)
  bytes.writeInt32BE(leaderEpoch, LEADER_EPOCH_AT)
  bytes.writeInt16BE(bytes.readInt16BE(ATTRIBUTES_AT) | CONTROL_FLAG, ATTRIBUTES_AT)
  bytes.writeUInt32BE(crc32c(bytes, ATTRIBUTES_AT), CRC_AT)
  return { baseOffset: offset, lastOffset: offset, maxTimestamp: timestamp, magic: 2, count: 1, isControl: true, bytes }
}
