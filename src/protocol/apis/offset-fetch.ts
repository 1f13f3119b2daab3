/*
 * OffsetFetch, key 9, versions 0 to 10, flexible from 6. Tells how far consumer groups have read.
 *
 *   0   offsets are kept in ZooKeeper, later in a topic of Kafka
 *   2   request: null topics = all of them; response: errorCode of the group
 *   3   response: throttleTimeMs
 *   4   the answer comes before the client is throttled, not after
 *   5   response: committedLeaderEpoch (KIP-320)
 *   6   flexible
 *   7   request: requireStable, error 88 for offsets in an open transaction (KIP-447)
 *   8   several groups in one request (KIP-709)
 *   9   request: memberId and memberEpoch of the newer group protocol (KIP-848)
 *   10  topics by id instead of by name (KIP-848)
 *
 * Up to version 7 there is one group, which the answer does not name; here both read as lists of one.
 */
import { onlyElement, unsupportedField, type Api } from '../api.js'
import type { ByteReader } from '../byte-reader.js'
import { ZERO_UUID, type ByteWriter } from '../byte-writer.js'

const NAME = 'OffsetFetch'
const FLEXIBLE_FROM = 6
const GROUPS_FROM = 8
/** From this version on topics go by their ids. */
export const TOPIC_IDS_FROM = 10

export interface OffsetFetchTopic {
  /** Written up to version 9. */
  readonly name: string
  /** Written from version 10 on. */
  readonly topicId: Buffer
  readonly partitionIndexes: readonly number[]
}

export interface OffsetFetchGroup {
  readonly groupId: string
  readonly memberId: string | null
  readonly memberEpoch: number
  /** Null, from version 2 on: all that have offsets. */
  readonly topics: readonly OffsetFetchTopic[] | null
}

export interface OffsetFetchRequest {
  /** Exactly one up to version 7. */
  readonly groups: readonly OffsetFetchGroup[]
  readonly requireStable: boolean
}

export interface OffsetFetchPartitionResponse {
  readonly partitionIndex: number
  /** -1: none. */
  readonly committedOffset: bigint
  readonly committedLeaderEpoch: number
  readonly metadata: string | null
  readonly errorCode: number
}

export interface OffsetFetchTopicResponse {
  readonly name: string
  readonly topicId: Buffer
  readonly partitions: readonly OffsetFetchPartitionResponse[]
}

export interface OffsetFetchGroupResponse {
  /** Empty up to version 7. */
  readonly groupId: string
  readonly topics: readonly OffsetFetchTopicResponse[]
  readonly errorCode: number
}

export interface OffsetFetchResponse {
  readonly throttleTimeMs: number
  readonly groups: readonly OffsetFetchGroupResponse[]
}

export const offsetFetch: Api<OffsetFetchRequest, OffsetFetchResponse> = {
  key: 9,
  name: NAME,
  minVersion: 0,
  maxVersion: 10,
  flexibleFrom: FLEXIBLE_FROM,

  encodeRequest(writer, version, request) {
    if (version >= GROUPS_FROM) {
      writer.writeArray(request.groups, true, (group) => {
        writeGroup(writer, version, group)
        writer.writeNoTaggedFields()
      })
    } else writeGroup(writer, version, onlyElement(request.groups, NAME, version, 'groups'))
    if (version >= 7) writer.writeBoolean(request.requireStable)
    else if (request.requireStable) throw unsupportedField(NAME, version, 'requireStable')
    if (version >= FLEXIBLE_FROM) writer.writeNoTaggedFields()
  },

  decodeRequest(reader, version) {
    const request = {
      groups:
        version >= GROUPS_FROM
          ? reader.readArray(true, () => {
              const group = readGroup(reader, version)
              reader.readTaggedFields()
              return group
            })
          : [readGroup(reader, version)],
      requireStable: version >= 7 ? reader.readBoolean() : false,
    }
    if (version >= FLEXIBLE_FROM) reader.readTaggedFields()
    return request
  },

  encodeResponse(writer, version, response) {
    if (version >= 3) writer.writeInt32(response.throttleTimeMs)
    if (version >= GROUPS_FROM) {
      writer.writeArray(response.groups, true, (group) => {
        writer.writeString(group.groupId, true)
        writeGroupResponse(writer, version, group)
        writer.writeNoTaggedFields()
      })
    } else writeGroupResponse(writer, version, onlyElement(response.groups, NAME, version, 'groups'))
    if (version >= FLEXIBLE_FROM) writer.writeNoTaggedFields()
  },

  decodeResponse(reader, version) {
    const response = {
      throttleTimeMs: version >= 3 ? reader.readInt32() : 0,
      groups:
        version >= GROUPS_FROM
          ? reader.readArray(true, () => {
              const group = readGroupResponse(reader, version)
              reader.readTaggedFields()
              return group
            })
          : [readGroupResponse(reader, version)],
    }
    if (version >= FLEXIBLE_FROM) reader.readTaggedFields()
    return response
  },
}

