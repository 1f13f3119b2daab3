/*
 * Fetch, key 1, versions 0 to 18, flexible from 12. Reads records of partitions from a given offset on.
 *
 *   1   response: throttleTimeMs
 *   2   records may be message sets of magic 1
 *   3   request: maxBytes of the whole answer, filled in the order of the partitions given (KIP-74)
 *   4   request: isolationLevel; response: lastStableOffset, abortedTransactions; records may be batches of magic 2
 *   5   logStartOffset in both directions
 *   6   error 56 (KAFKA_STORAGE_ERROR) may be answered
 *   7   sessions: sessionId, sessionEpoch, forgottenTopicsData; response: errorCode (KIP-227)
 *   8   the answer comes before the client is throttled, not after
 *   9   request: currentLeaderEpoch (KIP-320)
 *   10  records may be compressed with zstd (KIP-110)
 *   11  request: rackId; response: preferredReadReplica (KIP-392)
 *   12  flexible; request: clusterId (tagged), lastFetchedEpoch; response: divergingEpoch, currentLeader, snapshotId, tagged
 *   13  topics by id instead of by name (KIP-516)
 *   14  error 109 (OFFSET_MOVED_TO_TIERED_STORAGE) may be answered (KIP-405)
 *   15  replicaId moves into the tagged replicaState, with replicaEpoch (KIP-903)
 *   16  response: nodeEndpoints, tagged (KIP-951)
 *   17  request: replicaDirectoryId, tagged (KIP-853)
 *   18  request: highWatermark, tagged (KIP-1166)
 */
import { unsupportedField, type Api } from '../api.js'
import type { ByteReader } from '../byte-reader.js'
import { ZERO_UUID, type ByteWriter, type TaggedField } from '../byte-writer.js'
import {
  isUnknownLeader,
  readLeader,
  readNodeEndpoints,
  UNKNOWN_LEADER,
  writeLeader,
  writeNodeEndpoints,
  type LeaderIdAndEpoch,
  type NodeEndpoint,
} from './leader-hints.js'

const NAME = 'Fetch'
const FLEXIBLE_FROM = 12
/** From this version on topics go by their ids. */
export const TOPIC_IDS_FROM = 13
const REPLICA_STATE_FROM = 15
/** Stands for "not told" where a follower's high watermark is expected. */
export const HIGH_WATERMARK_NOT_TOLD = 0x7fff_ffff_ffff_ffffn
const NO_EPOCH_END: EpochEndOffset = { epoch: -1, endOffset: -1n }

export interface FetchPartition {
  readonly partition: number
  /** -1 where not known. */
  readonly currentLeaderEpoch: number
  readonly fetchOffset: bigint
  /** -1 where not known. */
  readonly lastFetchedEpoch: number
  /** Of a follower; -1 from a consumer. */
  readonly logStartOffset: bigint
  readonly partitionMaxBytes: number
  readonly replicaDirectoryId: Buffer
  /** Of a follower. */
  readonly highWatermark: bigint
}

export interface FetchTopic {
  /** Written up to version 12. */
  readonly topic: string
  /** Written from version 13 on. */
  readonly topicId: Buffer
  readonly partitions: readonly FetchPartition[]
}

export interface ForgottenTopic {
  /** Written up to version 12. */
  readonly topic: string
  /** Written from version 13 on. */
  readonly topicId: Buffer
  readonly partitions: readonly number[]
}

export interface FetchRequest {
  readonly clusterId: string | null
  /** Of a follower; -1 from a consumer. */
  readonly replicaId: number
  readonly replicaEpoch: bigint
  readonly maxWaitMs: number
  readonly minBytes: number
  readonly maxBytes: number
  /** 0: all records, 1: without those of open and aborted transactions. */
  readonly isolationLevel: number
  readonly sessionId: number
  /** -1: no session wanted. */
  readonly sessionEpoch: number
  readonly topics: readonly FetchTopic[]
  readonly forgottenTopicsData: readonly ForgottenTopic[]
  readonly rackId: string
}

export interface EpochEndOffset {
  readonly epoch: number
  readonly endOffset: bigint
}

export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: bigint
}

export interface FetchPartitionResponse {
  readonly partitionIndex: number
  readonly errorCode: number
  readonly highWatermark: bigint
  readonly lastStableOffset: bigint
  readonly logStartOffset: bigint
  /** Where the client's log and the leader's part; -1 where they do not. */
  readonly divergingEpoch: EpochEndOffset
  readonly currentLeader: LeaderIdAndEpoch
  readonly snapshotId: EpochEndOffset
  readonly abortedTransactions: readonly AbortedTransaction[] | null
  /** -1: go on reading from this broker. */
  readonly preferredReadReplica: number
  /** A view of the frame; the last batch may be cut off. */
  readonly records: Buffer | null
}

