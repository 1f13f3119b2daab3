/*
 * TxnOffsetCommit, key 28, versions 0 to 6, flexible from 3. Commits offsets of a consumer group as part of a
 * transaction (KIP-98).
 *
 *   1  the answer comes before the client is throttled, not after
 *   2  request: committedLeaderEpoch (KIP-320)
 *   3  flexible; request: generationIdOrMemberEpoch, memberId, groupInstanceId, so that a consumer that has left the
 *      group is fenced (KIP-447)
 *   4  error 120 (TRANSACTION_ABORTABLE) may be answered (KIP-890)
 *   5  adds the offsets to the transaction too, without AddOffsetsToTxn (KIP-890)
 *   6  topics by id instead of by name (KIP-1319)
 */
import { unsupportedField, type Api } from '../api.js'
import type { ByteReader } from '../byte-reader.js'
import { ZERO_UUID } from '../byte-writer.js'

const NAME = 'TxnOffsetCommit'
const FLEXIBLE_FROM = 3
/** From this version on topics go by their ids. */
export const TOPIC_IDS_FROM = 6

export interface TxnOffsetCommitPartition {
  readonly partitionIndex: number
  readonly committedOffset: bigint
  /** -1 where not known. */
  readonly committedLeaderEpoch: number
  readonly committedMetadata: string | null
}

export interface TxnOffsetCommitTopic {
  /** Written up to version 5. */
  readonly name: string
  /** Written from version 6 on. */
  readonly topicId: Buffer
  readonly partitions: readonly TxnOffsetCommitPartition[]
}

export interface TxnOffsetCommitRequest {
  readonly transactionalId: string
  readonly groupId: string
  readonly producerId: bigint
  readonly producerEpoch: number
  /** -1: not checked. */
  readonly generationIdOrMemberEpoch: number
  /** Empty: not checked. */
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly topics: readonly TxnOffsetCommitTopic[]
}

export interface TxnOffsetCommitPartitionResponse {
  readonly partitionIndex: number
  readonly errorCode: number
}

export interface TxnOffsetCommitTopicResponse {
  readonly name: string
  readonly topicId: Buffer
  readonly partitions: readonly TxnOffsetCommitPartitionResponse[]
}

export interface TxnOffsetCommitResponse {
  readonly throttleTimeMs: number
  readonly topics: readonly TxnOffsetCommitTopicResponse[]
}

export const txnOffsetCommit: Api<TxnOffsetCommitRequest, TxnOffsetCommitResponse> = {
  key: 28,
  name: NAME,
  minVersion: 0,
  maxVersion: 6,
  flexibleFrom: FLEXIBLE_FROM,
  clientThrottlesFrom: 1,

  encodeRequest(writer, version, request) {
    const flexible = version >= FLEXIBLE_FROM
    writer.writeString(request.transactionalId, flexible)
    writer.writeString(request.groupId, flexible)
    writer.writeBigInt64(request.producerId)
    writer.writeInt16(request.producerEpoch)
    if (flexible) {
      writer.writeInt32(request.generationIdOrMemberEpoch)
      writer.writeString(request.memberId, true)
      writer.writeString(request.groupInstanceId, true)
    } else if (
      request.memberId !== '' ||
      request.groupInstanceId !== null ||
      request.generationIdOrMemberEpoch !== -1
    ) {
      throw unsupportedField(NAME, version, 'a member of the group')
    }
    writer.writeArray(request.topics, flexible, (topic) => {
      if (version >= TOPIC_IDS_FROM) writer.writeUuid(topic.topicId)
      else writer.writeString(topic.name, flexible)
      writer.writeArray(topic.partitions, flexible, (partition) => {
        writer.writeInt32(partition.partitionIndex)
        writer.writeBigInt64(partition.committedOffset)
        if (version >= 2) writer.writeInt32(partition.committedLeaderEpoch)
        writer.writeString(partition.committedMetadata, flexible)
        if (flexible) writer.writeNoTaggedFields()
      })
      if (flexible) writer.writeNoTaggedFields()
    })
    if (flexible) writer.writeNoTaggedFields()
  },

  decodeRequest(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const request = {
      transactionalId: reader.readString(flexible),
      groupId: reader.readString(flexible),
      producerId: reader.readBigInt64(),
      producerEpoch: reader.readInt16(),
      generationIdOrMemberEpoch: flexible ? reader.readInt32() : -1,
      memberId: flexible ? reader.readString(true) : '',
      groupInstanceId: flexible ? reader.readNullableString(true) : null,
      topics: reader.readArray(flexible, () => readTopic(reader, version)),
    }
    if (flexible) reader.readTaggedFields()
    return request
  },

  encodeResponse(writer, version, response) {
    const flexible = version >= FLEXIBLE_FROM
    writer.writeInt32(response.throttleTimeMs)
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
      throttleTimeMs: reader.readInt32(),
      topics: reader.readArray(flexible, () => readTopicResponse(reader, version)),
    }
    if (flexible) reader.readTaggedFields()
    return response
  },
}

function readTopic(reader: ByteReader, version: number): TxnOffsetCommitTopic {
  const flexible = version >= FLEXIBLE_FROM
  const topic = {
    name: version < TOPIC_IDS_FROM ? reader.readString(flexible) : '',
    topicId: version >= TOPIC_IDS_FROM ? reader.readUuid() : ZERO_UUID,
    partitions: reader.readArray(flexible, () => {
      const partition = {
        partitionIndex: reader.readInt32(),
        committedOffset: reader.readBigInt64(),
        committedLeaderEpoch: version >= 2 ? reader.readInt32() : -1,
        committedMetadata: reader.readNullableString(flexible),
      }
      if (flexible) reader.readTaggedFields()
      return partition
    }),
  }
  if (flexible) reader.readTaggedFields()
  return topic
}

function readTopicResponse(reader: ByteReader, version: number): TxnOffsetCommitTopicResponse {
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