function readGroup(reader: ByteReader, version: number): OffsetFetchGroup {
  const flexible = version >= FLEXIBLE_FROM
  const readTopicOf = (): OffsetFetchTopic => readTopic(reader, version)
  return {
    groupId: reader.readString(flexible),
    memberId: version >= 9 ? reader.readNullableString(true) : null,
    memberEpoch: version >= 9 ? reader.readInt32() : -1,
    topics: version >= 2 ? reader.readNullableArray(flexible, readTopicOf) : reader.readArray(false, readTopicOf),
  }
}

function readTopic(reader: ByteReader, version: number): OffsetFetchTopic {
  const flexible = version >= FLEXIBLE_FROM
  const topic = {
    name: version < TOPIC_IDS_FROM ? reader.readString(flexible) : '',
    topicId: version >= TOPIC_IDS_FROM ? reader.readUuid() : ZERO_UUID,
    partitionIndexes: reader.readArray(flexible, () => reader.readInt32()),
  }
  if (flexible) reader.readTaggedFields()
  return topic
}

function writeGroup(writer: ByteWriter, version: number, group: OffsetFetchGroup): void {
  const flexible = version >= FLEXIBLE_FROM
  writer.writeString(group.groupId, flexible)
  if (version >= 9) {
    writer.writeString(group.memberId, true)
    writer.writeInt32(group.memberEpoch)
  }
  if (group.topics === null && version < 2) throw unsupportedField(NAME, version, 'all topics')
  writer.writeArray(group.topics, flexible, (topic) => {
    if (version >= TOPIC_IDS_FROM) writer.writeUuid(topic.topicId)
    else writer.writeString(topic.name, flexible)
    writer.writeArray(topic.partitionIndexes, flexible, (index) => writer.writeInt32(index))
    if (flexible) writer.writeNoTaggedFields()
  })
}

function readGroupResponse(reader: ByteReader, version: number): OffsetFetchGroupResponse {
  return {
    groupId: version >= GROUPS_FROM ? reader.readString(true) : '',
    topics: reader.readArray(version >= FLEXIBLE_FROM, () => readTopicResponse(reader, version)),
    errorCode: version >= 2 ? reader.readInt16() : 0,
  }
}

function readTopicResponse(reader: ByteReader, version: number): OffsetFetchTopicResponse {
  const flexible = version >= FLEXIBLE_FROM
  const topic = {
    name: version < TOPIC_IDS_FROM ? reader.readString(flexible) : '',
    topicId: version >= TOPIC_IDS_FROM ? reader.readUuid() : ZERO_UUID,
    partitions: reader.readArray(flexible, () => {
      const partition = {
        partitionIndex: reader.readInt32(),
        committedOffset: reader.readBigInt64(),
        committedLeaderEpoch: version >= 5 ? reader.readInt32() : -1,
        metadata: reader.readNullableString(flexible),
        errorCode: reader.readInt16(),
      }
      if (flexible) reader.readTaggedFields()
      return partition
    }),
  }
  if (flexible) reader.readTaggedFields()
  return topic
}

function writeGroupResponse(writer: ByteWriter, version: number, group: OffsetFetchGroupResponse): void {
  const flexible = version >= FLEXIBLE_FROM
  writer.writeArray(group.topics, flexible, (topic) => {
    if (version >= TOPIC_IDS_FROM) writer.writeUuid(topic.topicId)
    else writer.writeString(topic.name, flexible)
    writer.writeArray(topic.partitions, flexible, (partition) => {
      writer.writeInt32(partition.partitionIndex)
      writer.writeBigInt64(partition.committedOffset)
      if (version >= 5) writer.writeInt32(partition.committedLeaderEpoch)
      writer.writeString(partition.metadata, flexible)
      writer.writeInt16(partition.errorCode)
      if (flexible) writer.writeNoTaggedFields()
    })
    if (flexible) writer.writeNoTaggedFields()
  })
  if (version >= 2) writer.writeInt16(group.errorCode)
}