export interface FetchTopicResponse {
  readonly topic: string
  readonly topicId: Buffer
  readonly partitions: readonly FetchPartitionResponse[]
}

export interface FetchResponse {
  readonly throttleTimeMs: number
  readonly errorCode: number
  /** 0: no session. */
  readonly sessionId: number
  readonly responses: readonly FetchTopicResponse[]
  readonly nodeEndpoints: readonly NodeEndpoint[]
}

export const fetch: Api<FetchRequest, FetchResponse> = {
  key: 1,
  name: NAME,
  minVersion: 0,
  maxVersion: 18,
  flexibleFrom: FLEXIBLE_FROM,

  encodeRequest(writer, version, request) {
    const flexible = version >= FLEXIBLE_FROM
    if (version < REPLICA_STATE_FROM) {
      if (request.replicaEpoch !== -1n) throw unsupportedField(NAME, version, 'replicaEpoch')
      writer.writeInt32(request.replicaId)
    }
    writer.writeInt32(request.maxWaitMs)
    writer.writeInt32(request.minBytes)
    if (version >= 3) writer.writeInt32(request.maxBytes)
    if (version >= 4) writer.writeInt8(request.isolationLevel)
    if (version >= 7) {
      writer.writeInt32(request.sessionId)
      writer.writeInt32(request.sessionEpoch)
    }
    writer.writeArray(request.topics, flexible, (topic) => writeTopic(writer, version, topic))
    if (version >= 7) {
      writer.writeArray(request.forgottenTopicsData, flexible, (topic) => writeForgottenTopic(writer, version, topic))
    } else if (request.forgottenTopicsData.length > 0) throw unsupportedField(NAME, version, 'forgottenTopicsData')
    if (version >= 11) writer.writeString(request.rackId, flexible)
    if (flexible) writeRequestTags(writer, version, request)
  },

  decodeRequest(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const request = {
      clusterId: null as string | null,
      replicaId: version < REPLICA_STATE_FROM ? reader.readInt32() : -1,
      replicaEpoch: -1n,
      maxWaitMs: reader.readInt32(),
      minBytes: reader.readInt32(),
      maxBytes: version >= 3 ? reader.readInt32() : 0x7fffffff,
      isolationLevel: version >= 4 ? reader.readInt8() : 0,
      sessionId: version >= 7 ? reader.readInt32() : 0,
      sessionEpoch: version >= 7 ? reader.readInt32() : -1,
      topics: reader.readArray(flexible, () => readTopic(reader, version)),
      forgottenTopicsData: version >= 7 ? reader.readArray(flexible, () => readForgottenTopic(reader, version)) : [],
      rackId: version >= 11 ? reader.readString(flexible) : '',
    }
    if (flexible) {
      reader.readTaggedFields((tag, field) => {
        if (tag === 0) request.clusterId = field.readNullableString(true)
        else if (tag === 1 && version >= REPLICA_STATE_FROM) {
          request.replicaId = field.readInt32()
          request.replicaEpoch = field.readBigInt64()
          field.readTaggedFields()
        }
      })
    }
    return request
  },

  encodeResponse(writer, version, response) {
    const flexible = version >= FLEXIBLE_FROM
    if (version >= 1) writer.writeInt32(response.throttleTimeMs)
    if (version >= 7) {
      writer.writeInt16(response.errorCode)
      writer.writeInt32(response.sessionId)
    } else if (response.sessionId !== 0) throw unsupportedField(NAME, version, 'sessionId')
    writer.writeArray(response.responses, flexible, (topic) => {
      if (version >= TOPIC_IDS_FROM) writer.writeUuid(topic.topicId)
      else writer.writeString(topic.topic, flexible)
      writer.writeArray(topic.partitions, flexible, (partition) => writePartitionResponse(writer, version, partition))
      if (flexible) writer.writeNoTaggedFields()
    })
    if (flexible) {
      const { nodeEndpoints } = response
      const told = version >= 16 && nodeEndpoints.length > 0
      writer.writeTaggedFields(told ? [[0, (field) => writeNodeEndpoints(field, nodeEndpoints)]] : [])
    }
  },

  decodeResponse(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const response = {
      throttleTimeMs: version >= 1 ? reader.readInt32() : 0,
      errorCode: version >= 7 ? reader.readInt16() : 0,
      sessionId: version >= 7 ? reader.readInt32() : 0,
      responses: reader.readArray(flexible, () => readTopicResponse(reader, version)),
      nodeEndpoints: [] as NodeEndpoint[],
    }
    if (flexible) {
      reader.readTaggedFields((tag, field) => {
        if (tag === 0 && version >= 16) response.nodeEndpoints = readNodeEndpoints(field)
      })
    }
    return response
  },
}

