/*
 * OffsetCommit, key 8, versions 0 to 10, flexible from 8. Keeps how far a consumer group has read.
 *
 *   0   offsets are kept in ZooKeeper, later in a topic of Kafka
 *   1   request: the member's generation and id, commitTimestamp of each partition
 *   2   request: retentionTimeMs, no commitTimestamp
 *   3   response: throttleTimeMs
 *   4   the answer comes before the client is throttled, not after
 *   5   request: no retentionTimeMs (KIP-211)
 *   6   request: committedLeaderEpoch (KIP-320)
 *   7   request: groupInstanceId (KIP-345)
 *   8   flexible
 *   9   may be sent by members of the newer group protocol (KIP-848)
 *   10  topics by id instead of by name (KIP-848)
 */
import { unsupportedField, type Api } from '../api.js'
import type { ByteReader } from '../byte-reader.js'
import { ZERO_UUID, type ByteWriter } from '../byte-writer.js'

const NAME = 'OffsetCommit'
const FLEXIBLE_FROM = 8
/** From this version on topics go by their ids. */
export const TOPIC_IDS_FROM = 10

export interface OffsetCommitPartition {
  readonly partitionIndex: number
  readonly committedOffset: bigint
  /** -1 where not known. */
  readonly committedLeaderEpoch: number
  /** Written in version 1 alone; -1: when the broker gets it. */
  readonly commitTimestamp: number
  readonly committedMetadata: string | null
}

export interface OffsetCommitTopic {
  /** Written up to version 9. */
  readonly name: string
  /** Written from version 10 on. */
  readonly topicId: Buffer
  readonly partitions: readonly OffsetCommitPartition[]
}

export interface OffsetCommitRequest {
  readonly groupId: string
  /** -1: the group has no members. */
  readonly generationIdOrMemberEpoch: number
  readonly memberId: string
  readonly groupInstanceId: string | null
  /** -1: the broker's own. */
  readonly retentionTimeMs: number
  readonly topics: readonly OffsetCommitTopic[]
}

export interface OffsetCommitPartitionResponse {
  readonly partitionIndex: number
  readonly errorCode: number
}

export interface OffsetCommitTopicResponse {
  readonly name: string
  readonly topicId: Buffer
  readonly partitions: readonly OffsetCommitPartitionResponse[]
}

export interface OffsetCommitResponse {
  readonly throttleTimeMs: number
  readonly topics: readonly OffsetCommitTopicResponse[]
}

export const offsetCommit: Api<OffsetCommitRequest, OffsetCommitResponse> = {
  key: 8,
  name: NAME,
  minVersion: 0,
  maxVersion: 10,
  flexibleFrom: FLEXIBLE_FROM,

  encodeRequest(writer, version, request) {
    const flexible = version >= FLEXIBLE_FROM
    writer.writeString(request.groupId, flexible)
    if (version >= 1) {
      writer.writeInt32(request.generationIdOrMemberEpoch)
      writer.writeString(request.memberId, flexible)
    }
    if (version >= 7) writer.writeString(request.groupInstanceId, flexible)
    else if (request.groupInstanceId !== null) throw unsupportedField(NAME, version, 'groupInstanceId')
    if (version >= 2 && version <= 4) writer.writeInt64(request.retentionTimeMs)
    writer.writeArray(request.topics, flexible, (topic) => {
      if (version >= TOPIC_IDS_FROM) writer.writeUuid(topic.topicId)
      else writer.writeString(topic.name, flexible)
      writer.writeArray(topic.partitions, flexible, (partition) => writePartition(writer, version, partition))
      if (flexible) writer.writeNoTaggedFields()
    })
    if (flexible) writer.writeNoTaggedFields()
  },

  decodeRequest(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const request = {
      groupId: reader.readString(flexible),
      generationIdOrMemberEpoch: version >= 1 ? reader.readInt32() : -1,
      memberId: version >= 1 ? reader.readString(flexible) : '',
      groupInstanceId: version >= 7 ? reader.readNullableString(flexible) : null,
      retentionTimeMs: version >= 2 && version <= 4 ? reader.readInt64() : -1,
      topics: reader.readArray(flexible, () => readTopic(reader, version)),
    }
    if (flexible) reader.readTaggedFields()
    return request
  },

  encodeResponse(writer, version, response) {
    const flexible = version >= FLEXIBLE_FROM
    if (version >= 3) writer.writeInt32(response.throttleTimeMs)
    writer.writeArray(response.topics, flexible, (topic) => {
      if (version >= TOPIC_IDS_FROM) writer.writeUuid(topic.topicId)
      else writer.writeString(topic.name, flexible)
      writer.writeArray(topic.partitions, flexible, (partition) => {
        writer.writeInt32(partition.partitionIndex)
        writer.writeInt16(partition.errorCode)
        if (flexible) writer.writeNoTaggedFields()
      })
      if (flexible) writer.writeNoTaggedFields()
    })
    if (flexible) writer.writeNoTaggedFields()
  },

  decodeResponse(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const response = {
      throttleTimeMs: version >= 3 ? reader.readInt32() : 0,
      topics: reader.readArray(flexible, () => readTopicResponse(reader, version)),
    }
    if (flexible) reader.readTaggedFields()
    return response
  },
}

function readTopic(reader: ByteReader, version: number): OffsetCommitTopic {
  const flexible = version >= FLEXIBLE_FROM
  const topic = {
    name: version < TOPIC_IDS_FROM ? reader.readString(flexible) : '',
    topicId: version >= TOPIC_IDS_FROM ? reader.readUuid() : ZERO_UUID,
    partitions: reader.readArray(flexible, () => readPartition(reader, version)),
  }
  if (flexible) reader.readTaggedFields()
  return topic
}

function readPartition(reader: ByteReader, version: number): OffsetCommitPartition {
  const flexible = version >= FLEXIBLE_FROM
  const partition = {
    partitionIndex: reader.readInt32(),
    committedOffset: reader.readBigInt64(),
    committedLeaderEpoch: version >= 6 ? reader.readInt32() : -1,
    commitTimestamp: version === 1 ? reader.readInt64() : -1,
    committedMetadata: reader.readNullableString(flexible),
  }
  if (flexible) reader.readTaggedFields()
  return partition
}

function writePartition(writer: ByteWriter, version: number, partition: OffsetCommitPartition): void {
  const flexible = version >= FLEXIBLE_FROM
  writer.writeInt32(partition.partitionIndex)
  writer.writeBigInt64(partition.committedOffset)
  if (version >= 6) writer.writeInt32(partition.committedLeaderEpoch)
  if (version === 1) writer.writeInt64(partition.commitTimestamp)
  else if (partition.commitTimestamp !== -1) throw unsupportedField(NAME, version, 'commitTimestamp')
  writer.writeString(partition.committedMetadata, flexible)
  if (flexible) writer.writeNoTaggedFields()
}

function readTopicResponse(reader: ByteReader, version: number): OffsetCommitTopicResponse {
  const flexible = version >= FLEXIBLE_FROM
  const topic = {
    name: version < TOPIC_IDS_FROM ? reader.readString(flexible) : '',
    topicId: version >= TOPIC_IDS_FROM ? reader.readUuid() : ZERO_UUID,
    partitions: reader.readArray(flexible, () => {
      const partition = { partitionIndex: reader.readInt32(), errorCode: reader.readInt16() }
      if (flexible) reader.readTaggedFields()
      return partition
    }),
  }
  if (flexible) reader.readTaggedFields()
  return topic
}
