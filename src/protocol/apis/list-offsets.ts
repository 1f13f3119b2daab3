/*
 * ListOffsets, key 2, versions 0 to 11, flexible from 6. Finds the offset of a partition's first record at or after a
 * timestamp, or one of the offsets that a negative timestamp names: -1 the end, -2 the start.
 *
 *   0   request: maxNumOffsets; response: oldStyleOffsets, the starts of segments before the timestamp, latest first
 *   1   request: no maxNumOffsets; response: one timestamp and offset (KIP-79)
 *   2   request: isolationLevel; response: throttleTimeMs
 *   3   the answer comes before the client is throttled, not after
 *   4   request: currentLeaderEpoch; response: leaderEpoch (KIP-320)
 *   5   error 78 (OFFSET_NOT_AVAILABLE) may be answered
 *   6   flexible
 *   7   timestamp -3: the record with the highest timestamp (KIP-734)
 *   8   timestamp -4: the start of the broker's own part of a tiered log (KIP-405)
 *   9   timestamp -5: the end of its remote part (KIP-1005)
 *   10  request: timeoutMs, for look-ups in remote storage (KIP-1075)
 *   11  timestamp -6: the first offset still to be copied to remote storage (KIP-1023)
 */
import { unsupportedField, type Api } from '../api.js'
import type { ByteReader } from '../byte-reader.js'
import type { ByteWriter } from '../byte-writer.js'

const NAME = 'ListOffsets'
const FLEXIBLE_FROM = 6

export interface ListOffsetsPartition {
  readonly partitionIndex: number
  /** -1 where not known. */
  readonly currentLeaderEpoch: number
  readonly timestamp: number
  /** Written in version 0 alone. */
  readonly maxNumOffsets: number
}

export interface ListOffsetsTopic {
  readonly name: string
  readonly partitions: readonly ListOffsetsPartition[]
}

export interface ListOffsetsRequest {
  /** Of a follower; -1 from a consumer. */
  readonly replicaId: number
  /** 0: the end of the log is the high watermark, 1: it is the last stable offset. */
  readonly isolationLevel: number
  readonly topics: readonly ListOffsetsTopic[]
  readonly timeoutMs: number
}

export interface ListOffsetsPartitionResponse {
  readonly partitionIndex: number
  readonly errorCode: number
  /** The answer of version 0. */
  readonly oldStyleOffsets: readonly bigint[]
  /** Of the record found; -1 where there is none. */
  readonly timestamp: number
  /** -1 where no record was found. */
  readonly offset: bigint
  readonly leaderEpoch: number
}

export interface ListOffsetsTopicResponse {
  readonly name: string
  readonly partitions: readonly ListOffsetsPartitionResponse[]
}

export interface ListOffsetsResponse {
  readonly throttleTimeMs: number
  readonly topics: readonly ListOffsetsTopicResponse[]
}

export const listOffsets: Api<ListOffsetsRequest, ListOffsetsResponse> = {
  key: 2,
  name: NAME,
  minVersion: 0,
  maxVersion: 11,
  flexibleFrom: FLEXIBLE_FROM,

  encodeRequest(writer, version, request) {
    const flexible = version >= FLEXIBLE_FROM
    writer.writeInt32(request.replicaId)
    if (version >= 2) writer.writeInt8(request.isolationLevel)
    else if (request.isolationLevel !== 0) throw unsupportedField(NAME, version, 'isolationLevel')
    writer.writeArray(request.topics, flexible, (topic) => {
      writer.writeString(topic.name, flexible)
      writer.writeArray(topic.partitions, flexible, (partition) => {
        writer.writeInt32(partition.partitionIndex)
        if (version >= 4) writer.writeInt32(partition.currentLeaderEpoch)
        writer.writeInt64(partition.timestamp)
        if (version === 0) writer.writeInt32(partition.maxNumOffsets)
        if (flexible) writer.writeNoTaggedFields()
      })
      if (flexible) writer.writeNoTaggedFields()
    })
    if (version >= 10) writer.writeInt32(request.timeoutMs)
    if (flexible) writer.writeNoTaggedFields()
  },

  decodeRequest(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const request = {
      replicaId: reader.readInt32(),
      isolationLevel: version >= 2 ? reader.readInt8() : 0,
      topics: reader.readArray(flexible, () => readTopic(reader, version)),
      timeoutMs: version >= 10 ? reader.readInt32() : 0,
    }
    if (flexible) reader.readTaggedFields()
    return request
  },

  encodeResponse(writer, version, response) {
    const flexible = version >= FLEXIBLE_FROM
    if (version >= 2) writer.writeInt32(response.throttleTimeMs)
    writer.writeArray(response.topics, flexible, (topic) => {
      writer.writeString(topic.name, flexible)
      writer.writeArray(topic.partitions, flexible, (partition) => writePartitionResponse(writer, version, partition))
      if (flexible) writer.writeNoTaggedFields()
    })
    if (flexible) writer.writeNoTaggedFields()
  },

  decodeResponse(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const response = {
      throttleTimeMs: version >= 2 ? reader.readInt32() : 0,
      topics: reader.readArray(flexible, () => readTopicResponse(reader, version)),
    }
    if (flexible) reader.readTaggedFields()
    return response
  },
}

function readTopic(reader: ByteReader, version: number): ListOffsetsTopic {
  const flexible = version >= FLEXIBLE_FROM
  const topic = {
    name: reader.readString(flexible),
    partitions: reader.readArray(flexible, () => {
      const partition = {
        partitionIndex: reader.readInt32(),
        currentLeaderEpoch: version >= 4 ? reader.readInt32() : -1,
        timestamp: reader.readInt64(),
        maxNumOffsets: version === 0 ? reader.readInt32() : 1,
      }
      if (flexible) reader.readTaggedFields()
      return partition
    }),
  }
  if (flexible) reader.readTaggedFields()
  return topic
}

function readTopicResponse(reader: ByteReader, version: number): ListOffsetsTopicResponse {
  const flexible = version >= FLEXIBLE_FROM
  const topic = {
    name: reader.readString(flexible),
    partitions: reader.readArray(flexible, () => {
      const partition = {
        partitionIndex: reader.readInt32(),
        errorCode: reader.readInt16(),
        oldStyleOffsets: version === 0 ? reader.readArray(false, () => reader.readBigInt64()) : [],
        timestamp: version >= 1 ? reader.readInt64() : -1,
        offset: version >= 1 ? reader.readBigInt64() : -1n,
        leaderEpoch: version >= 4 ? reader.readInt32() : -1,
      }
      if (flexible) reader.readTaggedFields()
      return partition
    }),
  }
  if (flexible) reader.readTaggedFields()
  return topic
}

function writePartitionResponse(writer: ByteWriter, version: number, partition: ListOffsetsPartitionResponse): void {
  writer.writeInt32(partition.partitionIndex)
  writer.writeInt16(partition.errorCode)
  if (version === 0) {
    if (partition.offset !== -1n) throw unsupportedField(NAME, version, 'offset')
    writer.writeArray(partition.oldStyleOffsets, false, (offset) => writer.writeBigInt64(offset))
    return
  }
  if (partition.oldStyleOffsets.length > 0) throw unsupportedField(NAME, version, 'oldStyleOffsets')
  writer.writeInt64(partition.timestamp)
  writer.writeBigInt64(partition.offset)
  if (version >= 4) writer.writeInt32(partition.leaderEpoch)
  if (version >= FLEXIBLE_FROM) writer.writeNoTaggedFields()
}