function readTopic(reader: ByteReader, version: number): FetchTopic {
  const flexible = version >= FLEXIBLE_FROM
  const topic = {
    topic: version < TOPIC_IDS_FROM ? reader.readString(flexible) : '',
    topicId: version >= TOPIC_IDS_FROM ? reader.readUuid() : ZERO_UUID,
    partitions: reader.readArray(flexible, () => readPartition(reader, version)),
  }
  if (flexible) reader.readTaggedFields()
  return topic
}

function readPartition(reader: ByteReader, version: number): FetchPartition {
  const partition = {
    partition: reader.readInt32(),
    currentLeaderEpoch: version >= 9 ? reader.readInt32() : -1,
    fetchOffset: reader.readBigInt64(),
    lastFetchedEpoch: version >= 12 ? reader.readInt32() : -1,
    logStartOffset: version >= 5 ? reader.readBigInt64() : -1n,
    partitionMaxBytes: reader.readInt32(),
    replicaDirectoryId: ZERO_UUID,
    highWatermark: HIGH_WATERMARK_NOT_TOLD,
  }
  if (version >= FLEXIBLE_FROM) {
    reader.readTaggedFields((tag, field) => {
      if (tag === 0 && version >= 17) partition.replicaDirectoryId = field.readUuid()
      else if (tag === 1 && version >= 18) partition.highWatermark = field.readBigInt64()
    })
  }
  return partition
}

function readForgottenTopic(reader: ByteReader, version: number): ForgottenTopic {
  const flexible = version >= FLEXIBLE_FROM
  const topic = {
    topic: version < TOPIC_IDS_FROM ? reader.readString(flexible) : '',
    topicId: version >= TOPIC_IDS_FROM ? reader.readUuid() : ZERO_UUID,
    partitions: reader.readArray(flexible, () => reader.readInt32()),
  }
  if (flexible) reader.readTaggedFields()
  return topic
}

function writeTopic(writer: ByteWriter, version: number, topic: FetchTopic): void {
  const flexible = version >= FLEXIBLE_FROM
  if (version >= TOPIC_IDS_FROM) writer.writeUuid(topic.topicId)
  else writer.writeString(topic.topic, flexible)
  writer.writeArray(topic.partitions, flexible, (partition) => writePartition(writer, version, partition))
  if (flexible) writer.writeNoTaggedFields()
}

function writePartition(writer: ByteWriter, version: number, partition: FetchPartition): void {
  writer.writeInt32(partition.partition)
  if (version >= 9) writer.writeInt32(partition.currentLeaderEpoch)
  writer.writeBigInt64(partition.fetchOffset)
  if (version >= 12) writer.writeInt32(partition.lastFetchedEpoch)
  else if (partition.lastFetchedEpoch !== -1) throw unsupportedField(NAME, version, 'lastFetchedEpoch')
  if (version >= 5) writer.writeBigInt64(partition.logStartOffset)
  writer.writeInt32(partition.partitionMaxBytes)
  if (version < FLEXIBLE_FROM) return
  const tags: TaggedField[] = []
  if (version >= 17 && !ZERO_UUID.equals(partition.replicaDirectoryId)) {
    tags.push([0, (field) => field.writeUuid(partition.replicaDirectoryId)])
  }
  if (version >= 18 && partition.highWatermark !== HIGH_WATERMARK_NOT_TOLD) {
    tags.push([1, (field) => field.writeBigInt64(partition.highWatermark)])
  }
  writer.writeTaggedFields(tags)
}

function writeForgottenTopic(writer: ByteWriter, version: number, topic: ForgottenTopic): void {
  const flexible = version >= FLEXIBLE_FROM
  if (version >= TOPIC_IDS_FROM) writer.writeUuid(topic.topicId)
  else writer.writeString(topic.topic, flexible)
  writer.writeArray(topic.partitions, flexible, (partition) => writer.writeInt32(partition))
  if (flexible) writer.writeNoTaggedFields()
}

function writeRequestTags(writer: ByteWriter, version: number, request: FetchRequest): void {
  const tags: TaggedField[] = []
  if (request.clusterId !== null) tags.push([0, (field) => field.writeString(request.clusterId, true)])
  if (version >= REPLICA_STATE_FROM && (request.replicaId !== -1 || request.replicaEpoch !== -1n)) {
    tags.push([
      1,
      (field) => {
        field.writeInt32(request.replicaId)
        field.writeBigInt64(request.replicaEpoch)
        field.writeNoTaggedFields()
      },
    ])
  }
  writer.writeTaggedFields(tags)
}

function readTopicResponse(reader: ByteReader, version: number): FetchTopicResponse {
  const flexible = version >= FLEXIBLE_FROM
  const topic = {
    topic: version < TOPIC_IDS_FROM ? reader.readString(flexible) : '',
    topicId: version >= TOPIC_IDS_FROM ? reader.readUuid() : ZERO_UUID,
    partitions: reader.readArray(flexible, () => readPartitionResponse(reader, version)),
  }
  if (flexible) reader.readTaggedFields()
  return topic
}

function readPartitionResponse(reader: ByteReader, version: number): FetchPartitionResponse {
  const flexible = version >= FLEXIBLE_FROM
  const partition = {
    partitionIndex: reader.readInt32(),
    errorCode: reader.readInt16(),
    highWatermark: reader.readBigInt64(),
    lastStableOffset: version >= 4 ? reader.readBigInt64() : -1n,
    logStartOffset: version >= 5 ? reader.readBigInt64() : -1n,
    divergingEpoch: NO_EPOCH_END,
    currentLeader: UNKNOWN_LEADER,
    snapshotId: NO_EPOCH_END,
    abortedTransactions:
      version >= 4 ? reader.readNullableArray(flexible, () => readAbortedTransaction(reader, flexible)) : [],
    preferredReadReplica: version >= 11 ? reader.readInt32() : -1,
    records: reader.readNullableBytes(flexible),
  }
  if (flexible) {
    reader.readTaggedFields((tag, field) => {
      if (tag === 0) partition.divergingEpoch = readDivergingEpoch(field)
      else if (tag === 1) partition.currentLeader = readLeader(field)
      else if (tag === 2) partition.snapshotId = readSnapshotId(field)
    })
  }
  return partition
}

function readAbortedTransaction(reader: ByteReader, flexible: boolean): AbortedTransaction {
  const transaction = { producerId: reader.readBigInt64(), firstOffset: reader.readBigInt64() }
  if (flexible) reader.readTaggedFields()
  return transaction
}

function readDivergingEpoch(reader: ByteReader): EpochEndOffset {
  const end = { epoch: reader.readInt32(), endOffset: reader.readBigInt64() }
  reader.readTaggedFields()
  return end
}

/** The same two values as a diverging epoch, the other way round. */
function readSnapshotId(reader: ByteReader): EpochEndOffset {
  const endOffset = reader.readBigInt64()
  const epoch = reader.readInt32()
  reader.readTaggedFields()
  return { epoch, endOffset }
}

function isEpochEnd(end: EpochEndOffset): boolean {
  return end.epoch !== -1 || end.endOffset !== -1n
}

function writePartitionResponse(writer: ByteWriter, version: number, partition: FetchPartitionResponse): void {
  const flexible = version >= FLEXIBLE_FROM
  writer.writeInt32(partition.partitionIndex)
  writer.writeInt16(partition.errorCode)
  writer.writeBigInt64(partition.highWatermark)
  if (version >= 4) writer.writeBigInt64(partition.lastStableOffset)
  if (version >= 5) writer.writeBigInt64(partition.logStartOffset)
  if (version >= 4) {
    writer.writeArray(partition.abortedTransactions, flexible, (transaction) => {
      writer.writeBigInt64(transaction.producerId)
      writer.writeBigInt64(transaction.firstOffset)
      if (flexible) writer.writeNoTaggedFields()
    })
  }
  if (version >= 11) writer.writeInt32(partition.preferredReadReplica)
  else if (partition.preferredReadReplica !== -1) throw unsupportedField(NAME, version, 'preferredReadReplica')
  writer.writeBytes(partition.records, flexible)
  if (flexible) writePartitionResponseTags(writer, partition)
  else if (isEpochEnd(partition.divergingEpoch)) throw unsupportedField(NAME, version, 'divergingEpoch')
  else if (isEpochEnd(partition.snapshotId)) throw unsupportedField(NAME, version, 'snapshotId')
}

function writePartitionResponseTags(writer: ByteWriter, partition: FetchPartitionResponse): void {
  const { divergingEpoch, currentLeader, snapshotId } = partition
  const tags: TaggedField[] = []
  if (isEpochEnd(divergingEpoch)) {
    tags.push([
      0,
      (field) => {
        field.writeInt32(divergingEpoch.epoch)
        field.writeBigInt64(divergingEpoch.endOffset)
        field.writeNoTaggedFields()
      },
    ])
  }
  if (!isUnknownLeader(currentLeader)) tags.push([1, (field) => writeLeader(field, currentLeader)])
  if (isEpochEnd(snapshotId)) {
    tags.push([
      2,
      (field) => {
        field.writeBigInt64(snapshotId.endOffset)
        field.writeInt32(snapshotId.epoch)
        field.writeNoTaggedFields()
      },
    ])
  }
  writer.writeTaggedFields(tags)
}
